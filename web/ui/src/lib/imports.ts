/** Importing a folder of the server: typed routes. */

import { call } from './call';

export interface ImportRoots {
  roots: string[];
  default_excludes: string[];
}

export interface ServerFolder {
  folders: string[];
  files: number;
  more: boolean;
}

export interface Import {
  id: number;
  root: string;
  path: string;
  into: string;
  exclude: string[];
  state: 'running' | 'done' | 'cancelled' | 'failed' | 'interrupted';
  begun: string;
  ended: string | null;
  /** False while `found` still grows. */
  walked: boolean;
  found: number;
  imported: number;
  bytes: number;
  unchanged: number;
  refused: number;
  excluded: number;
  error: string | null;
  sample: { path: string; reason: string }[];
}

export interface ImportWanted {
  root: string;
  path: string;
  into?: string;
  exclude?: string[];
}

export const imports = {
  roots: () => call<ImportRoots>('firefly/import/roots', null),
  browse: (root: string, path: string, signal?: AbortSignal) => call<ServerFolder>('firefly/import/browse', { root, path }, { signal }),
  start: async (wanted: ImportWanted) => (await call<{ import: Import }>('firefly/import/start', wanted)).import,
  list: async () => (await call<{ imports: Import[] }>('firefly/import/list', null)).imports,
  cancel: async (id: number) => (await call<{ import: Import }>('firefly/import/cancel', { id })).import,
  /** The address of a report of what was left out and why. */
  reportUrl: (id: number, format: 'json' | 'csv') => `/2/firefly/import/report?arg=${encodeURIComponent(JSON.stringify({ id, format }))}`,
};

/** How much of an import is through, 0 to 1; undefined while nobody knows. */
export function shareDone(one: Import): number | undefined {
  if (!one.walked) return undefined;
  return one.found ? Math.min(1, (one.imported + one.unchanged + one.refused) / one.found) : 1;
}
