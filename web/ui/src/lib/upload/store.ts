/** Uploads that are not finished, kept by the browser over reloads: what goes where, and how far it is. */

import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import type { OnConflict } from './send';

/** One upload as it is kept. */
export interface Kept {
  key: string;
  /** The tab that works on it; while that tab lives, no other one takes it over. */
  tab: string;
  account: string;
  path: string;
  size: number;
  lastModified: number;
  session: string;
  offset: number;
  onConflict: OnConflict;
  handle?: FileSystemFileHandle;
  savedMs: number;
}

interface Schema extends DBSchema {
  uploads: { key: string; value: Kept };
}

/** The server forgets sessions after a week; so does this. */
const KEPT_MS = 7 * 24 * 3600 * 1000;
const LOCK = 'firefly-uploads-';

let opened: Promise<IDBPDatabase<Schema>> | undefined;
function database(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>('firefly', 1, {
    upgrade: (db) => void db.createObjectStore('uploads', { keyPath: 'key' }),
  });
  return opened;
}

/** This tab's name; it holds a lock of that name as long as it lives. */
export const TAB = newKey();
if (navigator.locks) void navigator.locks.request(LOCK + TAB, () => new Promise<never>(() => {}));

/** A key that nobody else has. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Without storage (a private window, a full disk) uploads work all the same, until the page is left. */
async function quietly(work: (db: IDBPDatabase<Schema>) => Promise<unknown>): Promise<void> {
  try {
    await work(await database());
  } catch (error) {
    console.warn('uploads are not kept over a reload', error);
  }
}

export function keep(uploads: readonly Kept[]): Promise<void> {
  return quietly(async (db) => {
    const writing = db.transaction('uploads', 'readwrite');
    for (const upload of uploads) void writing.store.put(upload);
    await writing.done;
  });
}

export function drop(keys: readonly string[]): Promise<void> {
  return quietly(async (db) => {
    const writing = db.transaction('uploads', 'readwrite');
    for (const key of keys) void writing.store.delete(key);
    await writing.done;
  });
}

/** Takes over the account's uploads whose tab is gone. */
export async function adopt(account: string): Promise<Kept[]> {
  const orphans: Kept[] = [];
  await quietly(async (db) => {
    const held = navigator.locks ? ((await navigator.locks.query()).held ?? []) : [];
    const alive = new Set(held.map((lock) => lock.name));
    const writing = db.transaction('uploads', 'readwrite');
    for (const upload of await writing.store.getAll()) {
      if (upload.savedMs < Date.now() - KEPT_MS) void writing.store.delete(upload.key);
      else if (upload.account === account && upload.tab !== TAB && !alive.has(LOCK + upload.tab)) {
        orphans.push({ ...upload, tab: TAB });
        void writing.store.put({ ...upload, tab: TAB });
      }
    }
    await writing.done;
  });
  return orphans;
}
