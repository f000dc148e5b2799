import { expect, test } from 'vitest';
import { quotaOf, quotaText } from './quota';

const GB = 1024 ** 3;
test('amounts are understood with and without a unit', () => {
  expect(['20', '20 GB', '1,5 tb', '512MB'].map(quotaOf)).toEqual([20 * GB, 20 * GB, 1536 * GB, GB / 2]);
});
test('what is no amount is none', () => expect(['', 'much', '-1', '5 PB', '99999999999 TB'].map(quotaOf)).toEqual(Array(5).fill(undefined)));
test('amounts are written as they are typed', () => {
  expect([20 * GB, 1536 * GB, GB / 2, 0].map(quotaText)).toEqual(['20 GB', '1.5 TB', '512 MB', '0 MB']);
});
