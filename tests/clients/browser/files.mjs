// Files by mouse and by keys: list and grid, rename, move, copy, delete, undo, versions, details, trash, and what others change.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { administrator, another, drop, end, go, hits, link, open, pane, picture, row, searchable, toast, until, window_of } from './common.mjs';

let admin, page;
const press = (key) => page.keyboard.press(key);
const menu = async (name, item) => {
  await row(page, name).hover();
  await page.getByRole('button', { name: `What to do with ${name}` }).click();
  await page.getByRole('menuitem', { name: item, exact: true }).click();
};
const gone = (name) => link(page, name).waitFor({ state: 'detached' });

/** A picture of this many pixels, as PNG. */
const png = (target, width, height, hue) =>
  target.evaluate(([w, h, colour]) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: w, height: h });
    const paper = canvas.getContext('2d');
    const sky = paper.createLinearGradient(0, 0, w, h);
    sky.addColorStop(0, `hsl(${colour} 70% 70%)`);
    sky.addColorStop(1, `hsl(${colour + 60} 60% 30%)`);
    paper.fillStyle = sky;
    paper.fillRect(0, 0, w, h);
    return canvas.toDataURL('image/png').split(',')[1];
  }, [width, height, hue]);

before(async () => {
  admin = await administrator();
  page = await window_of(admin);
  for (const [name, text] of [['Budget.csv', 'item,sum\nlamp,12\n'], ['Notes.txt', 'one\ntwo\nthree\n'], ['Plan.md', '# Plan\n\n- first\n'], ['script.py', 'print("hello")\n']]) {
    await admin.upload(`/Work/${name}`, text, { client_modified: '2021-03-04T05:06:07Z' });
  }
  for (const folder of ['/Work/Archive', '/Work/Letters']) await admin.rpc('files/create_folder_v2', { path: folder });
  await open(page, '/files/Work');
  for (const [name, hue] of [['Harbour.png', 200], ['Meadow.png', 90], ['Sunset.png', 10]]) {
    await admin.upload(`/Work/${name}`, Buffer.from(await png(page, 640, 420, hue), 'base64'));
  }
});
after(end);

test('going back and reloading lead to where one was', async () => {
  await Promise.all(Array.from({ length: 90 }, (_, n) => admin.upload(`/Long/Page ${String(n).padStart(2, '0')}.txt`, `page ${n}`)));
  await open(page, '/files/Long');
  await link(page, 'Page 00.txt').waitFor();
  await page.mouse.move(600, 500);
  await page.mouse.wheel(0, 2600);
  await link(page, 'Page 50.txt').waitFor();
  const height = () => page.evaluate(() => Math.round(scrollY));
  await until(async () => (await page.evaluate(() => history.state?.y)) === 2600, 'the height in the history');
  await go(page, 'Trash');
  await until(async () => (await height()) === 0, 'another place from its top');
  await page.goBack();
  await until(async () => (await height()) === 2600, 'where one was');
  await link(page, 'Page 50.txt').waitFor();
  await page.reload();
  await until(async () => (await height()) === 2600, 'where one was');
  await page.getByRole('button', { name: 'Sort by Name' }).click();
  await until(async () => (await height()) === 0, 'another order from its top');
});

test('the other button opens the menu where the pointer is, for all that is chosen', async () => {
  await open(page, '/files/Long');
  await row(page, 'Page 02.txt').click({ button: 'right', position: { x: 300, y: 20 } });
  const menu = page.getByRole('menu');
  await menu.getByRole('menuitem', { name: 'Rename' }).waitFor();
  const [{ x }, { x: edge }] = [await menu.boundingBox(), await row(page, 'Page 02.txt').boundingBox()];
  assert.ok(Math.abs(x - edge - 300) < 2, `${x} is where the pointer was`);
  await press('Escape');
  await menu.waitFor({ state: 'detached' });
  for (const name of ['Page 02.txt', 'Page 04.txt']) await row(page, name).click({ modifiers: ['Control'] });
  await row(page, 'Page 04.txt').click({ button: 'right' });
  await menu.getByRole('menuitem', { name: 'Delete' }).click();
  await toast(page, 'Deleted 2 items').waitFor();
  await gone('Page 02.txt');
  await page.getByRole('button', { name: 'Undo' }).click();
  await link(page, 'Page 02.txt').waitFor();
});

test('a lost connection is said, and what failed is done again by itself', async () => {
  await open(page, '/files');
  await link(page, 'Work').waitFor();
  await page.context().setOffline(true);
  const said = page.getByText('The server cannot be reached. What you see may be old');
  await said.waitFor();
  await link(page, 'Work').click();
  await page.getByText('This folder could not be listed').waitFor();
  await page.context().setOffline(false);
  await link(page, 'Notes.txt').waitFor();
  await said.waitFor({ state: 'detached' });
});

