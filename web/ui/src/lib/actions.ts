/** What people do with files and folders; each says how it went, and can be taken back. */

import { downloadUrl, files, zipUrl } from './api';
import { ApiError, wordsOf } from './call';
import { items } from './format';
import { t } from './i18n.svelte';
import { listing } from './listing.svelte';
import { isWithin, join, nameOf, parentOf } from './paths';
import { done, problem } from './toast.svelte';
import { inTurn } from './turns';
import type { Entry } from './types';
import { undo } from './undo.svelte';

type Named = Pick<Entry, 'name'>;
const what = (entries: readonly Named[]) => (entries.length === 1 ? `“${entries[0]?.name}”` : items(entries.length));
const folderName = (folder: string) => nameOf(folder) || t('Files');

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
  const to = join(parentOf(entry.path_display), name);
  try {
    await move(entry.path_display, to);
  } catch (error) {
    return wordsOf(error);
  }
  undo.offer(t('Renamed to “{name}”', { name }), () => moveAll([{ from: to, to: entry.path_display }], t('Renamed back')));
  return '';
}

async function move(from: string, to: string): Promise<Entry> {
  const { metadata } = await files.move(from, to);
  listing.forget([from]);
  listing.apply([metadata]);
  return metadata;
}

async function moveAll(steps: readonly { from: string; to: string }[], said: string): Promise<void> {
  try {
    await inTurn(steps, async ({ from, to }) => void (await move(from, to)));
    done(said);
  } catch (error) {
    problem(wordsOf(error));
  }
}

/** Moves entries into a folder. */
export async function moveInto(entries: readonly Entry[], folder: string): Promise<void> {
  const going = entries.filter(
    (entry) => parentOf(entry.path_lower) !== folder.toLowerCase() && !isWithin(folder, entry.path_lower),
  );
  const moved: { from: string; to: string }[] = [];
  try {
    await inTurn(going, async (entry) => {
      const { path_display } = await move(entry.path_display, join(folder, entry.name));
      moved.push({ from: path_display, to: entry.path_display });
    });
  } catch (error) {
    problem(wordsOf(error));
  }
  if (!moved.length) return;
  const words = moved.length === going.length ? what(going) : items(moved.length);
  const said = t('Moved {what} to {folder}', { what: words, folder: folderName(folder) });
  undo.offer(said, () => moveAll(moved, t('Moved back')));
}

/** Copies entries into a folder; a copy beside its original gets a name of its own. */
export async function copyInto(entries: readonly Entry[], folder: string): Promise<void> {
  const made: Entry[] = [];
  try {
    await inTurn(entries, async (entry) => {
      const { metadata } = await files.copy(entry.path_display, join(folder, entry.name));
      made.push(metadata);
      listing.apply([metadata]);
    });
  } catch (error) {
    problem(wordsOf(error));
  }
  if (!made.length) return;
  const said = t('Copied {what} to {folder}', { what: what(made), folder: folderName(folder) });
  undo.offer(said, async () => {
    await removeAll(made);
    done(t('The copies are gone'));
  });
}

async function removeAll(entries: readonly Entry[]): Promise<Entry[]> {
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
  return gone;
}

/** Deletes entries. */
export async function remove(entries: readonly Entry[]): Promise<void> {
  const gone = await removeAll(entries);
  if (gone.length) undo.offer(t('Deleted {what}', { what: what(gone) }), () => undelete(gone));
}

/** Brings deleted entries back. */
export async function undelete(gone: readonly { id: string; name: string }[]): Promise<void> {
  try {
    await inTurn(gone, async (entry) => listing.apply([(await files.undelete(entry.id)).metadata]));
    done(t('Restored {what}', { what: what(gone) }));
  } catch (error) {
    problem(wordsOf(error));
  }
}

/** Lets the browser save a file, or folders and several files as one archive. */
export function download(entries: readonly Entry[]): void {
  const [first] = entries;
  if (!first) return;
  const link = document.createElement('a');
  if (entries.length > 1) {
    link.href = zipUrl(entries.map((entry) => entry.path_display), folderName(parentOf(first.path_display)));
  } else {
    link.href = downloadUrl(first.path_display, first['.tag'] === 'folder');
  }
  link.download = '';
  link.click();
}

/** Puts words on the clipboard and says so. */
export async function copyWords(words: string, said: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(words);
    done(said);
  } catch {
    problem(t('The browser did not allow copying. Select the text and copy it by hand.'));
  }
}
