// Files through the npm package: up, down, lists, moves, links.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { account, names } from './common.mjs';

test('a file goes up and comes down', async () => {
  const dropbox = await account();
  const contents = Buffer.from([...Array(70_000).keys()].map((n) => n % 256));
  const up = (await dropbox.filesUpload({ path: '/Übersicht/文書 ☀️.bin', contents })).result;
  assert.equal(up.name, '文書 ☀️.bin');
  assert.equal(up.size, 70_000);
  const down = (await dropbox.filesDownload({ path: '/übersicht/文書 ☀️.BIN' })).result;
  assert.equal(down.id, up.id);
  assert.equal(down.path_display, '/Übersicht/文書 ☀️.bin');
  assert.ok(contents.equals(down.fileBinary));
});

test('lists come in pages', async () => {
  const dropbox = await account();
  const wanted = [...Array(11).keys()].map((n) => `${String(n).padStart(2, '0')}.txt`);
  for (const name of wanted) await dropbox.filesUpload({ path: `/list/${name}`, contents: name });
  assert.deepEqual(await names(dropbox, { path: '/list', limit: 4 }), wanted);
  assert.deepEqual(await names(dropbox, { path: '', recursive: true }), [...wanted, 'list'].sort());
});

test('sessions put parts together', async () => {
  const dropbox = await account();
  const { session_id } = (await dropbox.filesUploadSessionStart({ contents: 'begin, ' })).result;
  await dropbox.filesUploadSessionAppendV2({ cursor: { session_id, offset: 7 }, contents: 'middle, ' });
  const commit = { path: '/parts.txt', mode: { '.tag': 'overwrite' } };
  await dropbox.filesUploadSessionFinish({ cursor: { session_id, offset: 15 }, commit, contents: 'end' });
  const down = (await dropbox.filesDownload({ path: '/parts.txt' })).result;
  assert.equal(down.fileBinary.toString(), 'begin, middle, end');
});

test('things move, are copied and go', async () => {
  const dropbox = await account();
  const { id } = (await dropbox.filesUpload({ path: '/a.txt', contents: 'a' })).result;
  const moved = (await dropbox.filesMoveV2({ from_path: '/a.txt', to_path: '/dir/b.txt' })).result.metadata;
  assert.deepEqual([moved['.tag'], moved.id], ['file', id]);
  await dropbox.filesCopyV2({ from_path: '/dir', to_path: '/copy' });
  await dropbox.filesDeleteV2({ path: '/dir' });
  assert.deepEqual(await names(dropbox, { path: '', recursive: true }), ['b.txt', 'copy']);
});

test('a shared link gives its file', async () => {
  const dropbox = await account();
  await dropbox.filesUpload({ path: '/shared.txt', contents: 'for all' });
  const { url } = (await dropbox.sharingCreateSharedLinkWithSettings({ path: '/shared.txt' })).result;
  const got = (await (await account()).sharingGetSharedLinkFile({ url })).result;
  assert.equal(got.fileBinary.toString(), 'for all');
});
