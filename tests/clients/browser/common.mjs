// What all tests of the page share: people with accounts, browsers, pictures, and files to drop.
// Environment: SERVER_URL, WELCOME_URL (the administrator's one-time link), EMAIL, NODE_MODULES (has playwright-core and axe-core),
// BROWSER (its path), and PICTURES, a folder for screenshots, where those are wanted.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { chromium } = require('playwright-core');
export const SERVER = process.env.SERVER_URL;
export const PASSWORD = 'lantern gravel nine';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
const WAIT_MS = 60_000;

/** What no page may ever say: a refused script, an error nobody caught, words of a script that came with a file. */
const complaints = [];
/** Nothing that came with a file or a name has run, or tried to, or called home. */
export const unharmed = () => assert.deepEqual(complaints, []);
let browser;

async function post(route, argument, headers = {}) {
  const answer = await fetch(`${SERVER}/2/${route}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(argument),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${route}: ${answer.status} ${text}`);
  return { answer, body: text ? JSON.parse(text) : null };
}

/** Somebody with an account: `token` for the API, `cookie` for browsers. */
async function claim(url, email) {
  const { answer, body } = await post('firefly/session/claim', { code: new URL(url).hash.slice(1), password: PASSWORD });
  const cookie = answer.headers.get('set-cookie').split(';')[0];
  const { body: made } = await post('firefly/token/create', { name: 'test' }, { Cookie: cookie, 'X-Firefly-Csrf': body.csrf_token });
  return person(email, made.token, cookie);
}

function person(email, token, cookie) {
  const headers = { Authorization: `Bearer ${token}` };
  return {
    email, token, cookie,
    rpc: async (route, argument) => (await post(route, argument, headers)).body,
    upload: async (path, content, more = {}) => {
      const answer = await fetch(`${SERVER}/2/files/upload`, {
        method: 'POST',
        headers: { ...headers, 'Content-Type': 'application/octet-stream', 'Dropbox-API-Arg': JSON.stringify({ path, mode: 'overwrite', ...more }).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`) },
        body: content,
      });
      assert.ok(answer.ok, `${path}: ${await answer.clone().text()}`);
      return answer.json();
    },
  };
}

/** The administrator, by the one-time link that the first start printed. */
export const administrator = () => claim(process.env.WELCOME_URL, process.env.EMAIL);

/** Another account, made by the administrator. */
export async function another(admin, name) {
  const email = `${name}@example.org`;
  const { invite_url } = await admin.rpc('firefly/account/create', { email, name });
  return claim(invite_url, email);
}

/** What each page has asked for and has no answer to yet. */
const asked = new WeakMap();

/** The event stream never ends, and what a document asked for ends with it. */
function watch(page) {
  const open = new Set();
  asked.set(page, open);
  page.on('request', (request) => {
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) open.clear();
    if (!request.url().includes('/2/firefly/events')) open.add(request);
  });
  for (const end of ['requestfinished', 'requestfailed']) page.on(end, (request) => open.delete(request));
}

/** Waits until a page has all it asked for, and shows it: nothing on its way, nothing fading. */
export const settled = (page) =>
  until(async () => {
    if (asked.get(page).size) return false;
    await page.evaluate(async () => {
      const frame = () => new Promise((shown) => requestAnimationFrame(shown));
      await frame();
      await frame();
      const ending = document.getAnimations().filter((one) => one.effect?.getComputedTiming().endTime !== Infinity);
      await Promise.allSettled(ending.map((one) => one.finished));
    });
    return !asked.get(page).size;
  }, () => `answers to ${[...asked.get(page)].map((request) => request.url())}`);

/** A browser window of somebody, or of nobody: one in which nothing moves, so that whatever is seen is there. */
export async function window_of(someone, options = {}) {
  browser ??= await chromium.launch({ executablePath: process.env.BROWSER, args: FLAGS });
  const context = await browser.newContext({ viewport: { width: 1360, height: 850 }, locale: 'en-GB', permissions: ['clipboard-write'], reducedMotion: 'reduce', ...options });
  if (someone) {
    const [name, ...value] = someone.cookie.split('=');
    await context.addCookies([{ name, value: value.join('='), url: SERVER, httpOnly: true, sameSite: 'Strict' }]);
  }
  await context.addInitScript(() => {
    const tell = () => console.error('Uncaught: a script that is none of ours has run');
    Object.defineProperty(window, 'ran', { set: tell });
    window.alert = tell;
  });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|Uncaught|Refused/.test(message.text())) complaints.push(message.text());
  });
  watch(page);
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== SERVER) complaints.push(`asked another host: ${request.url()}`);
  });
  return page;
}

export const end = async () => {
  await browser?.close();
  unharmed();
};

export const box = (page) => page.getByRole('combobox', { name: 'Search everything you can see' });
export const hits = (page) => page.getByRole('listbox', { name: 'Results' }).getByRole('option');
export const row = (page, name) => page.getByRole('grid', { name: 'Files and folders' }).getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
export const link = (page, name) => page.getByRole('main').getByRole('link', { name, exact: true });
export const pane = (page, name) => page.getByRole('complementary', { name: `Preview of ${name}` });
export const go = (page, place) => page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: place, exact: true }).click();
export const open = (page, address) => page.goto(SERVER + address);
export const toast = (page, words) => page.getByRole('status').filter({ hasText: words }).first();

/** Keeps a picture where pictures are wanted. */
export async function picture(page, name) {
  if (!process.env.PICTURES) return;
  for (const toast of await page.locator('.toast').all()) await toast.evaluate((element) => (element.style.visibility = 'hidden')).catch(() => {});
  await page.mouse.move(0, 0);
  await settled(page);
  await page.screenshot({ path: `${process.env.PICTURES}/${name}.png` });
}

/** Drops files onto the page, as a desktop does. */
export async function drop(page, files) {
  const transfer = await page.evaluateHandle((dropped) => {
    const made = new DataTransfer();
    for (const { name, type, text } of dropped) made.items.add(new File([text], name, { type }));
    return made;
  }, files);
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: transfer });
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
}

/** Waits until something holds: what was saved a moment ago may still be read. */
export async function until(holds, what, ms = 90_000) {
  for (const end = Date.now() + ms; ;) {
    if (await holds()) return;
    if (Date.now() > end) throw new Error(`not in time: ${typeof what === 'function' ? what() : what}`);
    await new Promise((again) => setTimeout(again, 250));
  }
}

/** Waits until a file's words are searchable. */
export const searchable = (someone, path) =>
  until(async () => (await someone.rpc('firefly/index_status', { path })).state === 'indexed', path);

/** Types words until they have this many hits. */
export async function search(page, words, count) {
  const until_ms = Date.now() + 90_000;
  for (;;) {
    await box(page).fill('');
    await box(page).fill(words);
    try {
      await hits(page).nth(count - 1).waitFor({ timeout: 1500 });
      if ((await hits(page).count()) === count) return;
    } catch (error) {
      if (Date.now() > until_ms) throw error;
    }
    if (Date.now() > until_ms) throw new Error(`${await hits(page).count()} hits for ${words}`);
  }
}
