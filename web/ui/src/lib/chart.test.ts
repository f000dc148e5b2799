import { expect, test } from 'vitest';
import { areaOf, lineOf, topOf } from './chart';

test('scales end at round numbers', () => expect([0, 1, 3, 5, 11, 499, 501].map(topOf)).toEqual([1, 1, 5, 5, 20, 500, 1000]));

test('a line ends at the right edge, zero at the bottom', () => {
  expect(lineOf([0, 5, 10], 5, 40, 20, 10)).toBe('M20.0 20.0L30.0 10.0L40.0 0.0');
  expect(lineOf([20], 5, 40, 20, 10)).toBe('M40.0 0.0');
});

test('an area is closed along the bottom', () => {
  expect(areaOf([10, 10], 2, 40, 20, 10)).toBe('M0.0 0.0L40.0 0.0L40 20L0.0 20Z');
  expect(areaOf([], 2, 40, 20, 10)).toBe('');
});
