/** The results on the page, and which one the arrow keys stand on. */

import { folderHref } from './paths';
import { kept } from './kept.svelte';
import { live } from './live.svelte';
import { groupHits } from './groups';
import { navigate } from './route.svelte';
import { Search } from './search.svelte';
import type { Hit } from './types';

class Results {
  search = new Search();
  active = $state(-1);
  /** The hits as they are shown: found by name first, then by content. */
  groups = $derived(groupHits(this.search.hits, this.search.firstPage, this.search.answered?.sort === 'relevance'));
  shown = $derived(this.groups.flatMap((group) => group.hits));

  constructor() {
    live.listen(() => this.search.refresh());
  }

  /** Moves by one; above the first is the search box again. */
  step(by: number): void {
    const last = this.shown.length - 1;
    this.active = Math.max(-1, Math.min(last, this.active + by));
    const hit = this.shown[this.active];
    if (hit && new URLSearchParams(location.search).has('open')) openHit(hit);
    if (this.active >= last - 5) void this.search.more();
  }

  /** The hit that Enter opens: the active one, or the best. */
  get chosen(): Hit | undefined {
    return this.shown[Math.max(0, this.active)];
  }
}

export const results = new Results();

/** Opens a file beside the results, or goes to a folder. */
export function openHit(hit: Hit): void {
  const { metadata } = hit;
  const params = new URLSearchParams(location.search);
  params.delete('open');
  params.delete('pane');
  params.delete('member');
  params.delete('rev');
  if (params.get('q')) kept.note(params.toString());
  if (metadata['.tag'] === 'folder') return navigate(folderHref(metadata.path_display));
  const replace = new URLSearchParams(location.search).has('open');
  params.set('open', metadata.path_display);
  if (hit.member) params.set('member', hit.member.path);
  if (hit.version) params.set('rev', hit.version.rev);
  navigate(`${location.pathname}?${params}`, { replace });
}
