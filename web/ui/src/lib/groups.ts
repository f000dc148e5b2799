/** Hits in groups: the page tells apart what was found by its name and what by its words. */

import type { Hit } from './types';

export interface HitGroup {
  kind: 'all' | 'names' | 'contents' | 'more';
  hits: Hit[];
}

/** The first page's hits by how they were found, later pages' below them; one group where there is nothing to tell apart. */
export function groupHits(hits: readonly Hit[], firstPage: number, byRelevance: boolean): HitGroup[] {
  const first = hits.slice(0, firstPage);
  const names = first.filter((hit) => hit.match !== 'content');
  const contents = first.filter((hit) => hit.match === 'content');
  if (!byRelevance || !names.length || !contents.length) return [{ kind: 'all', hits: [...hits] }];
  const groups: HitGroup[] = [{ kind: 'names', hits: names }, { kind: 'contents', hits: contents }];
  const more = hits.slice(firstPage);
  return more.length ? [...groups, { kind: 'more', hits: more }] : groups;
}
