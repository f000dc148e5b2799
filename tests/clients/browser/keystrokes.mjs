// How long a person waits for results: from a key press until the frame that shows the answer to the words as they then stand in the box.
//
//   node tests/clients/browser/keystrokes.mjs                        all of it: makes a corpus, starts a server that imports it, waits until
//                                                                    all is found, measures, and takes everything away again
//     --firefly target/release/firefly  --files 150000  --words 40  --minutes 30
//   node tests/clients/browser/keystrokes.mjs --url URL --token FILE measures a running server with files in it; FILE is DIR/admin.token or
//                                                                    holds any account's token
//
// Needs Chromium (BROWSER: its path); playwright-core is taken from NODE_MODULES, or from where the tests have put it, or fetched there.
// The words come from the files themselves; each key is pressed when the answer to the one before was painted, and 120 ms after it at the
// soonest, as fast typists do. TMPDIR is where corpus and data lie meanwhile.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = resolve(import.meta.dirname, '../../..');
const DRIVER = 'playwright-core@1.65.1';
const BETWEEN_MS = 120;
const LOOK_MS = 1_000;
const BYTES_A_FILE = 4_000;
const LETTERS = 'etaoinshrdlu';

const { values: asked } = parseArgs({
  options: {
    url: { type: 'string' }, token: { type: 'string' }, firefly: { type: 'string', default: join(ROOT, 'target/release/firefly') },
    files: { type: 'string', default: '150000' }, words: { type: 'string', default: '40' }, minutes: { type: 'string', default: '30' },
  },
});

const pause = (ms) => new Promise((later) => setTimeout(later, ms));

/** The browser's driver, from where it is. */
function driver() {
  const installed = join(ROOT, 'target/tmp/node-browser');
  const modules = process.env.NODE_MODULES ?? join(installed, 'node_modules');
  if (!existsSync(join(modules, 'playwright-core'))) succeed('npm', ['install', '--no-audit', '--no-fund', '--silent', '--no-save', '--prefix', installed, DRIVER]);
  return createRequire(`${modules}/`)('playwright-core').chromium;
}

function succeed(program, words) {
  const { status, error, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${error ?? stderr}`);
}

async function post(url, headers, route, argument) {
  const answer = await fetch(`${url}/2/firefly/${route}`, { method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify(argument) });
  if (!answer.ok) throw new Error(`${route}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const bearer = async (file) => ({ Authorization: `Bearer ${(await readFile(file, 'utf8')).trim()}` });

const freePort = () =>
  new Promise((found) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });

/** Makes files, has a server of its own import them, and measures once all of them are found. */
async function whole() {
  const folder = await mkdtemp(join(tmpdir(), 'firefly-keystrokes-'));
  const [corpus, data, files] = [join(folder, 'corpus'), join(folder, 'data'), Number(asked.files)];
  let server;
  const end = async () => {
    server?.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 500 });
  };
  const late = setTimeout(async () => {
    console.error(`not done after ${asked.minutes} minutes`);
    await end();
    process.exit(1);
  }, 60_000 * Number(asked.minutes));
  try {
    succeed(asked.firefly, ['bench', 'corpus', corpus, '--files', String(files), '--bytes', String(BYTES_A_FILE)]);
    const url = `http://127.0.0.1:${await freePort()}`;
    const log = await open(join(folder, 'log'), 'w');
    const begun = Date.now();
    server = spawn(asked.firefly, ['serve', '--data', data, '--listen', new URL(url).host, '--import', corpus], { stdio: ['ignore', log.fd, log.fd] });
    for (let seen = { files: 0 }; seen.files < files || seen.waiting > 0; await pause(LOOK_MS)) {
      if (server.exitCode !== null) throw new Error(await readFile(join(folder, 'log'), 'utf8'));
      // Until it serves, nobody answers.
      seen = await bearer(join(data, 'admin.token')).then((headers) => post(url, headers, 'index_status', {})).catch(() => seen);
    }
    console.log(`${files} files are found after ${Math.round((Date.now() - begun) / 1000)} s`);
    await measure(url, await bearer(join(data, 'admin.token')));
  } finally {
    clearTimeout(late);
    await end();
  }
}

