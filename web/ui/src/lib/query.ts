/** What is searched for, as state, as address, and as the words sent to the server. */

import type { SearchOrder } from './types';

export interface SearchState {
  q: string;
  /** One of the server's type facets, or nothing. */
  type: string;
  /** One of the server's date facets, or nothing. */
  modified: string;
  /** The folder that is searched; the root is ''. */
  folder: string;
  sort: SearchOrder;
}

export const NOTHING: SearchState = { q: '', type: '', modified: '', folder: '', sort: 'relevance' };

export const TYPES = [
  'document', 'pdf', 'spreadsheet', 'presentation', 'image', 'text', 'code', 'mail', 'archive', 'audio', 'video', 'folder', 'other',
] as const;
export const PERIODS = ['today', 'week', 'month', 'year', 'older'] as const;
export const ORDERS: readonly SearchOrder[] = ['relevance', 'last_modified_time', 'name', 'size'];

/** The state in an address's parameters; what is not known there is passed over. */
export function parseState(params: URLSearchParams): SearchState {
  const known = (name: string, values: readonly string[]) => values.find((v) => v === params.get(name)) ?? '';
  return {
    q: params.get('q') ?? '',
    type: known('type', TYPES),
    modified: known('modified', PERIODS),
    folder: (params.get('in') ?? '').replace(/\/+$/, ''),
    sort: (known('sort', ORDERS) || 'relevance') as SearchOrder,
  };
}

/** The address of a state: `/` when nothing is searched for. */
export function searchHref(state: SearchState, open = ''): string {
  const params = new URLSearchParams();
  if (state.q) params.set('q', state.q);
  if (state.type) params.set('type', state.type);
  if (state.modified) params.set('modified', state.modified);
  if (state.folder) params.set('in', state.folder);
  if (state.sort !== 'relevance') params.set('sort', state.sort);
  if (open) params.set('open', open);
  const text = params.toString();
  return text ? `/search?${text}` : '/';
}

/** Whether there is anything to search for. */
export function isSearching(state: SearchState): boolean {
  return Boolean(state.q.trim() || state.type || state.modified);
}

/** The query with the filters as operators. The words come last: the last word is still being typed. */
export function queryText(state: SearchState, without: 'type' | 'modified' | '' = ''): string {
  const filters = [];
  if (state.type && without !== 'type') filters.push(`type:${state.type}`);
  if (state.modified && without !== 'modified') filters.push(`modified:${state.modified}`);
  return [...filters, state.q.trimStart()].filter(Boolean).join(' ');
}
