/** Everything that is being sent: four files at once, with pause, retry, a choice where a name is taken, and going on after a reload. */

import { ApiError, isAbort, wordsOf } from '../call';
import { t } from '../i18n.svelte';
import { listing } from '../listing.svelte';
import { nameOf } from '../paths';
import type { Dropped } from './drop';
import { Speed, waitBeforeRetry } from './plan';
import { type OnConflict, type Progress, send } from './send';
import { adopt, drop, keep, type Kept, newKey, TAB } from './store';

const AT_ONCE = 4;

/** `lost`: begun before a reload, and the file itself is not at hand any more. */
export type UploadState = 'waiting' | 'sending' | 'paused' | 'taken' | 'failed' | 'lost' | 'done';

interface About {
  key: string;
  path: string;
  size: number;
  lastModified: number;
  file?: File;
  handle?: FileSystemFileHandle;
}

/** One file on its way. */
export class Upload {
  state = $state<UploadState>('waiting');
  sent = $state(0);
  problem = $state('');
  onConflict: OnConflict = 'ask';
  failures = 0;
  progress: Progress = { session: '', offset: 0 };
  controller = new AbortController();
  readonly key: string;
  readonly path: string;
  readonly size: number;
  readonly lastModified: number;
  readonly handle: FileSystemFileHandle | undefined;
  file: File | undefined;

  constructor(about: About) {
    ({ key: this.key, path: this.path, size: this.size, lastModified: this.lastModified } = about);
    this.file = about.file;
    this.handle = about.handle;
  }

  get name(): string {
    return nameOf(this.path);
  }

  /** Whether this is the file that was being sent. */
  isOf(file: File): boolean {
    return file.name === this.name && file.size === this.size && file.lastModified === this.lastModified;
  }
}

class Queue {
  uploads = $state.raw<Upload[]>([]);
  paused = $state(false);
  open = $state(false);
  bytesPerSecond = $state(0);
  #account = '';
  #running = 0;
  #speed = new Speed();
  #through = 0;

  totalBytes = $derived(this.uploads.reduce((sum, upload) => sum + upload.size, 0));
  sentBytes = $derived(this.uploads.reduce((sum, upload) => sum + upload.sent, 0));
  done = $derived(this.uploads.filter((upload) => upload.state === 'done').length);
  taken = $derived(this.uploads.filter((upload) => upload.state === 'taken'));
  failed = $derived(this.uploads.filter((upload) => upload.state === 'failed'));
  lost = $derived(this.uploads.filter((upload) => upload.state === 'lost'));
  active = $derived(this.uploads.some((upload) => upload.state === 'waiting' || upload.state === 'sending'));

  /** Whose uploads these are; takes up what a tab that is gone has left undone. */
  async begin(account: string): Promise<void> {
    if (this.#account === account) return;
    this.#account = account;
    addEventListener('online', () => this.#fill());
    const left = await adopt(account);
    if (!left.length) return;
    const uploads = left.map((kept) => {
      const upload = new Upload(kept);
      upload.onConflict = kept.onConflict;
      upload.progress = { session: kept.session, offset: kept.offset };
      upload.sent = kept.offset;
      upload.state = 'lost';
      return upload;
    });
    this.uploads = [...this.uploads, ...uploads];
    this.open = true;
    await this.#reopen(uploads, false);
  }

  /** Goes on with lost files that the browser has a handle of, after asking for leave where it must. Returns how many are left. */
  async reopen(): Promise<number> {
    await this.#reopen(this.lost, true);
    return this.lost.length;
  }

  async #reopen(uploads: readonly Upload[], asks: boolean): Promise<void> {
    for (const upload of uploads) {
      const file = upload.handle && (await readAgain(upload.handle, asks));
      if (file && upload.isOf(file)) this.#goOn(upload, file);
    }
    this.#fill();
  }

  /** Goes on with those lost files that were chosen again; returns how many of the chosen ones belong to none. */
  refind(chosen: readonly File[]): number {
    let strange = 0;
    for (const file of chosen) {
      const below = file.webkitRelativePath;
      const same = this.lost.filter((upload) => upload.isOf(file));
      const upload = same.find((one) => below && one.path.endsWith(`/${below}`)) ?? same[0];
      if (upload) this.#goOn(upload, file);
      else strange += 1;
    }
    this.#fill();
    return strange;
  }

  #goOn(upload: Upload, file: File): void {
    upload.file = file;
    upload.problem = '';
    upload.state = this.paused ? 'paused' : 'waiting';
  }

