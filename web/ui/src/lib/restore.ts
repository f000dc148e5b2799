/** Brings back what was deleted. */

import { files, listAll } from './api';
import { ApiError } from './call';
import { isWithin, parentOf } from './paths';
import { inTurn } from './turns';
import type { DeletedEntry } from './types';

/** Restores the newest version of a deleted file; false when the path was no file. */
export async function restoreFile(path: string, rev?: string): Promise<boolean> {
  try {
    const newest = rev ?? (await files.revisions(path)).entries[0]?.rev;
    if (!newest) return false;
    await files.restore(path, newest);
    return true;
  } catch (error) {
    if (error instanceof ApiError && (error.has('not_file') || error.has('not_found'))) return false;
    throw error;
  }
}

/** What was deleted below `folder`, at any depth. */
export async function deletedBelow(folder: string, signal: AbortSignal): Promise<DeletedEntry[]> {
  const found: DeletedEntry[] = [];
  await listAll(folder, { recursive: true, include_deleted: true, limit: 1000 }, signal, (page) => {
    for (const entry of page) if (entry['.tag'] === 'deleted') found.push(entry);
  });
  return found;
}

/** Restores a deleted folder with everything that was in it; returns how many files came back. */
export async function restoreFolder(path: string): Promise<number> {
  const deleted = await deletedBelow(parentOf(path), new AbortController().signal);
  const inside = deleted.filter((entry) => isWithin(entry.path_lower, path) && entry.path_lower !== path.toLowerCase());
  let restored = 0;
  await inTurn(inside, async (entry) => {
    if (await restoreFile(entry.path_display)) restored += 1;
  });
  if (!restored) await files.createFolder(path);
  return restored;
}

/** Restores a path, whatever it was. */
export async function restore(path: string, rev?: string): Promise<void> {
  if (!(await restoreFile(path, rev))) await restoreFolder(path);
}
