import { expect, test } from 'vitest';
import { compare } from './diff';

const shown = (before: string, after: string) => compare(before, after)?.map(({ kind, text }) => `${kind[0]} ${text}`);

test('changed lines stand in their place, far ones are left out', () => {
  const many = Array.from({ length: 20 }, (_, n) => `line ${n}`);
  const after = many.with(10, 'new line');
  expect(shown(many.join('\n'), after.join('\n'))).toEqual([
    'l 7', 's line 7', 's line 8', 's line 9', 'r line 10', 'a new line', 's line 11', 's line 12', 's line 13', 'l 6',
  ]);
});

test('equal texts have no change', () => expect(shown('a\nb\n', 'a\nb\n')).toEqual(['l 2']));
test('a text that begins or ends', () => {
  expect(shown('', 'a\n')).toEqual(['a a']);
  expect(shown('a\n', '')).toEqual(['r a']);
});
