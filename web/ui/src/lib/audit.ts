/** Filters of the audit log, as an address has them. */

import type { AuditFilter } from './admin';

export const FIELDS = ['who', 'what', 'since', 'until', 'about', 'address'] as const;
export type Field = (typeof FIELDS)[number];

const DAY_MS = 24 * 3600 * 1000;
const startOf = (day: string) => {
  const at = new Date(`${day}T00:00:00`).getTime();
  return Number.isNaN(at) ? undefined : at;
};

/** The filter of an address; days are the browser's, and the last one counts whole. */
export function filterOf(params: URLSearchParams): AuditFilter {
  const value = (field: Field) => params.get(field)?.trim() || undefined;
  const since = startOf(value('since') ?? '');
  const until = startOf(value('until') ?? '');
  const filter: AuditFilter = {
    actor: value('who'),
    actions: value('what') ? [value('what') as string] : undefined,
    since_ms: since,
    until_ms: until === undefined ? undefined : until + DAY_MS - 1,
    subject: value('about'),
    address: value('address'),
  };
  return Object.fromEntries(Object.entries(filter).filter(([, wanted]) => wanted !== undefined));
}
