/** No text is nailed in, and every language has them all. */

import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'svelte/compiler';
import { describe, expect, test } from 'vitest';
import { LANGUAGES } from './i18n.svelte';

const ROOT = new URL('..', import.meta.url).pathname;
const sources = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(svelte|ts)$/.test(name) && !/\.test\.ts$/.test(name))
  .map((name) => ({ name, text: readFileSync(ROOT + name, 'utf8') }));

const STRING = `'((?:[^'\\\\]|\\\\.)*)'`;
const plain = (literal: string) => literal.replace(/\\(.)/g, '$1');

/** Every text that the sources say, as the dictionaries have it. */
function everyText(): Set<string> {
  const texts = new Set<string>();
  for (const { text } of sources) {
    for (const match of text.matchAll(new RegExp(`\\b(?:t|later)\\(\\s*${STRING}`, 'g'))) texts.add(plain(match[1] ?? ''));
    for (const match of text.matchAll(new RegExp(`\\btn\\([^']*?${STRING},\\s*${STRING}`, 'g'))) {
      texts.add(plain(match[1] ?? ''));
      texts.add(plain(match[2] ?? ''));
    }
  }
  return texts;
}

const said = everyText();
const gaps = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

describe.each(Object.keys(LANGUAGES).filter((code) => code !== 'en'))('the dictionary %s', (code) => {
  const words: Record<string, string> = JSON.parse(readFileSync(`${ROOT}words/${code}.json`, 'utf8'));

  test('has every text', () => expect([...said].filter((text) => !words[text])).toEqual([]));
  test('has no text that nobody says', () => expect(Object.keys(words).filter((text) => !said.has(text))).toEqual([]));
  test('leaves the same gaps', () => {
    expect(Object.entries(words).filter(([text, word]) => String(gaps(text)) !== String(gaps(word)))).toEqual([]);
  });
});

/** What stands in markup as it is: names, signs, examples of the query language. */
const ALLOWED = /^(Firefly|– Firefly|Tab|\/s ·|name@example\.org|192\.0\.2\.1|import_roots = .*|\*\.bak, cache\/|[^\p{L}]*)$/u;
const SPOKEN = ['title', 'aria-label', 'placeholder', 'alt', 'label'];

interface Node {
  type?: string;
  data?: string;
  name?: string;
  value?: unknown;
}

function nailed(node: unknown, found: string[]): string[] {
  if (!node || typeof node !== 'object') return found;
  if (Array.isArray(node)) {
    for (const child of node) nailed(child, found);
    return found;
  }
  const { type, data = '', name = '', value } = node as Node;
  if (type === 'Text' && !ALLOWED.test(data.trim())) found.push(data.trim());
  if (type === 'StyleDirective') return found;
  if (type === 'Attribute') return SPOKEN.includes(name) ? nailed(value, found) : found;
  for (const [key, child] of Object.entries(node)) if (key !== 'css') nailed(child, found);
  return found;
}

test.each(sources.filter(({ name }) => name.endsWith('.svelte')).map(({ name, text }) => [name, text]))('%s has no text of its own', (_, text) => {
  expect(nailed(parse(text, { modern: true }).fragment, [])).toEqual([]);
});
