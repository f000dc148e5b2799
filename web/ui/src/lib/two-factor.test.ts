import { expect, test } from 'vitest';
import { grouped, pathOf } from './two-factor';

test('a picture is a size and a path', () => {
  expect(pathOf('<svg xmlns="x" viewBox="0 0 29 29"><path fill="#fff" d="M0,0h29v29h-29z"/><path fill="#000" d="M0 0h7v1h-7z"/></svg>')).toEqual({ viewBox: '0 0 29 29', d: 'M0 0h7v1h-7z' });
});
test('what acts is no path', () => expect(pathOf('<svg viewBox="0 0 1 1"><path d="javascript:x"/></svg>')).toBeUndefined());
test('a secret is read in groups', () => expect(grouped('ABCDEFGHIJ')).toBe('ABCD EFGH IJ'));
