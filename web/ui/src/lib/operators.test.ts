import { expect, test, vi } from 'vitest';
import { complete, propertiesIn, without } from './operators.svelte';

vi.mock('./api', () => ({
  files: {},
  search: { suggest: async (query: string) => ({ words: query.endsWith('quart') ? [{ query: 'quarterly', files: 3 }] : [] }) },
}));

const TOLD = {
  operators: [
    { name: 'type', about: 'kind of file', kind: 'choice', values: ['pdf', 'presentation', 'image'], only_these: true },
    { name: 'owner', about: 'a person', kind: 'person', values: ['me'], only_these: false },
  ],
  people: [{ email: 'ann@x.org', name: 'Ann' }],
};
const offered = async (query: string) => (await complete(query, TOLD, new AbortController().signal)).map((one) => one.query);

test('operators and their values are offered for the last word', async () => {
  expect(await offered('report ty')).toEqual(['report type:']);
  expect(await offered('report -type:p')).toEqual(['report -type:pdf ', 'report -type:presentation ']);
  expect(await offered('owner:a')).toEqual(['owner:ann@x.org ']);
  expect(await offered('type:pdf report')).toEqual([]);
  expect(await offered('t')).toEqual([]);
  expect(await offered('quart')).toEqual(['quarterly']);
});

test('properties are found and taken away', () => {
  const query = 'a -in:"/My folder" b:c type:pdf';
  const found = propertiesIn(query, ['in', 'type']);
  expect(found.map((each) => each.text)).toEqual(['-in:"/My folder"', 'type:pdf']);
  expect(without(query, found[0]!)).toBe('a b:c type:pdf');
});
