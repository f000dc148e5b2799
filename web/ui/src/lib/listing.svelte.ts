/** The open folder: listed page by page, then kept fresh by waiting for changes. */

import { files, listAll } from './api';
import { ApiError, isAbort, wordsOf } from './call';
import { isWithin, parentOf } from './paths';
import type { AnyEntry, Entry } from './types';

const POLL_SECONDS = 30;
const BACKOFF_MS = 1_000;
const BACKOFF_MOST_MS = 30_000;

export class Listing {
  path = $state('');
  entries = $state.raw<Entry[]>([]);
  /** `listing` until the last page is there; what came so far is shown. */
  state = $state<'listing' | 'ready' | 'missing' | 'failed'>('listing');
  problem = $state('');
  #known = new Map<string, Entry>();
  #controller = new AbortController();

  /** Lists `path` and keeps it fresh until another folder is opened or `close` is called. */
  async open(path: string): Promise<void> {
    this.close();
    const { signal } = (this.#controller = new AbortController());
    this.path = path;
    this.state = 'listing';
    this.#known.clear();
    this.entries = [];
    try {
      const cursor = await listAll(path, { limit: 1000 }, signal, (page) => this.apply(page));
      this.state = 'ready';
      void this.#watch(cursor, signal);
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      this.state = error instanceof ApiError && error.has('not_found') ? 'missing' : 'failed';
      this.problem = wordsOf(error);
    }
  }

  close(): void {
    this.#controller.abort();
  }

  /** Takes changes to entries of this folder; others are passed over. */
  apply(changes: readonly AnyEntry[]): void {
    for (const entry of changes) {
      if (parentOf(entry.path_lower) !== this.path.toLowerCase()) continue;
      if (entry['.tag'] === 'deleted') this.#known.delete(entry.path_lower);
      else this.#known.set(entry.path_lower, entry);
    }
    this.entries = [...this.#known.values()];
  }

  /** Takes away what is at or below these paths. */
  forget(paths: readonly string[]): void {
    for (const key of [...this.#known.keys()]) {
      if (paths.some((path) => isWithin(key, path))) this.#known.delete(key);
    }
    this.entries = [...this.#known.values()];
  }

  async #watch(from: string, signal: AbortSignal): Promise<void> {
    let cursor = from;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await visible(signal);
        const { changes, backoff } = await files.longpoll(cursor, POLL_SECONDS, signal);
        if (changes) cursor = await this.#catchUp(cursor, signal);
        failures = 0;
        if (backoff) await pause(backoff * 1000, signal);
      } catch (error) {
        if (isAbort(error) || signal.aborted) return;
        if (error instanceof ApiError && error.has('reset')) return void this.open(this.path);
        if (!(error instanceof ApiError) || !error.retryable) return;
        failures += 1;
        await pause(Math.min(BACKOFF_MOST_MS, BACKOFF_MS * 2 ** failures), signal);
      }
    }
  }

  async #catchUp(from: string, signal: AbortSignal): Promise<string> {
    let page;
    let cursor = from;
    do {
      page = await files.listMore(cursor, signal);
      if (!signal.aborted) this.apply(page.entries);
      cursor = page.cursor;
    } while (page.has_more);
    return cursor;
  }
}

/** Waits for the tab to be looked at. */
function visible(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((go) => {
    document.addEventListener('visibilitychange', () => go(), { once: true, signal });
    signal.addEventListener('abort', () => go(), { once: true });
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((go) => {
    const timer = setTimeout(go, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), go()), { once: true });
  });
}

export const listing = new Listing();
