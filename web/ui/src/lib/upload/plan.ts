/** How a file is sent: pure decisions, no bytes. */

/** Files up to this size go in one request. */
export const SINGLE_MOST_BYTES = 8 * 1024 * 1024;
/** Parts of an upload session; a multiple of 4 MiB, the server's block. */
export const PART_BYTES = 8 * 1024 * 1024;

export interface Part {
  start: number;
  end: number;
}

/** Whether a file of this size needs an upload session. */
export function needsSession(size: number): boolean {
  return size > SINGLE_MOST_BYTES;
}

/** The next part after `offset`: ends on a multiple of `part` bytes, or at the file's end. */
export function nextPart(size: number, offset: number, part = PART_BYTES): Part {
  const aligned = (Math.floor(offset / part) + 1) * part;
  return { start: offset, end: Math.min(size, aligned) };
}

const WAIT_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/** How long to wait before try number `failures + 1`; nothing when it is time to give up, which a lost connection is never. */
export function waitBeforeRetry(failures: number, retryAfterSeconds = 0, offline = false): number | undefined {
  const wait = WAIT_MS[failures - 1] ?? (offline ? WAIT_MS.at(-1) : undefined);
  return wait === undefined ? undefined : Math.max(wait, retryAfterSeconds * 1000);
}

/** Bytes per second over the last moments, from samples of (time, bytes so far). */
export class Speed {
  #samples: { ms: number; bytes: number }[] = [];

  constructor(private readonly windowMs = 4_000) {}

  add(ms: number, bytes: number): void {
    this.#samples.push({ ms, bytes });
    while (this.#samples.length > 2 && ms - (this.#samples[0]?.ms ?? ms) > this.windowMs) this.#samples.shift();
  }

  /** 0 while too little is known. */
  get bytesPerSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last.ms <= first.ms) return 0;
    return Math.max(0, ((last.bytes - first.bytes) * 1000) / (last.ms - first.ms));
  }
}

/** Where a dropped or chosen file goes: `relative` may hold folders. */
export function targetPath(folder: string, relative: string): string {
  const names = relative.split('/').filter((name) => name && name !== '.' && name !== '..');
  return `${folder}/${names.join('/')}`;
}

/** Files that systems leave behind and nobody wants kept. */
export function isLitter(name: string): boolean {
  return ['.DS_Store', 'Thumbs.db', 'desktop.ini', '.localized'].includes(name);
}
