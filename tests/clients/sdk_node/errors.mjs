// How refusals look to the npm package.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { account, client, refusal } from './common.mjs';

test('what is not there', async () => {
  const error = await refusal((await account()).filesGetMetadata({ path: '/nowhere/at/all' }));
  assert.equal(error.status, 409);
  assert.match(error.error.error_summary, /^path\/not_found\//);
  assert.deepEqual(error.error.error, { '.tag': 'path', path: { '.tag': 'not_found' } });
});

test('what is taken', async () => {
  const dropbox = await account();
  await dropbox.filesUpload({ path: '/taken.txt', contents: 'first' });
  const error = await refusal(dropbox.filesUpload({ path: '/taken.txt', contents: 'second' }));
  assert.equal(error.status, 409);
  assert.match(error.error.error_summary, /^path\/conflict\/file\//);
  assert.equal(error.error.error.reason.conflict['.tag'], 'file');
});

test('a bad token', async () => {
  const error = await refusal(client('ff_wrong').usersGetCurrentAccount());
  assert.equal(error.status, 401);
  assert.equal(error.error.error['.tag'], 'invalid_access_token');
});

test('a bad argument', async () => {
  const error = await refusal((await account()).filesListFolder({ path: 'no slash' }));
  assert.equal(error.status, 400);
  assert.match(error.error, /path/);
});

test('a lost cursor', async () => {
  const error = await refusal((await account()).filesListFolderContinue({ cursor: 'lost' }));
  assert.equal(error.error.error['.tag'], 'reset');
});
