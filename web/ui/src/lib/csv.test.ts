import { expect, test } from 'vitest';
import { csvLine } from './csv';

test('values are quoted where they must be', () => expect(csvLine([1, 'a "b", c', null])).toBe('1,"a ""b"", c",\r\n'));
test('what looks like a formula is none', () => expect(csvLine(['=1+1', '-x', -1])).toBe("'=1+1,'-x,-1\r\n"));