/** Different words of the files' own, spread over what the letters find. */
async function vocabulary(url, headers, wanted) {
  const words = new Set();
  for (const letter of LETTERS) {
    const { hits } = await post(url, headers, 'search', { query: letter, options: { max_results: 100, facets: false, as_you_type: true } });
    const found = hits.flatMap((hit) => hit.snippet.text.match(/\p{L}{4,10}/gu) ?? []).map((word) => word.toLowerCase());
    for (const word of found.filter((_, at) => at % 7 === 0).slice(0, Math.ceil(wanted / LETTERS.length) + 1)) words.add(word);
  }
  return [...words].slice(0, wanted);
}

/** Runs in the page: `painted(words)` is when the frame with their answer was shown, on the clock of events. */
function watch() {
  const waiting = new Map();
  window.pressed = 0;
  addEventListener('keydown', (event) => (window.pressed = event.timeStamp), true);
  const look = () => {
    const words = document.querySelector('#hits')?.getAttribute('data-words');
    const tell = words === null || words === undefined ? undefined : waiting.get(words);
    if (!tell) return;
    waiting.delete(words);
    // The frame that has it is painted after its callbacks: the next task comes after that.
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => tell(performance.now() - window.pressed);
      port2.postMessage(null);
    });
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-words'] });
  window.painted = (words) => new Promise((tell) => {
    waiting.set(words, tell);
  });
}

const rank = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
function line(name, values) {
  const sorted = values.filter((value) => typeof value === 'number').sort((a, b) => a - b);
  const [p50, p95, max] = [rank(sorted, 0.5), rank(sorted, 0.95), sorted.at(-1) ?? Number.NaN];
  console.log(`${name.padEnd(28)} ${String(sorted.length).padStart(5)}   p50 ${p50.toFixed(1).padStart(7)} ms   p95 ${p95.toFixed(1).padStart(7)} ms   max ${max.toFixed(1).padStart(7)} ms`);
}

/** What the page's main thread has spent so far, milliseconds: on a busy machine that says more than the clock. */
const SPENT = { thread: 'ThreadTime', script: 'ScriptDuration', style: 'RecalcStyleDuration', layout: 'LayoutDuration' };

async function measure(url, headers) {
  const words = await vocabulary(url, headers, Number(asked.words));
  if (!words.length) throw new Error('nothing to type: no file has words');
  const browser = await driver().launch({ executablePath: process.env.BROWSER ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  const page = await (await browser.newContext({ viewport: { width: 1360, height: 850 }, extraHTTPHeaders: headers })).newPage();
  await page.addInitScript(watch);
  await page.goto(url);
  const box = page.locator('#search');
  await box.waitFor();
  const thread = await page.context().newCDPSession(page);
  await thread.send('Performance.enable');
  const spent = async () => {
    const { metrics } = await thread.send('Performance.getMetrics');
    return Object.fromEntries(Object.entries(SPENT).map(([name, counter]) => [name, 1000 * (metrics.find((metric) => metric.name === counter)?.value ?? Number.NaN)]));
  };
  const all = [];
  const server = [];
  page.on('response', async (response) => {
    if (response.url().endsWith('/2/firefly/search')) server.push((await response.json().catch(() => ({}))).took_ms);
  });
  for (const [at, word] of words.entries()) {
    await box.fill('');
    await page.waitForTimeout(BETWEEN_MS);
    for (let letters = 1; letters <= word.length; letters += 1) {
      const before = await spent();
      const painted = page.evaluate((typed) => window.painted(typed), word.slice(0, letters));
      await page.keyboard.press(word[letters - 1]);
      const ms = await painted;
      const after = await spent();
      // The first word warms up what every word needs.
      if (at) all.push({ letters, ms, ...Object.fromEntries(Object.keys(SPENT).map((name) => [name, after[name] - before[name]])) });
      await page.waitForTimeout(BETWEEN_MS);
    }
  }
  await browser.close();
  line('every key', all.map(({ ms }) => ms));
  for (const letters of [...new Set(all.map((key) => key.letters))].sort((a, b) => a - b)) {
    line(`${letters} ${letters === 1 ? 'letter' : 'letters'}`, all.filter((key) => key.letters === letters).map(({ ms }) => ms));
  }
  line('the search itself', server);
  line('main thread', all.map(({ thread }) => thread));
  for (const name of ['script', 'style', 'layout']) line(`  of it ${name}`, all.map((key) => key[name]));
}

if (asked.url && asked.token) await measure(asked.url, await bearer(asked.token));
else await whole();
