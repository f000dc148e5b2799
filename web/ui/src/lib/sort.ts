import type { Entry } from './types';

export type SortKey = 'name' | 'modified' | 'size';
export interface Sort {
  key: SortKey;
  descending: boolean;
}

const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' }).compare;
const time = (entry: Entry) => (entry['.tag'] === 'file' ? entry.client_modified : '');
const size = (entry: Entry) => (entry['.tag'] === 'file' ? entry.size : -1);

/** Folders first, then by the key, then by name. */
export function sorted(entries: readonly Entry[], { key, descending }: Sort): Entry[] {
  const sign = descending ? -1 : 1;
  return [...entries].sort((a, b) => {
    if (a['.tag'] !== b['.tag']) return a['.tag'] === 'folder' ? -1 : 1;
    const names = byName(a.name, b.name);
    if (key === 'modified') return sign * time(a).localeCompare(time(b)) || names;
    if (key === 'size') return sign * (size(a) - size(b)) || names;
    return sign * names;
  });
}

/** The sort in an address (`-size`), or by name. */
export function parseSort(text: string | null): Sort {
  const key = (['name', 'modified', 'size'] as const).find((known) => known === text?.replace(/^-/, ''));
  return { key: key ?? 'name', descending: Boolean(key && text?.startsWith('-')) };
}

/** The sort as an address has it; the usual one is ''. */
export function sortParam({ key, descending }: Sort): string {
  return key === 'name' && !descending ? '' : `${descending ? '-' : ''}${key}`;
}
