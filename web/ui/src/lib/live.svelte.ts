/** What others change, as they change it: one event stream for the page, open while somebody looks at it. */

import { session } from './api';
import { signedOut } from './call';
import type { AnyEntry } from './types';

/** What the stream tells: entries that changed, in order; or that much may have changed unseen. */
export type Told = { entries: AnyEntry[] } | 'anew';

const AGAIN_MS = 3_000;
/** A connection that is away for longer is worth a word, milliseconds. */
const NOTICED_MS = 4_000;

class Live {
  /** Whether changes arrive right now. */
  connected = $state(false);
  /** Whether the server has been out of reach for a while: what is shown may be old. */
  lost = $state(false);
  /** Whether something may have been missed, or asked for in vain. */
  #missed = false;
  #worry: ReturnType<typeof setTimeout> | undefined;
  #listeners = new Set<(told: Told) => void>();
  #source: EventSource | undefined;
  #cursor = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wanted = false;

  /** Calls `then` with every change until the returned function is called. */
  listen(then: (told: Told) => void): () => void {
    this.#listeners.add(then);
    return () => this.#listeners.delete(then);
  }

  start(): void {
    this.#wanted = true;
    document.addEventListener('visibilitychange', this.#look);
    addEventListener('online', this.#online);
    addEventListener('offline', this.#away);
    this.#look();
  }

  stop(): void {
    this.#wanted = false;
    document.removeEventListener('visibilitychange', this.#look);
    removeEventListener('online', this.#online);
    removeEventListener('offline', this.#away);
    this.#shut();
    this.#there();
    this.#cursor = '';
  }

  #look = () => {
    if (!this.#wanted || document.hidden) {
      this.#there();
      return this.#shut();
    }
    if (!this.#source) this.#open();
  };

  /** The machine has a network again: the stream may not know yet, and what failed is worth another try. */
  #online = () => {
    this.#shut();
    this.#missed = true;
    this.#look();
  };

  #away = () => {
    this.#missed = true;
    this.#worry ??= setTimeout(() => (this.lost = true), NOTICED_MS);
  };

  #there(): void {
    clearTimeout(this.#worry);
    this.#worry = undefined;
    this.lost = false;
  }

  #open(): void {
    const source = new EventSource(`/2/firefly/events${this.#cursor ? `?after=${encodeURIComponent(this.#cursor)}` : ''}`);
    this.#source = source;
    source.addEventListener('ready', (event) => {
      this.connected = true;
      this.#cursor = event.lastEventId;
      this.#there();
      if (this.#missed || !JSON.parse(event.data).continued) this.#tell('anew');
      this.#missed = false;
    });
    source.addEventListener('change', (event) => {
      this.#cursor = event.lastEventId;
      this.#tell(JSON.parse(event.data));
    });
    source.addEventListener('reset', () => {
      this.#cursor = '';
      this.#again();
    });
    source.onerror = () => {
      this.#away();
      this.#again();
      void this.#ask();
    };
  }

  /** The stream does not say why it ended: whoever is not signed in any more is to know. */
  async #ask(): Promise<void> {
    try {
      if (!(await session.current())) signedOut();
    } catch {
      // It is not there to be asked: the stream is tried again by itself.
    }
  }

  #again(): void {
    this.#shut();
    this.#timer = setTimeout(this.#look, AGAIN_MS);
  }

  #shut(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
    this.connected = false;
  }

  #tell(told: Told): void {
    for (const listener of this.#listeners) listener(told);
  }
}

export const live = new Live();
