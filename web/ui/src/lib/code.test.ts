import { expect, test } from 'vitest';
import { colours } from './code';

test('words of the language get their colour, and nothing is lost', () => {
  const text = 'let a = "<b>"; // x';
  const pieces = colours('a.js', text);
  expect(pieces.map((piece) => piece.text).join('')).toBe(text);
  expect(pieces.find((piece) => piece.text === 'let')?.kind).toBe('hljs-keyword');
  expect(colours('a.unknown', text)).toEqual([{ text, kind: '' }]);
});
