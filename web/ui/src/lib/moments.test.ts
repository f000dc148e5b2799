import { expect, test } from 'vitest';
import { fieldOf, hoursAgo, momentOf } from './moments';

test('a field keeps its moment to the minute', () => {
  const at = new Date('2026-03-04T05:06:07Z');
  expect(momentOf(fieldOf(at))?.toISOString()).toBe('2026-03-04T05:06:00.000Z');
  expect(fieldOf(at)).toMatch(/^2026-03-0[345]T\d\d:\d6$/);
});

test('what is no moment is none', () => {
  expect(momentOf('')).toBeUndefined();
  expect(momentOf('2026-13-40T99:00')).toBeUndefined();
});

test('hours are counted back', () => expect(hoursAgo(24, new Date('2026-03-02T00:00:00Z')).toISOString()).toBe('2026-03-01T00:00:00.000Z'));
