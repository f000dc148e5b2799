/** The open folder: listed page by page, then kept fresh by the event stream. */

import { listAll } from './api';
import { ApiError, isAbort, wordsOf } from './call';
import { live, type Told } from './live.svelte';
import { isWithin, parentOf } from './paths';
import type { AnyEntry, Entry } from './types';

export class Listing {
  path = $state('');
  entries = $state.raw<Entry[]>([]);
  /** `listing` until the last page is there; what came so far is shown. */
  state = $state<'listing' | 'ready' | 'missing' | 'failed'>('listing');
  problem = $state('');
  #known = new Map<string, Entry>();
  #shown = 0;
  /** What was told while a listing was under way: it may have read what was there before. */
  #meanwhile: AnyEntry[] | undefined;
  #anew = false;
  #controller = new AbortController();

  constructor() {
    live.listen((told) => this.#hear(told));
  }

  /** Lists `path`; what changes in it is told by the event stream from then on. */
  async open(path: string): Promise<void> {
    this.close();
    const { signal } = (this.#controller = new AbortController());
    this.path = path;
    this.state = 'listing';
    this.#known.clear();
    this.#shown = 0;
    this.entries = [];
    await this.#list(signal, (page) => {
      this.#take(page);
      // A large folder is sorted each time it is shown: twice as many make it worth it.
      if (this.#known.size >= 2 * this.#shown) this.#show();
    });
  }

  /** Lists the same folder again, behind what is shown. */
  async refresh(): Promise<void> {
    if (this.#meanwhile) return void (this.#anew = true);
    const found: AnyEntry[] = [];
    const { signal } = this.#controller;
    await this.#list(
      signal,
      (page) => found.push(...page),
      () => {
        this.#known.clear();
        this.#take(found);
      },
    );
  }

  close(): void {
    this.#controller.abort();
  }

  /** Takes changes to entries of this folder; others are passed over. */
  apply(changes: readonly AnyEntry[]): void {
    if (this.#take(changes)) this.#show();
  }

  /** Takes away what is at or below these paths. */
  forget(paths: readonly string[]): void {
    const before = this.#known.size;
    for (const path of paths) this.#known.delete(path.toLowerCase());
    if (this.#known.size !== before) this.#show();
  }

  async #list(signal: AbortSignal, each: (page: AnyEntry[]) => void, last = () => {}): Promise<void> {
    this.#meanwhile = [];
    this.#anew = false;
    try {
      await listAll(this.path, { limit: 2000 }, signal, each);
      if (signal.aborted) return;
      last();
      this.#take(this.#meanwhile);
      this.#meanwhile = undefined;
      this.#show();
      this.state = 'ready';
      if (this.#anew) await this.refresh();
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      this.#meanwhile = undefined;
      this.state = error instanceof ApiError && error.has('not_found') ? 'missing' : 'failed';
      this.problem = wordsOf(error);
    }
  }

  #take(changes: readonly AnyEntry[]): boolean {
    const here = this.path.toLowerCase();
    let took = false;
    for (const entry of changes) {
      if (parentOf(entry.path_lower) !== here) continue;
      took = true;
      if (entry['.tag'] === 'deleted') this.#known.delete(entry.path_lower);
      else this.#known.set(entry.path_lower, entry);
    }
    return took;
  }

  #show(): void {
    this.#shown = this.#known.size;
    this.entries = [...this.#known.values()];
  }

  #hear(told: Told): void {
    if (this.#controller.signal.aborted) return;
    if (told === 'anew') return void (this.state === 'failed' ? this.open(this.path) : this.refresh());
    this.#meanwhile?.push(...told.entries);
    this.apply(told.entries);
    const gone = told.entries.some((entry) => entry['.tag'] === 'deleted' && isWithin(this.path, entry.path_lower));
    const here = told.entries.some((entry) => entry['.tag'] === 'folder' && entry.path_lower === this.path.toLowerCase());
    if (this.path && (gone || (here && this.state === 'missing'))) void this.open(this.path);
  }
}

export const listing = new Listing();
