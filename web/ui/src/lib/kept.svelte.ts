/** The searches that the account keeps, the same in every browser. */

import { searches as api } from './api';
import { wordsOf } from './call';
import { problem } from './toast.svelte';
import type { KeptSearches } from './types';

class Kept {
  saved = $state.raw<KeptSearches['saved']>([]);
  recent = $state.raw<KeptSearches['recent']>([]);
  /** Whether the server has said which ones there are, or could not. */
  ready = $state(false);
  #noted = '';

  load = () => this.#quietly(api.list);
  save = (name: string, search: string) => this.#loudly(() => api.save(name, search));
  forget = (id: string) => this.#loudly(() => api.forget(id));
  clear = () => this.#loudly(api.clear);

  /** Notes that a search was worth something: one of its hits was opened. */
  note(search: string): void {
    if (!search || search === this.#noted) return;
    this.#noted = search;
    void this.#quietly(() => api.note(search));
  }

  /** The list is a convenience: without it the page is whole. */
  async #quietly(work: () => Promise<KeptSearches>): Promise<void> {
    try {
      this.#take(await work());
    } catch (error) {
      console.warn('kept searches', error);
    }
    this.ready = true;
  }

  async #loudly(work: () => Promise<KeptSearches>): Promise<void> {
    try {
      this.#take(await work());
    } catch (error) {
      problem(wordsOf(error));
    }
  }

  #take({ saved, recent }: KeptSearches): void {
    this.saved = saved;
    this.recent = recent;
  }
}

export const kept = new Kept();
