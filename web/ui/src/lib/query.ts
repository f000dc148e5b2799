/** What is searched for, as state, as address, and as the words sent to the server. */

import type { FacetCount, SearchOrder } from './types';

export interface SearchState {
  q: string;
  /** Some of the server's type facets; none is all. */
  types: string[];
  /** Endings of names, without the dot; none is all. */
  endings: string[];
  /** One of `PERIODS`, or nothing. */
  modified: string;
  /** The folder that is searched; the root is ''. */
  folder: string;
  sort: SearchOrder;
}

export const NOTHING: SearchState = { q: '', types: [], endings: [], modified: '', folder: '', sort: 'relevance' };

export const TYPES = [
  'document', 'pdf', 'spreadsheet', 'presentation', 'image', 'text', 'code', 'mail', 'archive', 'audio', 'video', 'folder', 'other',
] as const;
export const PERIODS = ['today', 'week', 'month', 'year', 'older'] as const;
type Period = (typeof PERIODS)[number];
/** The periods in the query language; the server counts 1, 7, 30 and 365 days. */
const SPANS: Record<Period, string> = { today: '1d', week: '7d', month: '30d', year: '365d', older: '<365d' };
export const ORDERS: readonly SearchOrder[] = ['relevance', 'last_modified_time', 'name', 'size'];

/** The state in an address's parameters; what is not known there is passed over. */
export function parseState(params: URLSearchParams): SearchState {
  const known = (name: string, values: readonly string[]) => values.find((v) => v === params.get(name)) ?? '';
  return {
    q: params.get('q') ?? '',
    types: TYPES.filter((type) => params.get('type')?.split(',').includes(type)),
    endings: (params.get('ext') ?? '').split(',').filter((ending) => /^[\p{L}\p{N}_-]{1,20}$/u.test(ending)),
    modified: known('modified', PERIODS),
    folder: (params.get('in') ?? '').replace(/\/+$/, ''),
    sort: (known('sort', ORDERS) || 'relevance') as SearchOrder,
  };
}

/** The address of a state: `/` when nothing is searched for. */
export function searchHref(state: SearchState, open = ''): string {
  const params = new URLSearchParams();
  if (state.q) params.set('q', state.q);
  if (state.types.length) params.set('type', state.types.join(','));
  if (state.endings.length) params.set('ext', state.endings.join(','));
  if (state.modified) params.set('modified', state.modified);
  if (state.folder) params.set('in', state.folder);
  if (state.sort !== 'relevance') params.set('sort', state.sort);
  if (open) params.set('open', open);
  const text = params.toString();
  return text ? `/search?${text}` : '/';
}

/** Whether there is anything to search for. */
export function isSearching(state: SearchState): boolean {
  return Boolean(state.q.trim() || state.types.length || state.endings.length || state.modified);
}

/** The query with the filters as operators. The words come last: the last word is still being typed. */
export function queryText(state: SearchState, without: 'type' | 'extension' | 'modified' | '' = ''): string {
  const filters = [];
  if (state.types.length && without !== 'type') filters.push(`type:${state.types.join(',')}`);
  if (state.endings.length && without !== 'extension') filters.push(`ext:${state.endings.join(',')}`);
  if (state.modified && without !== 'modified') filters.push(`modified:${SPANS[state.modified as Period]}`);
  return [...filters, state.q.trimStart()].filter(Boolean).join(' ');
}

/** The values with one more, or with one less when it is there. */
export function toggled(values: readonly string[], value: string): string[] {
  return values.includes(value) ? values.filter((one) => one !== value) : [...values, value];
}

/**
 * What each period holds with the shorter ones in it: the server counts a file once, in the shortest.
 * A period that adds nothing to a shorter one is left out, unless it is chosen.
 */
export function periodCounts(counts: readonly FacetCount[], chosen: string): FacetCount[] {
  const out: FacetCount[] = [];
  let sum = 0;
  for (const value of PERIODS) {
    const own = counts.find((facet) => facet.value === value)?.count ?? 0;
    sum += own;
    const count = value === 'older' ? own : sum;
    if (own || value === chosen) out.push({ value, count });
  }
  return out;
}
