/** Which rows are chosen, and which one the keys stand on. */

import { SvelteSet } from 'svelte/reactivity';
import type { Entry } from './types';

export class Selection {
  chosen = new SvelteSet<string>();
  /** The row the arrow keys stand on. */
  at = $state(-1);
  #anchor = 0;

  has(entry: Entry): boolean {
    return this.chosen.has(entry.path_lower);
  }

  /** The chosen ones of `entries`, in their order. */
  of(entries: readonly Entry[]): Entry[] {
    return entries.filter((entry) => this.chosen.has(entry.path_lower));
  }

  /** Chooses or unchooses one row; with `range`, all from the last one to it. */
  toggle(entries: readonly Entry[], index: number, range = false): void {
    this.at = index;
    if (range) {
      const [from, to] = [Math.min(this.#anchor, index), Math.max(this.#anchor, index)];
      for (const entry of entries.slice(from, to + 1)) this.chosen.add(entry.path_lower);
      return;
    }
    this.#anchor = index;
    const key = entries[index]?.path_lower;
    if (key !== undefined && !this.chosen.delete(key)) this.chosen.add(key);
  }

  all(entries: readonly Entry[]): void {
    for (const entry of entries) this.chosen.add(entry.path_lower);
  }

  clear(): void {
    this.chosen.clear();
  }

  /** Forgets rows that are not there any more. */
  keepOnly(entries: readonly Entry[]): void {
    const there = new Set(entries.map((entry) => entry.path_lower));
    for (const key of this.chosen) if (!there.has(key)) this.chosen.delete(key);
    if (this.at >= entries.length) this.at = entries.length - 1;
  }
}
