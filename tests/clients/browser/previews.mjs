// What the page shows of what is kept: pictures, sound, film, office documents, and what lies inside mails, mailboxes and archives.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { administrator, box, end, hits, link, open, pane, picture, row, search, searchable, toast, unharmed, until, window_of } from './common.mjs';
import { docx } from './documents.mjs';
import { crc32, zip } from './zip.mjs';

let admin, page;
const RATE = 8000;

/** Half a second of a tone. */
function wav() {
  const samples = Buffer.from(Array.from({ length: RATE / 2 }, (_, n) => 128 + Math.round(100 * Math.sin((n * 440 * 2 * Math.PI) / RATE))));
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  [16, 0x10001, RATE, RATE, 0x80001].forEach((value, n) => head.writeUInt32LE(value, 16 + 4 * n));
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

/** A film that the browser makes of a canvas. */
const film = () =>
  page.evaluate(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 90 });
    const paper = canvas.getContext('2d');
    const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: 'video/webm' });
    const parts = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.start(100);
    for (let n = 0; n < 60 && parts.reduce((sum, part) => sum + part.size, 0) < 2000; n += 1) {
      paper.fillStyle = `hsl(${n * 20} 80% 50%)`;
      paper.fillRect(0, 0, 160, 90);
      await new Promise((later) => setTimeout(later, 50));
    }
    const stopped = new Promise((told) => (recorder.onstop = told));
    recorder.stop();
    await stopped;
    return Array.from(new Uint8Array(await new Blob(parts).arrayBuffer()));
  });

/** A picture of this size, as PNG. */
const png = (width, height) =>
  page.evaluate(([w, h]) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: w, height: h });
    const paper = canvas.getContext('2d');
    paper.fillStyle = '#2e6b3c';
    paper.fillRect(0, 0, w, h);
    return canvas.toDataURL('image/png').split(',')[1];
  }, [width, height]);

/** A PDF without pages' contents that opens with a password: the standard handler's revision 2 (PDF 1.7, 7.6.3). */
function locked(password) {
  const PAD = Buffer.from('28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a', 'hex');
  const md5 = (bytes) => createHash('md5').update(bytes).digest().subarray(0, 5);
  const rc4 = (key, bytes) => {
    const state = Array.from({ length: 256 }, (_, n) => n);
    const swap = (a, b) => ([state[a], state[b]] = [state[b], state[a]]);
    for (let n = 0, at = 0; n < 256; n += 1) swap(n, (at = (at + state[n] + key[n % key.length]) & 255));
    let [a, b] = [0, 0];
    return Buffer.from(bytes.map((byte) => {
      a = (a + 1) & 255;
      b = (b + state[a]) & 255;
      swap(a, b);
      return byte ^ state[(state[a] + state[b]) & 255];
    }));
  };
  const padded = Buffer.concat([Buffer.from(password), PAD]).subarray(0, 32);
  const id = Buffer.alloc(16, 7);
  const owner = rc4(md5(padded), padded);
  const user = rc4(md5(Buffer.concat([padded, owner, Buffer.from('fcffffff', 'hex'), id])), PAD);
  const hex = (bytes) => `<${bytes.toString('hex')}>`;
  return `%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>\nendobj\n4 0 obj\n<< /Filter /Standard /V 1 /R 2 /O ${hex(owner)} /U ${hex(user)} /P -4 >>\nendobj\ntrailer << /Size 5 /Root 1 0 R /Encrypt 4 0 R /ID [${hex(id)} ${hex(id)}] >>\n%%EOF`;
}

const letter = (subject, body) => `From: Ann Lee <ann@example.org>\r\nTo: bob@example.org\r\nSubject: ${subject}\r\nDate: Mon, 5 Feb 2024 10:00:00 +0000\r\n${body}`;

