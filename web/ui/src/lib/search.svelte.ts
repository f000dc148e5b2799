/** A search that follows the typing: the last question wins, and its answer stays until the next one is there. */

import { search as api } from './api';
import { isAbort, wordsOf } from './call';
import { isSearching, queryText, type SearchState } from './query';
import type { FacetCount, Hit, SearchOptions, SearchPage } from './types';

const PAGE = 30;
/** Keys that come faster than this are one question. */
const PAUSE_MS = 40;

export class Search {
  hits = $state.raw<Hit[]>([]);
  total = $state(0);
  tookMs = $state(0);
  partial = $state(false);
  warnings = $state.raw<string[]>([]);
  types = $state.raw<FacetCount[]>([]);
  periods = $state.raw<FacetCount[]>([]);
  busy = $state(false);
  problem = $state('');
  /** The question that `hits` answer. */
  answered = $state.raw<SearchState | null>(null);
  #cursor = $state<string | null>(null);
  #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = '';

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
    this.#timer = setTimeout(() => void this.#run(state), PAUSE_MS);
  }

  /** Asks the same again. */
  again(state: SearchState): void {
    this.#asked = '';
    this.ask(state);
  }

  /** Stops waiting for answers. */
  drop(): void {
    clearTimeout(this.#timer);
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
    } finally {
      if (!signal.aborted) this.busy = false;
    }
  }

  #take(page: SearchPage, state: SearchState): void {
    this.hits = page.hits;
    this.total = page.total;
    this.tookMs = page.took_ms;
    this.partial = page.partial;
    this.warnings = page.warnings;
    this.answered = state;
    this.problem = '';
    this.busy = false;
    this.#cursor = page.has_more ? page.cursor : null;
    if (!state.types.length) this.types = page.facets?.type ?? [];
    if (!state.modified) this.periods = page.facets?.modified ?? [];
  }

  /** A filter that is set hides its other values: counts them without it. */
  async #widen(state: SearchState, signal: AbortSignal): Promise<void> {
    const without = async (filter: 'type' | 'modified') =>
      (await api.run(queryText(state, filter), options(state, 1), signal)).facets?.[filter] ?? [];
    if (state.types.length) this.types = await without('type');
    if (state.modified) this.periods = await without('modified');
  }

  /** Adds the next page. */
  async more(): Promise<void> {
    const cursor = this.#cursor;
    if (!cursor || this.busy) return;
    const { signal } = this.#controller;
    this.busy = true;
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
      if (!signal.aborted) this.busy = false;
    }
  }

  #clear(): void {
    this.hits = [];
    this.types = [];
    this.periods = [];
    this.total = 0;
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
    facets: true,
    as_you_type: true,
    ...(state.folder ? { path: state.folder } : {}),
  };
}
