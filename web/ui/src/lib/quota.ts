/** Amounts of bytes as people type them. */

const GB = 1024 ** 3;
const UNITS: Record<string, number> = { mb: 1024 ** 2, gb: GB, tb: 1024 * GB };

/** `20`, `20 GB`, `1,5 TB` in bytes: without a unit, GB; undefined when it is none of that. */
export function quotaOf(text: string): number | undefined {
  const match = /^\s*(\d+(?:[.,]\d+)?)\s*([mgt]b)?\s*$/i.exec(text);
  if (!match) return undefined;
  const amount = Number((match[1] ?? '').replace(',', '.')) * (UNITS[(match[2] ?? 'gb').toLowerCase()] ?? GB);
  return Number.isSafeInteger(Math.round(amount)) ? Math.round(amount) : undefined;
}

/** The other way: `20 GB`. */
export function quotaText(bytes: number): string {
  const [unit, size] = Object.entries(UNITS).reverse().find(([, size]) => bytes >= size) ?? ['mb', UNITS.mb ?? 1];
  return `${Number((bytes / size).toFixed(2))} ${unit.toUpperCase()}`;
}
