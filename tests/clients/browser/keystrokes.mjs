// How long a person waits for results: from a key press until the frame that shows the answer to the words as they then stand in the box.
//
//   node tests/clients/browser/keystrokes.mjs URL TOKEN_FILE [WORDS]
//
// against a running server with files in it; TOKEN_FILE is DIR/admin.token or holds any account's token, WORDS is how many are typed (40).
// Needs Chromium (BROWSER: its path) and a node_modules folder with playwright-core (NODE_MODULES). The words come from the files themselves;
// each key is pressed when the answer to the one before was painted, and 120 ms after it at the soonest, as fast typists do.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [url, tokenFile, count = '40'] = process.argv.slice(2);
if (!tokenFile) {
  console.error('usage: node tests/clients/browser/keystrokes.mjs URL TOKEN_FILE [WORDS]');
  process.exit(2);
}
const { chromium } = createRequire(`${process.env.NODE_MODULES ?? `${process.cwd()}/node_modules`}/`)('playwright-core');
const headers = { Authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` };
const BETWEEN_MS = 120;
const LETTERS = 'etaoinshrdlu';

/** Different words of the files' own, spread over what the letters find. */
async function vocabulary(wanted) {
  const words = new Set();
  for (const letter of LETTERS) {
    const answer = await fetch(`${url}/2/firefly/search`, {
      method: 'POST',
      headers: { ...headers, 'Content-Type': 'application/json' },
      body: JSON.stringify({ query: letter, options: { max_results: 100, facets: false, as_you_type: true } }),
    });
    if (!answer.ok) throw new Error(`search: ${answer.status} ${await answer.text()}`);
    const { hits } = await answer.json();
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
  const sorted = [...values].sort((a, b) => a - b);
  const [p50, p95, max] = [rank(sorted, 0.5), rank(sorted, 0.95), sorted.at(-1) ?? Number.NaN];
  console.log(`${name.padEnd(28)} ${String(sorted.length).padStart(5)} keys   p50 ${p50.toFixed(1).padStart(7)} ms   p95 ${p95.toFixed(1).padStart(7)} ms   max ${max.toFixed(1).padStart(7)} ms`);
}

const words = await vocabulary(Number(count));
if (!words.length) throw new Error('nothing to type: no file has words');
const browser = await chromium.launch({ executablePath: process.env.BROWSER ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const page = await (await browser.newContext({ viewport: { width: 1360, height: 850 }, extraHTTPHeaders: headers })).newPage();
await page.addInitScript(watch);
await page.goto(url);
const box = page.locator('#search');
await box.waitFor();
// The page's main thread counts its processor time: on a busy machine that says more than the clock.
const thread = await page.context().newCDPSession(page);
await thread.send('Performance.enable');
const spent = async () => 1000 * ((await thread.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'ThreadTime')?.value ?? Number.NaN);
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
    // The first word warms up what every word needs.
    if (at) all.push({ letters, ms, cpu: (await spent()) - before });
    await page.waitForTimeout(BETWEEN_MS);
  }
}
await browser.close();
line('every key', all.map(({ ms }) => ms));
line('the first letter', all.filter(({ letters }) => letters === 1).map(({ ms }) => ms));
line('the second and third', all.filter(({ letters }) => letters === 2 || letters === 3).map(({ ms }) => ms));
line('the fourth and later', all.filter(({ letters }) => letters > 3).map(({ ms }) => ms));
line('processor, main thread', all.map(({ cpu }) => cpu));
line('the search itself', server.filter((ms) => typeof ms === 'number'));