before(async () => {
  admin = await administrator();
  page = await window_of(admin);
  await open(page, '/');
  await box(page).waitFor();
  const small = await png(320, 200);
  const attached = letter(
    'Two pictures',
    `MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nsee the quokka below\r\n--x\r\nContent-Type: image/png; name="quokka.png"\r\nContent-Disposition: attachment; filename="quokka.png"\r\nContent-Transfer-Encoding: base64\r\n\r\n${small}\r\n--x--\r\n`,
  );
  const mailbox = ['The first one', 'The quokka again', 'The last one'].map((subject, n) => `From ann@example.org Mon Feb  5 10:00:0${n} 2024\r\n${letter(subject, `\r\nmessage ${n} of three${n === 1 ? ' <script>window.ran = true</script>' : ''}\r\n`)}`).join('\r\n');
  for (const [path, content] of [
    ['/Zoo/Fence.png', Buffer.from(small, 'base64')],
    ['/Zoo/Call.wav', wav()],
    ['/Zoo/Feeding.webm', Buffer.from(await film())],
    ['/Zoo/Report.docx', docx('A quokka was seen at the fence')],
    ['/Zoo/Mail.eml', attached],
    ['/Zoo/Locked.pdf', locked('aviary')],
    ['/Zoo/Duties.md', '- [x] feed the emu\n- [ ] mend the gate\n'],
    ['/Zoo/Mailbox.mbox', mailbox],
    ['/Zoo/Bundle.zip', zip({ 'notes/quokka.md': '# Quokka\n\nA *small* animal.\n', 'notes/fence.png': Buffer.from(small, 'base64'), 'page.html': '<script>window.ran = true</script> quokka' })],
    ['/Zoo/Broken.png', 'no picture at all'],
  ]) await admin.upload(path, content);
  for (const name of ['Report.docx', 'Mail.eml', 'Mailbox.mbox', 'Bundle.zip']) await searchable(admin, `/Zoo/${name}`);
});
after(end);

test('a picture, a sound and a film are shown and played', async () => {
  await open(page, '/files/Zoo?open=%2FZoo%2FFence.png');
  const image = pane(page, 'Fence.png').locator('.stage img');
  await until(() => image.evaluate((element) => element.naturalWidth === 320), 'the picture in full');
  await picture(page, 'preview-image');
  await open(page, '/files/Zoo?open=%2FZoo%2FCall.wav');
  const sound = pane(page, 'Call.wav').locator('audio');
  await until(() => sound.evaluate((element) => Math.abs(element.duration - 0.5) < 0.1), 'the sound');
  await open(page, '/files/Zoo?open=%2FZoo%2FFeeding.webm');
  const moving = pane(page, 'Feeding.webm').locator('video');
  await until(() => moving.evaluate((element) => element.videoWidth === 160), 'the film');
  await open(page, '/files/Zoo?open=%2FZoo%2FBroken.png');
  await pane(page, 'Broken.png').getByText('This file cannot be shown as it is').waitFor();
});

test('a PDF with a password asks for it', async () => {
  await open(page, '/files/Zoo?open=%2FZoo%2FLocked.pdf');
  const shown = pane(page, 'Locked.pdf');
  const asked = shown.getByLabel('Password of the file');
  await asked.fill('cage');
  await page.keyboard.press('Enter');
  await shown.getByText('That is not its password.').waitFor();
  await asked.fill('aviary');
  await shown.getByRole('button', { name: 'Open', exact: true }).click();
  await shown.locator('canvas').waitFor();
});

test('what is to do in a list has its box', async () => {
  await open(page, '/files/Zoo?open=%2FZoo%2FDuties.md');
  const duties = pane(page, 'Duties.md').locator('li');
  await duties.filter({ hasText: 'feed the emu' }).getByRole('img', { name: 'done', exact: true }).waitFor();
  await duties.filter({ hasText: 'mend the gate' }).getByRole('img', { name: 'to do', exact: true }).waitFor();
});

test('an office document shows its words, the found one marked', async () => {
  await open(page, '/search?q=quokka%20fence');
  await hits(page).filter({ hasText: 'Report.docx' }).click();
  const words = pane(page, 'Report.docx').locator('.words');
  await words.getByText('was seen at the').waitFor();
  assert.deepEqual(await words.locator('mark').allTextContents(), ['quokka', 'fence']);
});

