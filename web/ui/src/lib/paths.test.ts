import { expect, test } from 'vitest';
import { crumbsOf, extensionOf, folderHref, folderOf, isWithin, nameProblem, parentOf } from './paths';

test.each(['', '/Team', '/Team/50% & more #1?', '/é/本'])('the address of %j leads back to it', (path) => {
  expect(folderOf(new URL(folderHref(path), 'http://firefly').pathname)).toBe(path);
});

test('a folder is not in its namesake', () => {
  expect(isWithin('/Team/a', '/team')).toBe(true);
  expect(isWithin('/teams/a', '/team')).toBe(false);
  expect(isWithin('/anything', '')).toBe(true);
});

test('parents, crumbs and endings', () => {
  expect(parentOf('/a/b')).toBe('/a');
  expect(parentOf('/a')).toBe('');
  expect(crumbsOf('/a/b')).toEqual([{ name: 'a', path: '/a' }, { name: 'b', path: '/a/b' }]);
  expect(extensionOf('Report.PDF')).toBe('pdf');
  expect(extensionOf('.profile')).toBe('');
});

test('names that cannot be used', () => {
  expect(nameProblem('ok.txt')).toBe('');
  for (const name of ['', ' ', 'a/b', 'a\\b', '..', 'é'.repeat(128)]) expect(nameProblem(name)).not.toBe('');
});
