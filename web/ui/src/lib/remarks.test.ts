import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import de from '../words/de.json';
import { tongue } from './i18n.svelte';
import { ABOUT, remark, remarkSentence, SAID } from './remarks';

const QUERY = new URL('../../../../query/src/', import.meta.url).pathname;
const sources = readdirSync(QUERY, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.rs'))
  .map((name) => readFileSync(QUERY + name, 'utf8'))
  .join('\n');

test('what operators are about is what the server says', () => {
  const operators = readFileSync(`${QUERY}parse/operators.rs`, 'utf8');
  expect([...operators.matchAll(/about: "([^"]+)"/g)].map((match) => match[1])).toEqual(ABOUT);
});

test('every remark is one of the server’s', () => {
  const parts = SAID.flatMap((form) => form.split(/\{\w+\}/)).map((part) => part.trim()).filter((part) => part.length > 6);
  expect(parts.filter((part) => !sources.includes(part))).toEqual([]);
});

test('a remark is said in the page’s language, whatever is put in', () => {
  const said = 'size:x was searched as words; size: takes a size like >10mb, <500kb or 1mb..5mb';
  expect(remark(said)).toBe(said);
  expect(remarkSentence('there is no folder /a')).toBe('There is no folder /a');
  expect(remarkSentence(said)).toBe(said);
  tongue.words = de;
  expect(remark('there is no folder /{x} (1)')).toBe('es gibt keinen Ordner /{x} (1)');
  expect(remark(said)).toBe('size:x wurde als Wörter gesucht; size: nimmt eine Größe wie >10mb, <500kb oder 1mb..5mb');
  expect(remark('something new')).toBe('something new');
  tongue.words = {};
});