  /** Queues files with the paths they go to. */
  add(files: readonly Dropped[]): void {
    if (!files.length) return;
    if (!this.active) this.uploads = this.uploads.filter((upload) => upload.state !== 'done');
    const added = files.map(({ file, path, handle }) => {
      const { size, lastModified } = file;
      return new Upload({ key: newKey(), path, size, lastModified, file, handle });
    });
    this.uploads = [...this.uploads, ...added];
    this.open = true;
    void keep(added.map((upload) => this.#kept(upload)));
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
    void keep([this.#kept(upload)]);
    this.retry(upload);
  }

  cancel(upload: Upload): void {
    upload.controller.abort();
    void drop([upload.key]);
    this.uploads = this.uploads.filter((other) => other !== upload);
    if (!this.uploads.length) this.open = false;
  }

  cancelAll(): void {
    for (const upload of this.uploads) upload.controller.abort();
    void drop(this.uploads.map((upload) => upload.key));
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
    const { file, path, onConflict, progress } = upload;
    if (!file) return void (upload.state = 'lost');
    try {
      const entry = await send({
        file, path, onConflict, progress, signal,
        sent: (bytes) => this.#advance(upload, bytes),
        reached: () => void keep([this.#kept(upload)]),
      });
      this.#advance(upload, upload.size);
      upload.state = 'done';
      upload.problem = '';
      void drop([upload.key]);
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
      upload.problem = t('There is one with this name already.');
      return;
    }
    // A session that the server has forgotten starts anew.
    if (refused && !refused.retryable && upload.progress.session) upload.progress = { session: '', offset: 0 };
    upload.failures += 1;
    const offline = refused?.status === 0;
    const wait = refused?.retryable ? waitBeforeRetry(upload.failures, refused.retryAfter, offline) : undefined;
    if (wait === undefined) {
      upload.state = 'failed';
      upload.problem = wordsOf(error);
      return;
    }
    upload.problem = offline ? t('Waiting for the connection…') : t('Trying again…');
    this.bytesPerSecond = 0;
    await waitOrOnline(wait, offline);
    if (!signal.aborted && upload.state === 'sending') upload.state = 'waiting';
    upload.problem = '';
  }

  #advance(upload: Upload, sent: number): void {
    const bytes = Math.min(sent, upload.size);
    if (bytes > upload.sent) {
      upload.failures = 0;
      upload.problem = '';
    }
    this.#through += Math.max(0, bytes - upload.sent);
    upload.sent = bytes;
    this.#speed.add(performance.now(), this.#through);
    this.bytesPerSecond = this.#speed.bytesPerSecond;
  }

  #kept(upload: Upload): Kept {
    const { key, path, size, lastModified, onConflict, handle, progress } = upload;
    return { key, path, size, lastModified, onConflict, handle, ...progress, tab: TAB, account: this.#account, savedMs: Date.now() };
  }
}

interface Permitted {
  queryPermission?: (of: { mode: 'read' }) => Promise<PermissionState>;
  requestPermission?: (of: { mode: 'read' }) => Promise<PermissionState>;
}

/** The file of a handle that was kept; nothing when it may not be read (any more), or is gone. */
async function readAgain(handle: FileSystemFileHandle, asks: boolean): Promise<File | undefined> {
  const permitted = handle as unknown as Permitted;
  const mode = { mode: 'read' } as const;
  try {
    let state = (await permitted.queryPermission?.(mode)) ?? 'granted';
    if (state === 'prompt' && asks) state = (await permitted.requestPermission?.(mode)) ?? 'denied';
    return state === 'granted' ? await handle.getFile() : undefined;
  } catch {
    return undefined;
  }
}

function waitOrOnline(ms: number, offline: boolean): Promise<void> {
  return new Promise((go) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      go();
    };
    const timer = setTimeout(done, ms);
    if (offline) addEventListener('online', done);
  });
}

export const queue = new Queue();
