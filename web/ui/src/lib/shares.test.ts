import { expect, test } from 'vitest';
import { sharesOf } from './shares';

test('amounts take their share of the whole', () => expect(sharesOf([10, 30], 80)).toEqual([12.5, 37.5]));
test('without a whole, or over it, they fill it', () => {
  expect(sharesOf([10, 30])).toEqual([25, 75]);
  expect(sharesOf([10, 30], 20)).toEqual([25, 75]);
});
test('nothing takes nothing', () => expect(sharesOf([0, 0])).toEqual([0, 0]));
