// The page in a real browser: from the one-time link to a highlighted hit and its preview, by mouse and by keys.
// Environment: SERVER_URL, WELCOME_URL (the one-time link), EMAIL, NODE_MODULES (has playwright-core), BROWSER (its path),
// and PICTURES, a folder for screenshots, where those are wanted.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test, before, after } from 'node:test';

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { chromium } = require('playwright-core');
const PASSWORD = 'lantern gravel nine';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
const complaints = [];
let browser, page;

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.BROWSER, args: FLAGS });
  page = await browser.newPage({ viewport: { width: 1360, height: 850 } });
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|Uncaught/.test(message.text())) complaints.push(message.text());
  });
});

after(() => browser?.close());

const box = () => page.getByRole('combobox', { name: 'Search everything you can see' });
const hits = () => page.getByRole('listbox', { name: 'Results' }).getByRole('option');
const row = (name) => page.getByRole('main').getByRole('link', { name });
const go = (place) => page.getByRole('navigation').getByRole('link', { name: place, exact: true }).click();

/** Keeps a picture where pictures are wanted. */
async function picture(name) {
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/${name}.png` });
}

/** Drops files onto the page, as a desktop does. */
async function drop(files) {
  const transfer = await page.evaluateHandle((dropped) => {
    const made = new DataTransfer();
    for (const { name, type, text } of dropped) made.items.add(new File([text], name, { type }));
    return made;
  }, files);
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: transfer });
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
}

/** Types words until they have this many hits: what was saved a moment ago may still be read. */
async function search(words, count) {
  for (const end = Date.now() + 90_000; ;) {
    await box().fill('');
    await box().fill(words);
    try {
      await hits().nth(count - 1).waitFor({ timeout: 1000 });
      if ((await hits().count()) === count) return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    if (Date.now() > end) throw new Error(`${await hits().count()} hits for ${words}`);
  }
}

test('the one-time link asks for a password and signs in', async () => {
  await page.goto(process.env.WELCOME_URL);
  await page.getByLabel('Password', { exact: true }).fill('short');
  assert.equal(await page.getByRole('button', { name: 'Start' }).isDisabled(), true);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Start' }).click();
  await box().waitFor();
  assert.equal(new URL(page.url()).pathname, '/');
});

test('files that are dropped or chosen are uploaded', async () => {
  await drop([
    { name: 'Expedition diary.txt', type: 'text/plain', text: 'On the third day we saw an albatross over the southern sea.\n'.repeat(3) },
    { name: 'Shopping.md', type: 'text/markdown', text: '# Saturday\nflour, butter, and a picture of an albatross\n' },
  ]);
  await page.getByRole('region', { name: 'Uploads' }).getByText('2 files uploaded').waitFor();
  await go('Files');
  await row('Expedition diary.txt').waitFor();
  const note = { name: 'Third note.txt', mimeType: 'text/plain', buffer: Buffer.from('a note without birds') };
  await page.getByLabel('Files to upload').setInputFiles(note);
  await row('Third note.txt').waitFor();
  await picture('folder');
});

test('a typed word shows its hits, marked', async () => {
  await go('Search');
  await search('albatross', 2);
  const marks = await hits().locator('.snippet mark').allTextContents();
  assert.ok(marks.length >= 2 && marks.every((word) => word === 'albatross'), String(marks));
  assert.equal(new URL(page.url()).searchParams.get('q'), 'albatross');
  await picture('search');
  await page.getByRole('button', { name: 'Light or dark' }).click();
  await page.locator('html[data-theme="dark"]').waitFor();
  await picture('search-dark');
  await page.getByRole('button', { name: 'Light or dark' }).click();
  await search('exped', 1);
  assert.deepEqual(await hits().locator('.name mark').allTextContents(), ['Expedition']);
});

test('a hit opens in the preview, and Escape closes it', async () => {
  await search('albatross', 2);
  await hits().filter({ hasText: 'Expedition diary' }).click();
  const pane = page.getByRole('complementary', { name: 'Preview of Expedition diary.txt' });
  await pane.getByText('On the third day we saw an').first().waitFor();
  assert.ok((await pane.locator('mark').allTextContents()).includes('albatross'));
  await picture('preview');
  await page.keyboard.press('Escape');
  await pane.waitFor({ state: 'detached' });
});

test('keys do it all: slash, arrows, Enter', async () => {
  await page.goto(`${process.env.SERVER_URL}/files`);
  await row('Third note.txt').waitFor();
  await page.keyboard.press('/');
  assert.equal(await box().evaluate((input) => input === document.activeElement), true);
  await page.keyboard.type('albatross');
  await hits().nth(1).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.locator('#hit-1[aria-selected="true"]').waitFor();
  assert.equal(await box().getAttribute('aria-activedescendant'), 'hit-1');
  await page.keyboard.press('ArrowUp');
  const name = (await page.locator('#hit-0[aria-selected="true"] .name').textContent()).trim();
  await page.keyboard.press('Enter');
  await page.getByRole('complementary', { name: `Preview of ${name}` }).waitFor();
});

test('words of a file are shown as they are, never run', async () => {
  await page.goto(`${process.env.SERVER_URL}/files`);
  const text = '<img src=x onerror="window.ran = true"><script>window.ran = true</script> wolverine';
  await drop([{ name: '<b>bold<b>.html', type: 'text/html', text }]);
  await page.getByRole('region', { name: 'Uploads' }).getByText('1 file uploaded').waitFor();
  await go('Search');
  await search('bold', 1);
  assert.equal((await hits().locator('.name').textContent()).trim(), '<b>bold<b>.html');
  await hits().click();
  await page.getByRole('complementary').waitFor();
  assert.equal(await page.evaluate(() => window.ran), undefined);
});

test('signing out ends the session, and signing in begins one', async () => {
  await page.goto(`${process.env.SERVER_URL}/settings`);
  await page.locator('button:enabled', { hasText: 'Sign out' }).first().click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.goto(`${process.env.SERVER_URL}/files`);
  await page.getByLabel('Email').fill(process.env.EMAIL);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await row('Third note.txt').waitFor();
});

test('a phone has it all on one page', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${process.env.SERVER_URL}/?q=albatross`);
  await hits().nth(1).waitFor();
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(overflow <= 0, `${overflow} pixels too wide`);
  await picture('phone');
});

test('nothing complained', () => assert.deepEqual(complaints, []));
