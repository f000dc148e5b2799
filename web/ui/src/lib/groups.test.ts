import { expect, test } from 'vitest';
import { groupHits } from './groups';
import type { Hit } from './types';

const hit = (match: Hit['match']) => ({ match }) as Hit;
const shape = (hits: Hit[], first: number, byRelevance = true) =>
  groupHits(hits, first, byRelevance).map((group) => `${group.kind} ${group.hits.length}`);

test('names come before contents, and later pages stay below', () => {
  const hits = [hit('content'), hit('filename'), hit('both'), hit('filename')];
  expect(shape(hits, 4)).toEqual(['names 3', 'contents 1']);
  expect(shape(hits, 2)).toEqual(['names 1', 'contents 1', 'more 2']);
});

test('one kind, or another order, is one group', () => {
  expect(shape([hit('content'), hit('content')], 2)).toEqual(['all 2']);
  expect(shape([hit('content'), hit('filename')], 2, false)).toEqual(['all 2']);
});
