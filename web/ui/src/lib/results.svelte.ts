/** The results on the page, and which one the arrow keys stand on. */

import { folderHref } from './paths';
import { navigate, setParam } from './route.svelte';
import { Search } from './search.svelte';
import type { Hit } from './types';

class Results {
  search = new Search();
  active = $state(-1);

  /** Moves by one; above the first is the search box again. */
  step(by: number): void {
    const last = this.search.hits.length - 1;
    this.active = Math.max(-1, Math.min(last, this.active + by));
    const hit = this.search.hits[this.active];
    if (hit && new URLSearchParams(location.search).has('open')) openHit(hit);
    if (this.active >= last - 5) void this.search.more();
  }

  /** The hit that Enter opens: the active one, or the best. */
  get chosen(): Hit | undefined {
    return this.search.hits[Math.max(0, this.active)];
  }
}

export const results = new Results();

/** Opens a file beside the results, or goes to a folder. */
export function openHit(hit: Hit): void {
  const { metadata } = hit;
  if (metadata['.tag'] === 'folder') return navigate(folderHref(metadata.path_display));
  setParam('open', metadata.path_display, { replace: new URLSearchParams(location.search).has('open') });
}
