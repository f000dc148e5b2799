/** Reads what was dropped on the page: files, and folders with all that is in them. */

import { files } from '../api';
import { ApiError } from '../call';
import { isLitter, targetPath } from './plan';

export interface Dropped {
  file: File;
  path: string;
}

/** Files on the way in at once, at most. */
const MOST_FILES = 50_000;

/** What goes where, for a drop on `folder`. Must be called inside the drop event: the browser forgets the items after it. */
export async function readDrop(transfer: DataTransfer, folder: string): Promise<Dropped[]> {
  const roots = Array.from(transfer.items)
    .filter((item) => item.kind === 'file')
    .map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found: Dropped[] = [];
  for (const { entry, file } of roots) {
    if (entry) await walk(entry, folder, found);
    else if (file) found.push({ file, path: targetPath(folder, file.name) });
  }
  return found;
}

async function walk(entry: FileSystemEntry, folder: string, found: Dropped[]): Promise<void> {
  if (isLitter(entry.name) || found.length >= MOST_FILES) return;
  const path = targetPath(folder, entry.name);
  if (entry.isFile) {
    const file = await new Promise<File>((yes, no) => (entry as FileSystemFileEntry).file(yes, no));
    found.push({ file, path });
    return;
  }
  const before = found.length;
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((yes, no) => reader.readEntries(yes, no));
    if (!some.length) break;
    for (const child of some) await walk(child, path, found);
  }
  if (found.length === before) await ensureFolder(path);
}

/** An empty folder has no file that would make it. */
async function ensureFolder(path: string): Promise<void> {
  try {
    await files.createFolder(path);
  } catch (error) {
    if (!(error instanceof ApiError && error.has('conflict'))) throw error;
  }
}

/** What goes where, for files chosen in a dialog (whole folders carry their relative path). */
export function readChosen(chosen: FileList, folder: string): Dropped[] {
  return Array.from(chosen)
    .filter((file) => !isLitter(file.name))
    .map((file) => ({ file, path: targetPath(folder, file.webkitRelativePath || file.name) }));
}
