// What administrators see and do: the state of the service as pictures, who did what, how long things are kept.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { administrator, another, end, open, picture, toast, until, window_of } from './common.mjs';

let admin, bob, page;
const events = () => page.getByRole('main').getByRole('list').filter({ has: page.locator('time') }).getByRole('listitem');

before(async () => {
  admin = await administrator();
  bob = await another(admin, 'bob');
  await another(admin, 'carla');
  await bob.upload('/Report.txt', 'a walrus on the shore\n'.repeat(4000));
  await bob.upload('/Report.txt', 'another walrus on the shore\n'.repeat(6000));
  for (let n = 0; n < 40; n += 1) await admin.upload(`/Archive/Letter ${n}.txt`, `letter ${n} about a walrus\n`.repeat(200));
  await admin.upload('/draft.txt', 'gone soon '.repeat(9000));
  await admin.rpc('files/delete_v2', { path: '/draft.txt' });
  page = await window_of(admin);
});
after(end);

test('the state of the service is seen at a glance', async () => {
  await open(page, '/');
  await page.locator('nav a[href="/admin"]').click();
  await page.getByRole('heading', { name: 'Disks' }).waitFor();
  await page.getByText('In use').waitFor();
  await page.getByText('Every block is kept on 1 disk.').waitFor();
  await page.getByRole('list', { name: 'Parts of the index' }).getByRole('listitem').nth(7).waitFor();
  await page.getByRole('img', { name: /behind since you opened this page/ }).waitFor();
  await page.getByRole('row', { name: /bob@example.org/ }).waitFor();
  const { reasons } = await admin.rpc('firefly/admin/index/reasons', {});
  const hidden = reasons.filter(({ reason }) => !['text', 'nothing_to_extract', 'waiting'].includes(reason));
  assert.deepEqual(hidden, []);
  assert.equal(await page.getByRole('region', { name: 'Not searchable by their words' }).getByText('text', { exact: true }).count(), 0);
  await picture(page, 'admin-state');
});

test('how long trash and old versions are kept is set here', async () => {
  const days = page.getByLabel('Trash and old versions are kept for');
  await days.fill('90');
  await page.getByRole('button', { name: 'Save' }).click();
  await toast(page, 'Saved').waitFor();
  assert.equal((await bob.rpc('firefly/space', {})).retention_days, 90);
});

test('the index is made anew only when that is confirmed', async () => {
  await page.getByRole('button', { name: 'Make it anew' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Make it anew' }).click();
  await toast(page, 'The index is being made anew').waitFor();
});

test('making the index anew rests, and goes on', async () => {
  // Few files are indexed sooner than somebody clicks: the answer says that it is still at it; the calls are real.
  let rests = false;
  await page.route('**/admin/overview', async (route) => {
    const answer = await route.fetch();
    const seen = await answer.json();
    for (const shard of seen.index.shards) Object.assign(shard, { rebuilding: true, paused: rests });
    await route.fulfill({ response: answer, json: seen });
  });
  for (const [button, operation] of [['Let it rest', 'pause'], ['Go on making it anew', 'resume']]) {
    const called = page.waitForResponse((response) => response.url().endsWith(`/2/firefly/admin/index/${operation}`));
    await page.getByRole('button', { name: button }).click();
    const answer = await called;
    assert.equal(answer.status(), 200);
    assert.equal(typeof (await answer.json()).shards, 'number');
    rests = !rests;
  }
  await page.getByRole('button', { name: 'Let it rest' }).waitFor();
  await page.unrouteAll({ behavior: 'wait' });
  await page.getByRole('button', { name: 'Make it anew' }).waitFor();
});

test('who did what is listed, newest first, and filtered', async () => {
  await page.getByRole('link', { name: 'Activity', exact: true }).click();
  await events().filter({ hasText: 'bob@example.org signed in' }).waitFor();
  await picture(page, 'admin-activity');
  await page.getByLabel('What').selectOption('deleted');
  await until(async () => (await events().count()) === 1, 'one deletion');
  assert.match(await events().first().textContent(), /admin@localhost deleted.*\/draft\.txt/s);
  assert.equal(new URL(page.url()).searchParams.get('what'), 'deleted');
  await page.reload();
  await events().filter({ hasText: '/draft.txt' }).waitFor();
  await page.getByLabel('About').fill('nothing like that');
  await page.getByLabel('About').press('Enter');
  await page.getByText('Nothing like that has happened').waitFor();
  await page.getByRole('button', { name: 'Show everything' }).click();
  await events().nth(3).waitFor();
});

test('it is saved as a table, and its chain is checked', async () => {
  await page.getByRole('button', { name: 'More' }).click();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'Save as CSV' }).click()]);
  const lines = (await readFile(await file.path(), 'utf8')).trim().split('\r\n');
  assert.equal(lines[0], 'sequence,at,actor,action,subject,address');
  assert.ok(lines.some((line) => /,bob@example.org,sign_in,bob@example.org,127\.0\.0\.1$/.test(line)), lines.join('\n'));
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Check the chain' }).click();
  await page.getByText('the chain is whole').waitFor();
});

test('nobody else sees any of it', async () => {
  const his = await window_of(bob);
  await open(his, '/admin');
  await his.getByText('This is for administrators').waitFor();
  assert.equal(await his.locator('nav a[href="/admin"]').count(), 0);
  await his.context().close();
});
