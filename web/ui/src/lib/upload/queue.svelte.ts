/** Everything that is being sent: four files at once, with pause, retry and a choice where a name is taken. */

import { ApiError, isAbort, wordsOf } from '../call';
import { listing } from '../listing.svelte';
import { nameOf } from '../paths';
import { Speed, waitBeforeRetry } from './plan';
import { type OnConflict, type Progress, send } from './send';

const AT_ONCE = 4;

export type UploadState = 'waiting' | 'sending' | 'paused' | 'taken' | 'failed' | 'done';

/** One file on its way. */
export class Upload {
  state = $state<UploadState>('waiting');
  sent = $state(0);
  problem = $state('');
  onConflict: OnConflict = 'ask';
  failures = 0;
  progress: Progress = { session: '', offset: 0 };
  controller = new AbortController();

  constructor(
    readonly id: number,
    readonly file: File,
    readonly path: string,
  ) {}

  get name(): string {
    return nameOf(this.path);
  }
}

class Queue {
  uploads = $state.raw<Upload[]>([]);
  paused = $state(false);
  open = $state(false);
  bytesPerSecond = $state(0);
  #next = 1;
  #running = 0;
  #speed = new Speed();
  #through = 0;

  totalBytes = $derived(this.uploads.reduce((sum, upload) => sum + upload.file.size, 0));
  sentBytes = $derived(this.uploads.reduce((sum, upload) => sum + upload.sent, 0));
  done = $derived(this.uploads.filter((upload) => upload.state === 'done').length);
  taken = $derived(this.uploads.filter((upload) => upload.state === 'taken'));
  failed = $derived(this.uploads.filter((upload) => upload.state === 'failed'));
  active = $derived(this.uploads.some((upload) => upload.state === 'waiting' || upload.state === 'sending'));

  /** Queues files with the paths they go to. */
  add(files: readonly { file: File; path: string }[]): void {
    if (!files.length) return;
    if (!this.active) this.uploads = this.uploads.filter((upload) => upload.state !== 'done');
    this.uploads = [...this.uploads, ...files.map(({ file, path }) => new Upload(this.#next++, file, path))];
    this.open = true;
    this.#fill();
  }

  pause(): void {
    this.paused = true;
    for (const upload of this.uploads) {
      if (upload.state === 'sending' || upload.state === 'waiting') this.#stop(upload, 'paused');
    }
    this.bytesPerSecond = 0;
  }

  resume(): void {
    this.paused = false;
    for (const upload of this.uploads) if (upload.state === 'paused') upload.state = 'waiting';
    this.#fill();
  }

  retry(upload: Upload): void {
    upload.failures = 0;
    upload.problem = '';
    upload.state = 'waiting';
    this.#fill();
  }

  /** Goes on with a file whose name is taken. */
  settle(upload: Upload, how: OnConflict): void {
    upload.onConflict = how;
    this.retry(upload);
  }

  cancel(upload: Upload): void {
    upload.controller.abort();
    this.uploads = this.uploads.filter((other) => other !== upload);
    if (!this.uploads.length) this.open = false;
  }

  cancelAll(): void {
    for (const upload of this.uploads) upload.controller.abort();
    this.uploads = [];
    this.paused = false;
    this.open = false;
  }

  #stop(upload: Upload, state: UploadState): void {
    upload.state = state;
    upload.controller.abort();
    upload.controller = new AbortController();
  }

  #fill(): void {
    while (this.#running < AT_ONCE && !this.paused) {
      const next = this.uploads.find((upload) => upload.state === 'waiting');
      if (!next) return;
      next.state = 'sending';
      this.#running += 1;
      void this.#run(next).finally(() => {
        this.#running -= 1;
        this.#fill();
      });
    }
  }

  async #run(upload: Upload): Promise<void> {
    const { signal } = upload.controller;
    try {
      const entry = await send({ ...job(upload), signal, sent: (bytes) => this.#advance(upload, bytes) });
      this.#advance(upload, upload.file.size);
      upload.state = 'done';
      listing.apply([{ ...entry, '.tag': 'file' }]);
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      await this.#fail(upload, error, signal);
    }
  }

  async #fail(upload: Upload, error: unknown, signal: AbortSignal): Promise<void> {
    const refused = error instanceof ApiError ? error : undefined;
    if (refused?.has('conflict') && upload.onConflict === 'ask') {
      upload.state = 'taken';
      upload.problem = 'There is one with this name already.';
      return;
    }
    // A session that the server has forgotten starts anew.
    if (refused && !refused.retryable && upload.progress.session) upload.progress = { session: '', offset: 0 };
    upload.failures += 1;
    const wait = refused?.retryable ? waitBeforeRetry(upload.failures, refused.retryAfter) : undefined;
    if (wait === undefined) {
      upload.state = 'failed';
      upload.problem = wordsOf(error);
      return;
    }
    upload.problem = 'Trying again…';
    await new Promise((go) => setTimeout(go, wait));
    if (!signal.aborted && upload.state === 'sending') upload.state = 'waiting';
    upload.problem = '';
  }

  #advance(upload: Upload, sent: number): void {
    const bytes = Math.min(sent, upload.file.size);
    this.#through += Math.max(0, bytes - upload.sent);
    upload.sent = bytes;
    this.#speed.add(performance.now(), this.#through);
    this.bytesPerSecond = this.#speed.bytesPerSecond;
  }
}

function job(upload: Upload) {
  const { file, path, onConflict, progress } = upload;
  return { file, path, onConflict, progress };
}

export const queue = new Queue();