test('a message of a mailbox is a hit of its own, and opens as a mail', async () => {
  await open(page, '/');
  await search(page, 'subject:quokka', 1);
  await hits(page).first().click();
  const shown = page.getByRole('complementary');
  await shown.getByRole('heading', { name: 'The quokka again' }).last().waitFor();
  await shown.getByText('Ann Lee <ann@example.org>').waitFor();
  await shown.getByText('message 1 of three').waitFor();
  assert.equal(await shown.getByText('message 2 of three').count(), 0);
  await shown.getByRole('button', { name: 'in Mailbox.mbox' }).waitFor();
  await page.reload();
  await page.getByRole('complementary').getByText('message 1 of three').waitFor();
  unharmed();
});

test('an attachment is found by name, shown, and saved', async () => {
  await open(page, '/');
  await search(page, 'name:quokka ext:png', 1);
  await hits(page).first().click();
  const image = pane(page, 'quokka.png').locator('.stage img');
  await until(() => image.evaluate((element) => element.naturalWidth === 320), 'the attachment');
  const [saved] = await Promise.all([page.waitForEvent('download'), pane(page, 'quokka.png').getByRole('link', { name: 'Download' }).click()]);
  assert.equal((await readFile(await saved.path())).subarray(1, 4).toString(), 'PNG');
  await open(page, '/files/Zoo?open=%2FZoo%2FMail.eml');
  const [again] = await Promise.all([page.waitForEvent('download'), pane(page, 'Mail.eml').getByRole('button', { name: 'Save quokka.png' }).click()]);
  assert.equal(again.suggestedFilename(), 'quokka.png');
});

test('a file in an archive opens as what it is, and markup in it stays text', async () => {
  await open(page, '/');
  await search(page, 'quokka ext:md', 1);
  await hits(page).first().click();
  await pane(page, 'quokka.md').getByRole('heading', { name: 'Quokka', exact: true }).waitFor();
  await search(page, 'quokka ext:html', 1);
  await hits(page).first().click();
  await pane(page, 'page.html').locator('mark').first().waitFor();
  unharmed();
  await page.keyboard.press('Escape');
});

test('several files and folders are saved as one archive', async () => {
  await open(page, '/files/Zoo');
  await link(page, 'Call.wav').waitFor();
  for (const name of ['Call.wav', 'Report.docx']) {
    await row(page, name).hover();
    await page.getByRole('checkbox', { name: `Choose ${name}` }).click();
  }
  const bar = page.getByRole('toolbar', { name: 'What to do with the chosen ones' });
  const [saved] = await Promise.all([page.waitForEvent('download'), bar.getByRole('button', { name: 'Download' }).click()]);
  const bytes = await readFile(await saved.path());
  assert.equal(bytes.subarray(0, 2).toString(), 'PK');
  assert.ok(bytes.includes('Call.wav') && bytes.includes('Report.docx') && bytes.includes(wav()), 'both, whole');
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(wav()));
  assert.ok(bytes.includes(crc), 'with a checksum');
  await open(page, '/files');
  await row(page, 'Zoo').hover();
  await page.getByRole('button', { name: 'What to do with Zoo' }).click();
  const [folder] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'Download' }).click()]);
  assert.equal(folder.suggestedFilename(), 'Zoo.zip');
});

test('a new folder is made and undone, and lists are sorted', async () => {
  await open(page, '/files/Zoo');
  await page.getByRole('button', { name: 'New folder' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('Aviary');
  await page.keyboard.press('Enter');
  await link(page, 'Aviary').waitFor();
  const names = async () => (await page.getByRole('row').locator('a.name').allTextContents()).map((name) => name.trim());
  await page.getByRole('button', { name: 'Sort by Size' }).click();
  await until(async () => (await names()).indexOf('Call.wav') < (await names()).indexOf('Broken.png'), 'the largest first');
  assert.equal(new URL(page.url()).searchParams.get('sort'), '-size');
  await page.getByRole('button', { name: 'Sort by Size' }).click();
  await until(async () => (await names()).indexOf('Broken.png') < (await names()).indexOf('Call.wav'), 'the smallest first');
  await row(page, 'Aviary').hover();
  await page.getByRole('button', { name: 'What to do with Aviary' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await toast(page, 'Deleted').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await link(page, 'Aviary').waitFor();
});
