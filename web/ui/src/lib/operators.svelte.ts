/** What may be typed in a search, as the server tells it: for completion, and for chips of what is there. */

import { files, search } from './api';
import { t, tn } from './i18n.svelte';
import { parentOf } from './paths';
import type { Operators } from './types';

export interface Completion {
  /** The box's words with this taken. */
  query: string;
  label: string;
  about: string;
  /** Whether Tab takes it: words do not keep the key from leading on. */
  tab: boolean;
}

const AT_MOST = 8;
/** Words are completed in a pause of the typing, milliseconds: the search itself goes first. */
const PAUSE_MS = 150;

class Known {
  told = $state.raw<Operators>({ operators: [], people: [] });
  #asked = false;

  /** Asks the server once. */
  async load(): Promise<void> {
    if (this.#asked) return;
    this.#asked = true;
    try {
      this.told = await search.operators();
    } catch {
      // Without completion the search is whole; the next start of the page asks again.
    }
  }
}

export const known = new Known();

/** The properties in a query, as they stand there: `type:pdf`, `-in:"/My folder"`. */
export function propertiesIn(query: string, names: readonly string[]): { text: string; start: number; end: number }[] {
  const found = [];
  for (const match of query.matchAll(/(?<=^|\s)-?(\w+):("[^"]*"|\S+)/gu)) {
    if (!names.includes((match[1] ?? '').toLowerCase())) continue;
    found.push({ text: match[0], start: match.index, end: match.index + match[0].length });
  }
  return found;
}

/** The query without what stands from `start` to `end`. */
export function without(query: string, { start, end }: { start: number; end: number }): string {
  return `${query.slice(0, start)}${query.slice(end)}`.replace(/\s{2,}/g, ' ').trimStart();
}

/** What the last word of the query may become; folders are asked of the server. */
export async function complete(query: string, told: Operators, signal: AbortSignal): Promise<Completion[]> {
  const word = /(?:^|\s)(-?)(?:(\w+):)?("?)([^\s"]*)$/u.exec(query);
  if (!word) return [];
  const [whole, minus = '', name, , begun = ''] = word;
  const head = query.slice(0, query.length - whole.trimStart().length);
  if (name === undefined) {
    if (begun.length < 2) return [];
    const words = minus ? [] : await wordsFor(query, signal);
    const operators = told.operators
      .filter((operator) => operator.name.startsWith(begun.toLowerCase()))
      .map((operator) => ({ query: `${head}${minus}${operator.name}:`, label: `${operator.name}:`, about: t(operator.about), tab: true }));
    return [...operators, ...words];
  }
  const operator = told.operators.find((each) => each.name === name.toLowerCase());
  if (!operator) return [];
  const values = await valuesOf(operator.kind, operator.values, told, begun, signal);
  return values
    .filter(({ value }) => value.toLowerCase().startsWith(begun.toLowerCase()) && value !== begun)
    .slice(0, AT_MOST)
    .map(({ value, about }) => ({
      query: `${head}${minus}${name}:${/\s/.test(value) ? `"${value}"` : value} `,
      label: value,
      about,
      tab: true,
    }));
}

/** Whole queries with the last word completed, as the index knows it. */
async function wordsFor(query: string, signal: AbortSignal): Promise<Completion[]> {
  await new Promise((later) => setTimeout(later, PAUSE_MS));
  if (signal.aborted) return [];
  try {
    const { words } = await search.suggest(query, signal);
    return words
      .filter((word) => word.query.trim() !== query.trim())
      .map((word) => ({ query: word.query, label: word.query, about: tn(word.files, 'in {n} file', 'in {n} files'), tab: false }));
  } catch {
    // Typing goes on without them.
    return [];
  }
}

async function valuesOf(kind: string, values: readonly string[], told: Operators, begun: string, signal: AbortSignal) {
  const plain = values.map((value) => ({ value, about: '' }));
  if (kind === 'person') return [...plain, ...told.people.map(({ email, name }) => ({ value: email, about: name }))];
  if (kind !== 'folder') return plain;
  try {
    const { entries } = await files.list(begun.startsWith('/') ? parentOf(begun) : '', { limit: 500 }, signal);
    const folders = entries.filter((entry) => entry['.tag'] === 'folder');
    return folders.map((entry) => ({ value: entry.path_display, about: '' }));
  } catch {
    // A folder that is not there has nothing to offer.
    return [];
  }
}
