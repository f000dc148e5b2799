// Uploads: a folder of 500 files with a cut connection in the middle, a large file over a reload, names that are taken, pause.
import assert from 'node:assert/strict';
import { mkdtemp, mkdir, open as openFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { administrator, drop, end, link, open, picture, until, window_of } from './common.mjs';

const MIB = 1024 * 1024;
const FILES = 500;
let admin, page, folder;
const panel = () => page.getByRole('region', { name: 'Uploads' });
const title = (words) => panel().getByRole('heading', { name: words }).waitFor({ timeout: 120_000 });

/** A file of this many MiB, no two of them alike. */
async function large(path, mebibytes) {
  const file = await openFile(path, 'w');
  for (let part = 0; part < mebibytes; part += 1) await file.write(Buffer.alloc(MIB, part + 1));
  await file.close();
  await utimes(path, 1_700_000_000, 1_700_000_000);
}

before(async () => {
  admin = await administrator();
  page = await window_of(admin);
  await open(page, '/files');
  folder = await mkdtemp(join(tmpdir(), 'firefly-uploads-'));
});
after(async () => {
  await rm(folder, { recursive: true, force: true });
  await end();
});

test('a folder of 500 files arrives whole over a cut connection', async () => {
  const photos = join(folder, 'photos');
  for (const part of ['2023', '2024']) {
    await mkdir(join(photos, part), { recursive: true });
    for (let n = 0; n < FILES / 2; n += 1) await writeFile(join(photos, part, `picture ${n}.txt`), `${part} ${n} `.repeat(2000));
  }
  await page.getByLabel('Folder to upload').setInputFiles(photos);
  await until(async () => Number(/Uploading ([\d,]+) of 500/.exec(await panel().textContent())?.[1] ?? 0) > 40, 'the first files');
  await page.context().setOffline(true);
  await panel().getByText('Waiting for the connection…').first().waitFor();
  await picture(page, 'uploads');
  await page.context().setOffline(false);
  await title('500 files uploaded');
  const { entries } = await admin.rpc('files/list_folder', { path: '/photos', recursive: true, limit: 2000 });
  assert.equal(entries.filter((entry) => entry['.tag'] === 'file').length, FILES);
});

test('a large file goes on after a reload where it stopped', async () => {
  const path = join(folder, 'film.bin');
  await large(path, 48);
  let sent = 0;
  page.on('request', (request) => {
    if (request.url().includes('append_v2')) sent += 1;
  });
  // The third part does not get through before the page is left.
  let parts = 0;
  await page.route('**/upload_session/append_v2', (route) => ((parts += 1) > 2 ? undefined : route.continue()));
  await page.getByLabel('Files to upload').setInputFiles(path);
  await until(() => parts > 2, 'two parts');
  page.once('dialog', (dialog) => dialog.accept());
  await page.reload();
  await page.unroute('**/upload_session/append_v2');
  await title('1 upload was interrupted');
  await panel().getByText(/Interrupted at 33 %/).waitFor();
  await picture(page, 'resume');
  sent = 0;
  await writeFile(join(folder, 'other.bin'), 'something else');
  await page.getByLabel('The files again').setInputFiles(join(folder, 'other.bin'));
  await page.getByText('is none of those that were interrupted').waitFor();
  await page.getByLabel('The files again').setInputFiles(path);
  await title('1 file uploaded');
  assert.equal(sent, 4, 'only what was missing was sent');
  const { size } = await admin.rpc('files/get_metadata', { path: '/film.bin' });
  assert.equal(size, 48 * MIB);
  await page.reload();
  await link(page, 'film.bin').waitFor();
  assert.equal(await panel().count(), 0, 'nothing is left over');
});

test('several gigabytes arrive, over a reload in the middle', async () => {
  const [path, bytes] = [join(folder, 'archive.img'), 9 * 256 * MIB];
  const file = await openFile(path, 'w');
  await file.truncate(bytes);
  await file.write(Buffer.from('the end'), 0, 7, bytes - 7);
  await file.close();
  await utimes(path, 1_700_000_000, 1_700_000_000);
  const whole = bytes / (8 * MIB);
  let sent = 0;
  // Nothing is held back here: to look into so many bytes on their way takes the browser longer than to send them.
  page.on('response', (response) => (sent += Number(response.url().includes('append_v2') && response.ok())));
  await open(page, '/files');
  await page.getByLabel('Files to upload').setInputFiles(path);
  await until(() => sent > whole / 3, 'a third', 600_000);
  page.once('dialog', (dialog) => dialog.accept());
  await page.reload();
  await title('1 upload was interrupted');
  sent = 0;
  await page.getByLabel('The files again').setInputFiles(path);
  await panel().getByRole('heading', { name: '1 file uploaded' }).waitFor({ timeout: 600_000 });
  assert.ok(sent < 0.7 * whole, `${sent} of ${whole} parts after the reload`);
  const stored = await admin.rpc('files/get_metadata', { path: '/archive.img' });
  assert.equal(stored.size, bytes);
  const tail = await fetch(`${process.env.SERVER_URL}/2/files/download`, { method: 'POST', headers: { Authorization: `Bearer ${admin.token}`, 'Dropbox-API-Arg': JSON.stringify({ path: '/archive.img' }), Range: 'bytes=-7' } });
  assert.equal(await tail.text(), 'the end');
});

test('a name that is taken asks: keep both, replace, skip', async () => {
  for (const name of ['a.txt', 'b.txt', 'c.txt']) await admin.upload(`/${name}`, `old ${name}`);
  await drop(page, ['a.txt', 'b.txt', 'c.txt'].map((name) => ({ name, type: 'text/plain', text: `new ${name}` })));
  await title('3 names are taken already');
  const each = (name, choice) => panel().getByRole('listitem').filter({ hasText: name }).getByRole('button', { name: choice, exact: true }).click();
  await each('a.txt', 'Keep both');
  await each('b.txt', 'Replace');
  await each('c.txt', 'Skip');
  await title('2 files uploaded');
  await link(page, 'a (1).txt').waitFor();
  const text = async (path) => (await (await fetch(`${process.env.SERVER_URL}/2/files/download`, { method: 'POST', headers: { Authorization: `Bearer ${admin.token}`, 'Dropbox-API-Arg': JSON.stringify({ path }) } })).text());
  assert.deepEqual([await text('/a.txt'), await text('/b.txt'), await text('/c.txt')], ['old a.txt', 'new b.txt', 'old c.txt']);
});

test('uploads say how fast they are and how long it takes, pause and go on', async () => {
  const path = join(folder, 'pause.bin');
  await large(path, 32);
  // The third part waits, so that there is something to pause however fast the machine is.
  let parts = 0;
  await page.route('**/upload_session/append_v2', (route) => ((parts += 1) > 2 ? undefined : route.continue()));
  await page.getByLabel('Files to upload').setInputFiles(path);
  await panel().getByText(/[KMG]B\/s · .+ left/).waitFor();
  await until(() => parts > 2, 'two parts');
  await panel().getByRole('button', { name: 'Pause', exact: true }).click();
  await title('Paused');
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await panel().getByRole('button', { name: 'Go on' }).click();
  await title('1 file uploaded');
});

test('what was refused is tried again by hand', async () => {
  await page.route('**/2/files/upload', (route) => route.fulfill({ status: 409, json: { error_summary: 'path/insufficient_space/', error: { '.tag': 'path' } } }));
  await drop(page, [{ name: 'again.txt', type: 'text/plain', text: 'once more' }]);
  await panel().getByText('There is not enough space left for this.').waitFor();
  await page.unroute('**/2/files/upload');
  await panel().getByRole('button', { name: 'Try again.txt again' }).click();
  await link(page, 'again.txt').waitFor();
});

test('a folder dragged from the desktop arrives with all that is in it', async () => {
  const dragged = join(folder, 'dragged');
  await mkdir(join(dragged, 'deep/deeper'), { recursive: true });
  for (const name of ['one.txt', 'deep/two.txt', 'deep/deeper/three.txt']) await writeFile(join(dragged, name), name);
  const mouse = await page.context().newCDPSession(page);
  const data = { items: [], files: [dragged], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) await mouse.send('Input.dispatchDragEvent', { type, x: 600, y: 500, data });
  await link(page, 'dragged').waitFor();
  await until(async () => {
    const { entries } = await admin.rpc('files/list_folder', { path: '/dragged', recursive: true });
    return entries.filter((entry) => entry['.tag'] === 'file').length === 3;
  }, 'three files');
});

test('a file that the browser keeps a handle of goes on by itself', async () => {
  // The system's dialog is not there to be clicked: it gives a handle of the browser's own file system.
  await page.evaluate(async (bytes) => {
    const folder = await navigator.storage.getDirectory();
    const handle = await folder.getFileHandle('kept.bin', { create: true });
    const writable = await handle.createWritable();
    await writable.write(new Uint8Array(bytes).fill(7));
    await writable.close();
    window.showOpenFilePicker = async () => [handle];
  }, 24 * MIB);
  let parts = 0;
  await page.route('**/upload_session/append_v2', (route) => ((parts += 1) > 1 ? undefined : route.continue()));
  await page.getByRole('button', { name: 'Upload', exact: true }).click();
  await until(() => parts > 1, 'the first part');
  page.once('dialog', (dialog) => dialog.accept());
  await page.reload();
  await page.unroute('**/upload_session/append_v2');
  await title('1 file uploaded');
  const { size } = await admin.rpc('files/get_metadata', { path: '/kept.bin' });
  assert.equal(size, 24 * MIB);
});
