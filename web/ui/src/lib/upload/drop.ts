/** Reads what was dropped on the page or chosen: files, and folders with all that is in them. */

import { files } from '../api';
import { ApiError } from '../call';
import { isLitter, targetPath } from './plan';

export interface Dropped {
  file: File;
  path: string;
  /** With it the file can be read again after a reload; not every browser gives one. */
  handle?: FileSystemFileHandle;
}

/** Files on the way in at once, at most. */
const MOST_FILES = 50_000;

type Handle = FileSystemFileHandle | FileSystemDirectoryHandle;
interface WithHandle {
  getAsFileSystemHandle?: () => Promise<Handle | null>;
}

/** What goes where, for a drop on `folder`. Must be called inside the drop event: the browser forgets the items after it. */
export async function readDrop(transfer: DataTransfer, folder: string): Promise<Dropped[]> {
  const roots = Array.from(transfer.items)
    .filter((item) => item.kind === 'file')
    .map((item) => ({
      entry: item.webkitGetAsEntry(),
      file: item.getAsFile(),
      // Files that a script made have no handle, and say so by failing.
      handle: (item as unknown as WithHandle).getAsFileSystemHandle?.().catch(() => null),
    }));
  const found: Dropped[] = [];
  for (const { entry, file, handle } of roots) {
    const held = await handle;
    if (held) await walkHandle(held, folder, found);
    else if (entry) await walk(entry, folder, found);
    else if (file) found.push({ file, path: targetPath(folder, file.name) });
  }
  return found;
}

async function walkHandle(handle: Handle, folder: string, found: Dropped[]): Promise<void> {
  if (isLitter(handle.name) || found.length >= MOST_FILES) return;
  const path = targetPath(folder, handle.name);
  if (handle.kind === 'file') {
    found.push({ file: await handle.getFile(), path, handle });
    return;
  }
  const before = found.length;
  const inside = handle as FileSystemDirectoryHandle & { values: () => AsyncIterable<Handle> };
  for await (const child of inside.values()) await walkHandle(child, path, found);
  if (found.length === before) await ensureFolder(path);
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

interface WithPicker {
  showOpenFilePicker?: (options: { multiple: boolean }) => Promise<FileSystemFileHandle[]>;
}

/** Files chosen in the dialog that gives handles; nothing where the browser has none. */
export async function pickFiles(folder: string): Promise<Dropped[] | undefined> {
  const pick = (window as unknown as WithPicker).showOpenFilePicker;
  if (!pick) return undefined;
  let handles: FileSystemFileHandle[];
  try {
    handles = await pick.call(window, { multiple: true });
  } catch (error) {
    // Shut without a choice.
    if (error instanceof DOMException && error.name === 'AbortError') return [];
    return undefined;
  }
  return Promise.all(
    handles.map(async (handle) => ({ file: await handle.getFile(), path: targetPath(folder, handle.name), handle })),
  );
}