test('a folder is listed with the dates that the files themselves have', async () => {
  await link(page, 'Notes.txt').waitFor();
  assert.match(await row(page, 'Notes.txt').textContent(), /Mar 2021/);
  await page.getByRole('grid').and(page.locator('[aria-rowcount="9"]')).waitFor();
});

test('the grid shows pictures made small', async () => {
  await page.getByRole('button', { name: 'Show as a grid' }).click();
  const small = row(page, 'Harbour.png').locator('img');
  await until(() => small.evaluate((image) => image.complete && image.naturalWidth === 256), 'a thumbnail');
  await page.reload();
  await page.getByRole('button', { name: 'Show as a list' }).click();
});

test('a name is changed in place, and changed back', async () => {
  await link(page, 'Notes.txt').waitFor();
  await page.getByRole('grid').focus();
  await press('n');
  await press('F2');
  const field = page.getByRole('textbox', { name: 'New name' });
  assert.equal(await field.inputValue(), 'Notes.txt');
  await field.fill('a/b');
  await press('Enter');
  await page.getByRole('alert').waitFor();
  await field.fill('Minutes.txt');
  await press('Enter');
  await link(page, 'Minutes.txt').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await link(page, 'Notes.txt').waitFor();
  await gone('Minutes.txt');
});

test('files are dragged into a folder, and back by Ctrl+Z', async () => {
  await page.getByRole('checkbox', { name: 'Choose Plan.md' }).click();
  await page.getByRole('checkbox', { name: 'Choose script.py' }).click();
  await row(page, 'Plan.md').dragTo(row(page, 'Archive'));
  await gone('Plan.md');
  await gone('script.py');
  await press('Control+z');
  await link(page, 'Plan.md').waitFor();
  await link(page, 'script.py').waitFor();
});

test('a copy beside its original gets a name of its own', async () => {
  await menu('Budget.csv', 'Copy');
  await page.getByRole('button', { name: 'Copy to Work' }).click();
  await link(page, 'Budget (1).csv').waitFor();
  await menu('Budget (1).csv', 'Delete');
  await gone('Budget (1).csv');
});

test('what is deleted comes back by undo', async () => {
  await page.getByRole('grid').focus();
  await press('Home');
  await press('s');
  await press('Delete');
  await gone('script.py');
  await toast(page, 'Deleted').waitFor();
  await press('Control+z');
  await link(page, 'script.py').waitFor();
});

test('details say who can see it, how far the index is, and what the versions are', async () => {
  await admin.upload('/Work/Notes.txt', 'one\n2\nthree\nfour\n');
  await searchable(admin, '/Work/Notes.txt');
  await menu('Notes.txt', 'Details');
  const details = pane(page, 'Notes.txt');
  await details.getByText('Only you.').waitFor();
  await details.getByText('Every word is findable').waitFor();
  const { content_hash } = await admin.rpc('files/get_metadata', { path: '/Work/Notes.txt' });
  await details.getByText(content_hash).waitFor();
  await until(async () => (await details.getByRole('listitem').filter({ hasText: 'Show' }).count()) === 2, 'two versions');
  await picture(page, 'details');
});

test('an older version is compared, restored, and taken back', async () => {
  await pane(page, 'Notes.txt').getByRole('button', { name: /^Show the version/ }).nth(1).click();
  const dialog = page.getByRole('dialog');
  await dialog.locator('del', { hasText: 'two' }).waitFor();
  assert.deepEqual(await dialog.locator('ins').allTextContents(), ['2', 'four']);
  await picture(page, 'versions');
  await dialog.getByRole('button', { name: 'Restore this version' }).click();
  await dialog.waitFor({ state: 'detached' });
  const text = async () => (await admin.rpc('firefly/text', { path: '/Work/Notes.txt' })).text;
  await until(async () => (await text()) === 'one\ntwo\nthree\n', 'the old text');
  await page.getByRole('button', { name: 'Undo' }).click();
  await until(async () => (await text()) === 'one\n2\nthree\nfour\n', 'the new text');
  await press('Escape');
  await pane(page, 'Notes.txt').waitFor({ state: 'detached' });
});

