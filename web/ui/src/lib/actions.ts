/** What people do with files and folders; each says how it went. */

import { downloadUrl, files } from './api';
import { ApiError, wordsOf } from './call';
import { listing } from './listing.svelte';
import { isWithin, join, nameOf, parentOf } from './paths';
import { done, problem } from './toast.svelte';
import { inTurn } from './turns';
import { plural } from './format';
import type { Entry } from './types';

const what = (entries: readonly Entry[]) =>
  entries.length === 1 ? `“${entries[0]?.name}”` : plural(entries.length, 'item');

/** Makes a folder; the words of what went wrong, or ''. */
export async function makeFolder(path: string): Promise<string> {
  try {
    const { metadata } = await files.createFolder(path);
    listing.apply([{ ...metadata, '.tag': 'folder' }]);
    return '';
  } catch (error) {
    return wordsOf(error);
  }
}

/** Renames in place; the words of what went wrong, or ''. */
export async function rename(entry: Entry, name: string): Promise<string> {
  if (name === entry.name) return '';
  try {
    const to = join(parentOf(entry.path_display), name);
    const { metadata } = await files.move(entry.path_display, to);
    listing.forget([entry.path_lower]);
    listing.apply([{ ...metadata, '.tag': entry['.tag'] } as Entry]);
    return '';
  } catch (error) {
    return wordsOf(error);
  }
}

/** Moves entries into a folder, with an undo. */
export async function moveInto(entries: readonly Entry[], folder: string): Promise<void> {
  const going = entries.filter(
    (entry) => parentOf(entry.path_lower) !== folder.toLowerCase() && !isWithin(folder, entry.path_lower),
  );
  const moved: { from: string; to: string }[] = [];
  try {
    await inTurn(going, async (entry) => {
      const { metadata } = await files.move(entry.path_display, join(folder, entry.name));
      moved.push({ from: entry.path_display, to: metadata.path_display });
      listing.forget([entry.path_lower]);
      listing.apply([{ ...metadata, '.tag': entry['.tag'] } as Entry]);
    });
  } catch (error) {
    problem(wordsOf(error));
  }
  if (!moved.length) return;
  const words = moved.length === going.length ? what(going) : plural(moved.length, 'item');
  done(`Moved ${words} to ${nameOf(folder) || 'Files'}`, { label: 'Undo', run: () => moveBack(moved) });
}

async function moveBack(moved: readonly { from: string; to: string }[]): Promise<void> {
  try {
    await inTurn(moved, async ({ from, to }) => {
      const { metadata } = await files.move(to, from);
      listing.forget([to]);
      listing.apply([metadata]);
    });
    done('Moved back');
  } catch (error) {
    problem(wordsOf(error));
  }
}

/** Deletes entries, with an undo. */
export async function remove(entries: readonly Entry[]): Promise<void> {
  const gone: Entry[] = [];
  try {
    await inTurn(entries, async (entry) => {
      try {
        await files.remove(entry.path_display);
      } catch (error) {
        if (!(error instanceof ApiError && error.has('not_found'))) throw error;
      }
      gone.push(entry);
      listing.forget([entry.path_lower]);
    });
  } catch (error) {
    problem(wordsOf(error));
  }
  if (gone.length) done(`Deleted ${what(gone)}`, { label: 'Undo', run: () => undelete(gone) });
}

async function undelete(gone: readonly Entry[]): Promise<void> {
  try {
    await inTurn(gone, async (entry) => listing.apply([(await files.undelete(entry.id)).metadata]));
    done(`Restored ${what(gone)}`);
  } catch (error) {
    problem(wordsOf(error));
  }
}

/** Lets the browser save files, and folders as archives, one after another. */
export async function download(entries: readonly Entry[]): Promise<void> {
  for (const entry of entries) {
    const folder = entry['.tag'] === 'folder';
    const link = document.createElement('a');
    link.href = downloadUrl(entry.path_display, folder);
    link.download = folder ? `${entry.name}.zip` : entry.name;
    link.click();
    await new Promise((next) => setTimeout(next, 300));
  }
}

/** Puts words on the clipboard and says so. */
export async function copyWords(words: string, said: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(words);
    done(said);
  } catch {
    problem('The browser did not allow copying. Select the text and copy it by hand.');
  }
}
