/** A search that follows the typing: the last question wins, and its answer stays until the next one is there. */

import { search as api } from './api';
import { isAbort, wordsOf } from './call';
import { isSearching, queryText, type SearchState } from './query';
import type { Facets, Hit, SearchOptions, SearchPage } from './types';

const PAGE = 20;
/** More hits than this are not fetched again at once. */
const MOST_AGAIN = 300;
const NO_FACETS: Facets = { type: [], extension: [], modified: [] };
/** How soon an open search looks again after something changed, and once more when the index has read it; milliseconds. */
const LIVE_MS = [400, 2_500];
/** An answer that takes longer is worth a sign of it, milliseconds. */
const SLOW_MS = 300;
/** Keys that come faster than this are one question; a key after a pause is asked about at once. */
const PAUSE_MS = 40;

export class Search {
  hits = $state.raw<Hit[]>([]);
  total = $state(0);
  estimated = $state(false);
  /** The words that were found instead of those that were typed, or ''. */
  mended = $state('');
  tookMs = $state(0);
  partial = $state(false);
  coverage = $state.raw<SearchPage['coverage']>(null);
  warnings = $state.raw<string[]>([]);
  facets = $state.raw<Facets>(NO_FACETS);
  /** How many hits the first page had: later pages stand below it in their order. */
  firstPage = $state(0);
  busy = $state(false);
  /** Whether the next page is on its way. */
  adding = $state(false);
  /** Whether the answer takes so long that somebody wonders. */
  slow = $state(false);
  problem = $state('');
  /** The question that `hits` answer. */
  answered = $state.raw<SearchState | null>(null);
  #cursor = $state<string | null>(null);
  #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wonder: ReturnType<typeof setTimeout> | undefined;
  #asked = '';
  /** The question that has no answer, when it failed. */
  #failed: SearchState | undefined;
  #typed = 0;
  #later: ReturnType<typeof setTimeout>[] = [];

  get hasMore(): boolean {
    return this.#cursor !== null;
  }

  /** Asks soon; what was asked before is dropped. */
  ask(state: SearchState): void {
    const question = JSON.stringify(state);
    if (question === this.#asked) return;
    this.#asked = question;
    this.drop();
    if (!isSearching(state)) return this.#clear();
    this.busy = true;
    this.#wonder = setTimeout(() => (this.slow = true), SLOW_MS);
    const now = performance.now();
    const isFast = now - this.#typed < PAUSE_MS;
    this.#typed = now;
    if (isFast) this.#timer = setTimeout(() => void this.#run(state), PAUSE_MS);
    else void this.#run(state);
  }

  /** Asks the same again. */
  again(state: SearchState): void {
    this.#asked = '';
    this.ask(state);
  }

  /** Looks again behind what is shown: something has changed. */
  refresh(): void {
    this.#later.forEach(clearTimeout);
    this.#later = LIVE_MS.map((ms) => setTimeout(() => void this.#lookAgain(), ms));
  }

  async #lookAgain(): Promise<void> {
    if (this.problem && this.#failed) return this.again(this.#failed);
    const state = this.answered;
    if (!state || this.busy || document.hidden) return;
    const { signal } = this.#controller;
    try {
      const page = await api.run(queryText(state), options(state, Math.min(MOST_AGAIN, Math.max(PAGE, this.hits.length))), signal);
      if (!signal.aborted && this.answered === state) this.#take(page, state);
    } catch (error) {
      // What is shown was right a moment ago; the next change looks again.
      if (!isAbort(error)) console.warn('the results could not be looked at again', error);
    }
  }

  /** Stops waiting for answers. */
  drop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#wonder);
    this.#controller.abort();
    this.#controller = new AbortController();
    this.busy = false;
  }

  async #run(state: SearchState): Promise<void> {
    const { signal } = this.#controller;
    try {
      const page = await api.run(queryText(state), options(state, PAGE), signal);
      if (signal.aborted) return;
      this.#take(page, state);
      await this.#widen(state, signal);
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      this.problem = wordsOf(error);
      this.#failed = state;
    } finally {
      if (!signal.aborted) this.#settle();
    }
  }

  #settle(): void {
    clearTimeout(this.#wonder);
    this.busy = false;
    this.slow = false;
  }

  #take(page: SearchPage, state: SearchState): void {
    this.hits = page.hits;
    this.total = page.total;
    this.estimated = page.total_estimated ?? false;
    this.mended = (page.did_you_mean ?? '').slice(page.did_you_mean ? queryText({ ...state, q: '' }).length : 0).trim();
    this.tookMs = page.took_ms;
    this.partial = page.partial;
    this.warnings = page.warnings;
    this.coverage = page.coverage;
    this.answered = state;
    this.problem = '';
    this.#settle();
    this.#cursor = page.has_more ? page.cursor : null;
    this.firstPage = page.hits.length;
    const { type, extension, modified, folder, owner } = page.facets ?? NO_FACETS;
    this.facets = {
      type: state.types.length ? this.facets.type : type,
      extension: state.endings.length ? this.facets.extension : extension,
      modified: state.modified ? this.facets.modified : modified,
      folder,
      owner,
    };
  }

  /** A filter that is set hides its other values: counts them without it. */
  async #widen(state: SearchState, signal: AbortSignal): Promise<void> {
    const widen = async (filter: 'type' | 'extension' | 'modified') => {
      const page = await api.run(queryText(state, filter), options(state, 1), signal);
      this.facets = { ...this.facets, [filter]: page.facets?.[filter] ?? [] };
    };
    if (state.types.length) await widen('type');
    if (state.endings.length) await widen('extension');
    if (state.modified) await widen('modified');
  }

  /** Adds the next page. */
  async more(): Promise<void> {
    const cursor = this.#cursor;
    if (!cursor || this.busy) return;
    const { signal } = this.#controller;
    this.busy = this.adding = true;
    try {
      const page = await api.more(cursor, signal);
      if (signal.aborted) return;
      this.hits = [...this.hits, ...page.hits];
      this.#cursor = page.has_more ? page.cursor : null;
    } catch (error) {
      if (isAbort(error)) return;
      this.#cursor = null;
      this.problem = wordsOf(error);
    } finally {
      this.adding = false;
      if (!signal.aborted) this.busy = false;
    }
  }

  #clear(): void {
    this.slow = false;
    this.hits = [];
    this.facets = NO_FACETS;
    this.total = 0;
    this.mended = '';
    this.estimated = false;
    this.problem = '';
    this.warnings = [];
    this.partial = false;
    this.answered = null;
    this.#cursor = null;
  }
}

function options(state: SearchState, max_results: number): SearchOptions {
  return {
    max_results,
    order_by: state.sort,
    facets: ['folder', 'owner'],
    as_you_type: true,
    ...(state.folder ? { path: state.folder } : {}),
  };
}