test('the trash lists what was deleted, and brings it back', async () => {
  await admin.rpc('files/delete_v2', { path: '/Work/Letters' });
  await gone('Letters');
  await go(page, 'Trash');
  await page.getByRole('button', { name: 'Restore Letters' }).click();
  await page.getByRole('button', { name: 'Restore Letters' }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Restore Budget (1).csv' }).waitFor();
  await picture(page, 'trash');
  await go(page, 'Files');
  await link(page, 'Work').click();
  await link(page, 'Letters').waitFor();
});

test('a folder goes back in time after an attack, and forward again', async () => {
  await admin.rpc('files/create_folder_v2', { path: '/Safe' });
  const names = Array.from({ length: 30 }, (_, n) => `Letter ${n}.txt`);
  for (const name of names) await admin.upload(`/Safe/${name}`, `dear reader of ${name}`);
  await new Promise((later) => setTimeout(later, 20));
  const before_attack = new Date();
  await new Promise((later) => setTimeout(later, 20));
  for (const name of names.slice(0, 20)) await admin.upload(`/Safe/${name}`, 'scrambled');
  for (const name of names.slice(20)) await admin.rpc('files/delete_v2', { path: `/Safe/${name}` });
  await admin.upload('/Safe/READ ME.txt', 'pay');
  await open(page, '/files/Safe');
  await link(page, 'READ ME.txt').waitFor();
  await page.getByRole('button', { name: 'More', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Back in time' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('made since then').waitFor();
  const local = new Date(before_attack.getTime() - before_attack.getTimezoneOffset() * 60_000).toISOString().slice(0, -1);
  await dialog.getByLabel('The moment').evaluate((field, value) => {
    field.step = '0.001';
    field.value = value;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    field.dispatchEvent(new Event('change', { bubbles: true }));
  }, local);
  await dialog.getByText('with their earlier content again').waitFor();
  await dialog.getByText('back from the trash').waitFor();
  await picture(page, 'rewind');
  await dialog.getByRole('button', { name: 'Go back to this moment' }).click();
  await dialog.getByText('The folder is what it was').waitFor();
  await until(async () => (await admin.rpc('files/list_folder', { path: '/Safe' })).entries.length === 30, 'all 30 are back');
  await gone('READ ME.txt');
  await dialog.getByRole('button', { name: 'Undo' }).click();
  await dialog.getByText('All is as it was before').waitFor();
  await link(page, 'READ ME.txt').waitFor();
  await open(page, '/files/Work');
  await link(page, 'Letters').waitFor();
});

test('what another one changes appears, in folders and in open results', async () => {
  const bob = await another(admin, 'bob');
  const { shared_folder_id } = await admin.rpc('sharing/share_folder', { path: '/Work', force_async: false });
  await admin.rpc('sharing/add_folder_member', { shared_folder_id, members: [{ member: { '.tag': 'email', email: bob.email }, access_level: 'editor' }] });
  const mounted = (await bob.rpc('sharing/list_folders', {})).entries.find((folder) => folder.shared_folder_id === shared_folder_id);
  if (!mounted?.path_lower) await bob.rpc('sharing/mount_folder', { shared_folder_id });
  const his = await window_of(bob);
  await open(his, '/files/Work');
  await link(his, 'Plan.md').waitFor();
  await drop(page, [{ name: 'From Ann.txt', type: 'text/plain', text: 'pomegranate' }]);
  await link(his, 'From Ann.txt').waitFor();
  await open(his, '/search?q=pomegranate');
  await hits(his).first().waitFor();
  await bob.upload('/Work/Second.txt', 'another pomegranate');
  await hits(his).nth(1).waitFor();
  await admin.rpc('files/delete_v2', { path: '/Work/From Ann.txt' });
  await until(async () => (await hits(his).count()) === 1, 'one hit is gone');
  await gone('From Ann.txt');
});

test('what the files take is a picture in the settings', async () => {
  await open(page, '/settings');
  const space = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Space' }) });
  for (const part of ['Files', 'Old versions', 'Trash']) await space.getByRole('term').filter({ hasText: part }).waitFor();
  assert.ok((await space.locator('.bar span').first().boundingBox()).width >= 3);
});

test('a hundred thousand rows are as many as the window holds', async () => {
  const many = Array.from({ length: 100_000 }, (_, n) => ({
    '.tag': 'file', id: `id:${n}`, name: `file ${n}.txt`, path_lower: `/many/file ${n}.txt`, path_display: `/many/file ${n}.txt`,
    rev: 'a', size: n, client_modified: '2024-01-01T00:00:00Z', server_modified: '2024-01-01T00:00:00Z', content_hash: '',
  }));
  await page.route('**/2/files/list_folder', (route) => route.fulfill({ json: { entries: many, cursor: 'x', has_more: false } }));
  await open(page, '/files/many');
  await page.getByRole('grid').and(page.locator('[aria-rowcount="100000"]')).waitFor();
  assert.ok((await page.getByRole('row').count()) < 60);
  await page.getByRole('grid').focus();
  await press('End');
  await link(page, 'file 99999.txt').waitFor();
  await page.unroute('**/2/files/list_folder');
});
