import { expect, test } from 'vitest';
import { bytes, items, remaining, took, when } from './format';

test.each([
  [0, '0 bytes'], [1, '1 byte'], [1023, '1,023 bytes'], [1024, '1.0 KB'], [12_900_000, '12.3 MB'], [150 * 2 ** 20, '150 MB'],
])('%d bytes', (n, words) => expect(bytes(n)).toBe(words));

test('plurals, durations and what is left', () => {
  expect(items(1)).toBe('1 item');
  expect(items(1204)).toBe('1,204 items');
  expect([0.2, 12.4, 1500].map(took)).toEqual(['under 1 ms', '12 ms', '1.5 s']);
  expect([0.2, 90, 5400, Infinity].map(remaining)).toEqual(['1 s left', '2 min left', '1.5 h left', '']);
});

test('times that are no times are left out', () => {
  expect(when('soon')).toBe('');
  expect(when(undefined)).toBe('');
});
