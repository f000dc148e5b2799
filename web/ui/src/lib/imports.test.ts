import { expect, test } from 'vitest';
import { type Import, shareDone } from './imports';

const one = (more: Partial<Import>) => ({ walked: true, found: 0, imported: 0, unchanged: 0, refused: 0, ...more }) as Import;

test('nobody knows how much there is before the end of the walk', () => expect(shareDone(one({ walked: false, found: 9 }))).toBeUndefined());
test('all that was looked at counts', () => expect(shareDone(one({ found: 10, imported: 3, unchanged: 1, refused: 1 }))).toBe(0.5));
test('an empty folder is through', () => expect(shareDone(one({}))).toBe(1));
