// Searches through the npm package.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { account, until } from './common.mjs';

/** The paths that a search finds, over all pages. */
async function found(dropbox, query, options = {}) {
  let page = (await dropbox.filesSearchV2({ query, options })).result;
  const paths = page.matches.map((match) => match.metadata.metadata.path_display);
  while (page.has_more) {
    page = (await dropbox.filesSearchContinueV2({ cursor: page.cursor })).result;
    paths.push(...page.matches.map((match) => match.metadata.metadata.path_display));
  }
  return paths.sort();
}

test('words and names are found, by their owner', async () => {
  const [dropbox, other] = [await account(), await account()];
  await dropbox.filesUpload({ path: '/Brief an Käthe.txt', contents: 'Heute schien die Sonne auf das Murmeltier.' });
  for (const query of ['murmeltier', 'kathe', 'sonne murmel']) {
    await until(async () => (await found(dropbox, query)).length === 1);
  }
  assert.deepEqual(await found(dropbox, 'mondschein'), []);
  assert.deepEqual(await found(other, 'murmeltier'), []);
});

test('pages hold each hit once', async () => {
  const dropbox = await account();
  const paths = [...Array(9).keys()].map((n) => `/p/${n}.txt`);
  for (const path of paths) await dropbox.filesUpload({ path, contents: `lemming ${path}` });
  await until(async () => (await found(dropbox, 'lemming')).length === 9);
  assert.deepEqual(await found(dropbox, 'lemming', { max_results: 4 }), paths);
  await dropbox.filesDeleteV2({ path: '/p/4.txt' });
  assert.deepEqual(await found(dropbox, 'lemming', { max_results: 4 }), paths.filter((path) => path !== '/p/4.txt'));
});
