/** What the results can be narrowed by, with where each choice leads. */

import { later, t } from './i18n.svelte';
import { kindLabel } from './kinds';
import { nameOf } from './paths';
import { periodCounts, type SearchState, toggled } from './query';
import type { FacetCount, Facets } from './types';

export interface Choice extends FacetCount {
  label: string;
  on: boolean;
  to: SearchState;
}

export interface Group {
  title: string;
  facets: Choice[];
  /** Shown where there is little room too. */
  main?: boolean;
}

const MOST_ENDINGS = 8;
const MOST_FOLDERS = 6;
const PERIODS: Record<string, string> = {
  today: later('Past day'), week: later('Past week'), month: later('Past month'), year: later('Past year'), older: later('Older'),
};

/** Groups that have a choice. */
export function facetGroups(asked: SearchState, facets: Facets): Group[] {
  const groups = [
    { title: t('Kind'), facets: many(asked, 'types', facets.type, kindLabel), main: true },
    { title: t('Changed'), facets: periods(asked, facets.modified), main: true },
    { title: t('Folder'), facets: folders(asked, facets.folder ?? []) },
    { title: t('Owner'), facets: owners(asked, facets.owner ?? []) },
    { title: t('Ending'), facets: many(asked, 'endings', facets.extension.slice(0, MOST_ENDINGS), (ending) => `.${ending}`) },
  ];
  return groups.filter((group) => group.facets.length);
}

function many(asked: SearchState, field: 'types' | 'endings', counts: readonly FacetCount[], label: (value: string) => string): Choice[] {
  const there = counts.filter((facet) => facet.count && facet.value).sort((a, b) => b.count - a.count);
  const chosen = asked[field].filter((value) => !there.some((facet) => facet.value === value));
  return [...there, ...chosen.map((value) => ({ value, count: 0 }))].map((facet) => ({
    ...facet,
    label: label(facet.value),
    on: asked[field].includes(facet.value),
    to: { ...asked, [field]: toggled(asked[field], facet.value) },
  }));
}

function folders(asked: SearchState, counts: readonly FacetCount[]): Choice[] {
  const label = (folder: string) => nameOf(folder) || t('Files');
  const there = counts
    .filter((facet) => facet.value && facet.value.toLowerCase() !== asked.folder.toLowerCase())
    .slice(0, MOST_FOLDERS)
    .map((facet) => ({ ...facet, label: label(facet.value), on: false, to: { ...asked, folder: facet.value } }));
  if (!asked.folder) return there;
  return [{ value: asked.folder, count: 0, label: label(asked.folder), on: true, to: { ...asked, folder: '' } }, ...there];
}

/** A person is a property of the query: it stands there to be taken away. */
function owners(asked: SearchState, counts: readonly FacetCount[]): Choice[] {
  // One owner of everything narrows nothing.
  if (counts.length < 2) return [];
  return counts
    .filter((facet) => facet.value && !asked.q.includes(`owner:${facet.value}`))
    .slice(0, MOST_FOLDERS)
    .map((facet) => ({ ...facet, label: facet.value, on: false, to: { ...asked, q: `owner:${facet.value} ${asked.q}` } }));
}

function periods(asked: SearchState, counts: readonly FacetCount[]): Choice[] {
  return periodCounts(counts, asked.modified).map((facet) => {
    const on = asked.modified === facet.value;
    return { ...facet, label: t(PERIODS[facet.value] ?? facet.value), on, to: { ...asked, modified: on ? '' : facet.value } };
  });
}
