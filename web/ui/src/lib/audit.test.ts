import { expect, test } from 'vitest';
import { filterOf } from './audit';

const of = (text: string) => filterOf(new URLSearchParams(text));

test('an empty address filters nothing', () => expect(of('who=+&what=')).toEqual({}));
test('values become a filter', () => {
  expect(of('who=ann@example.org&what=deleted&about=plan&address=192.0.2.1')).toEqual({
    actor: 'ann@example.org', actions: ['deleted'], subject: 'plan', address: '192.0.2.1',
  });
});
test('days are whole', () => {
  const { since_ms = 0, until_ms = 0 } = of('since=2026-03-01&until=2026-03-02');
  expect(until_ms - since_ms).toBe(2 * 24 * 3600 * 1000 - 1);
  expect(of('since=yesterday')).toEqual({});
});
