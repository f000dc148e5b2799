import { describe, expect, test } from 'vitest';
import { markWords, segments, wordsToMark } from './highlight';
import type { Span } from './types';

const shown = (text: string, spans: Span[]) =>
  segments(text, spans)
    .map((s) => (s.marked ? `[${s.text}]` : s.text))
    .join('');

describe('segments', () => {
  test.each<[string, Span[], string]>([
    ['annual report', [[7, 13]], 'annual [report]'],
    ['annual report', [], 'annual report'],
    ['', [[0, 3]], ''],
    ['abc', [[0, 3]], '[abc]'],
    ['a🦋b', [[1, 2]], 'a[🦋]b'],
    ['🦋🦋x', [[2, 3]], '🦋🦋[x]'],
    ['abcdef', [[3, 5], [1, 4]], 'a[bcde]f'],
    ['abcdef', [[4, 99], [-2, 1]], '[a]bcd[ef]'],
    ['abcdef', [[3, 3], [5, 2]], 'abcdef'],
  ])('%j %j', (text, spans, expected) => expect(shown(text, spans)).toBe(expected));
});

describe('wordsToMark', () => {
  test.each([
    ['Annual report', ['annual', 'report']],
    ['"exact phrase" -draft type:pdf', ['exact', 'phrase']],
    ['name:budget in:/Finance q3', ['budget', 'q3']],
    ['tea OR coffee', ['tea', 'coffee']],
    ['', []],
  ])('%j', (query, expected) => expect(wordsToMark(query)).toEqual(expected));
});

test('markWords marks by prefix, without case and accents', () => {
  const marked = markWords('Cafés and CAFETERIA, decaf', ['cafe']).map((s) => (s.marked ? `[${s.text}]` : s.text));
  expect(marked.join('')).toBe('[Cafés] and [CAFETERIA], decaf');
});
