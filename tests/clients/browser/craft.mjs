// Every page for everybody: no violation that axe finds, in light and dark; little script to start with; nothing hostile runs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { administrator, another, box, end, hits, link, open, pane, search, searchable, SERVER, until, window_of } from './common.mjs';

const AXE = readFileSync(`${process.env.NODE_MODULES}/axe-core/axe.min.js`, 'utf8');
const MOST_SCRIPT_BYTES = 150 * 1024;
const NAME = '<b onmouseover=alert(1)>bold<b>.html';
const EVIL = '<img src=x onerror="window.ran = true"><script>window.ran = true</script> wolverine\n';
let admin, page;

before(async () => {
  admin = await administrator();
  await another(admin, 'bob');
  for (const [path, text] of [['/Team/Minutes.txt', 'the wolverine was discussed\n'], ['/Team/Plan.md', '# Plan\n\n[home](https://example.org) `x`\n'], ['/Team/tool.py', 'print("wolverine")  # here\n'], [`/${NAME}`, EVIL], ['/evil.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>parent.ran = true</script></svg>'], ['/gone.txt', 'x']]) await admin.upload(path, text);
  await admin.rpc('files/delete_v2', { path: '/gone.txt' });
  const { shared_folder_id } = await admin.rpc('sharing/share_folder', { path: '/Team', force_async: false });
  await admin.rpc('sharing/add_folder_member', { shared_folder_id, members: [{ member: { '.tag': 'email', email: 'bob@example.org' }, access_level: 'editor' }] });
  await admin.rpc('sharing/create_shared_link_with_settings', { path: '/Team/Plan.md' });
  await admin.rpc('firefly/searches/save', { name: 'Animals', search: 'q=wolverine' });
  await admin.rpc('firefly/searches/note', { search: 'q=minutes' });
  await searchable(admin, '/Team/Minutes.txt');
  await searchable(admin, '/Team/tool.py');
  page = await window_of(admin, { bypassCSP: false });
});
after(end);

/** What axe finds on the page as it is. Its script comes by the debugger, past the page's policy. */
async function violations(what) {
  await page.evaluate(`(() => { ${AXE}; window.axe = axe; })()`);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} (${node.any[0]?.message ?? node.all[0]?.message ?? node.none[0]?.message})`).join(' | ')}`);
}

const PLACES = {
  home: ['/', () => page.getByRole('heading', { name: 'Saved searches' }).waitFor()],
  results: ['/search?q=wolverine', () => hits(page).first().waitFor()],
  'no results': ['/search?q=qqqq', () => page.getByText('Nothing found').waitFor()],
  files: ['/files/Team', () => link(page, 'Plan.md').waitFor()],
  empty: ['/files/none', () => page.getByText('This folder is not here any more').waitFor()],
  details: ['/files/Team?open=%2FTeam%2FMinutes.txt&pane=details', () => page.getByText('the present one').waitFor()],
  'folder details': ['/files?open=%2FTeam', () => page.getByText('Who can see this').waitFor()],
  text: ['/search?q=wolverine&open=%2FTeam%2FMinutes.txt', () => pane(page, 'Minutes.txt').locator('mark').first().waitFor()],
  code: ['/search?q=wolverine&open=%2FTeam%2Ftool.py', () => pane(page, 'tool.py').locator('.hljs-string').first().waitFor()],
  markdown: ['/files/Team?open=%2FTeam%2FPlan.md', () => pane(page, 'Plan.md').getByRole('heading', { name: 'Plan', exact: true }).waitFor()],
  shared: ['/shared', () => page.getByRole('heading', { name: 'Links' }).waitFor()],
  trash: ['/trash', () => page.getByText('gone.txt').waitFor()],
  settings: ['/settings', () => page.getByText('Old versions', { exact: true }).waitFor()],
  security: ['/settings/security', () => page.getByText('this one').waitFor()],
  coverage: ['/settings/search', () => page.getByText('Everything has been read').waitFor()],
  state: ['/admin', () => page.getByRole('cell', { name: /bytes/ }).first().waitFor()],
  import: ['/admin/import', () => page.getByText('No folder of this server may be imported').waitFor()],
  activity: ['/admin/activity', () => page.getByText('made an account').nth(1).waitFor()],
  missing: ['/files/../nowhere', () => page.waitForTimeout(0)],
};

for (const theme of ['light', 'dark']) {
  test(`axe finds nothing, ${theme}`, async () => {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const found = [];
    for (const [what, [place, ready]] of Object.entries(PLACES)) {
      if (what === 'missing') continue;
      await open(page, place);
      await ready();
      found.push(...(await violations(`${theme} ${what}`)));
    }
    await open(page, '/files/Team');
    await link(page, 'Plan.md').waitFor();
    await page.getByRole('button', { name: 'Show as a grid' }).click();
    found.push(...(await violations(`${theme} grid`)));
    await page.getByRole('button', { name: 'Show as a list' }).click();
    for (const [what, button] of [['new folder', 'New folder'], ['share', 'Share']]) {
      await page.getByRole('button', { name: button, exact: true }).first().click();
      await page.getByRole('dialog').waitFor();
      await page.waitForLoadState('networkidle').catch(() => {});
      found.push(...(await violations(`${theme} ${what}`)));
      await page.keyboard.press('Escape');
    }
    await page.getByRole('button', { name: 'What to do with Plan.md' }).click();
    found.push(...(await violations(`${theme} menu`)));
    assert.deepEqual(found, []);
  });
}

test('axe finds nothing on the sign-in page and on a phone', async () => {
  const found = [];
  await page.setViewportSize({ width: 390, height: 844 });
  for (const [what, [place, ready]] of Object.entries(PLACES)) {
    if (!['home', 'results', 'files', 'settings', 'state', 'activity'].includes(what)) continue;
    await open(page, place);
    await ready();
    found.push(...(await violations(`phone ${what}`)));
  }
  await page.setViewportSize({ width: 1360, height: 850 });
  const mine = page;
  page = await window_of(null);
  await open(page, '/');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  found.push(...(await violations('sign-in')));
  page = mine;
  assert.deepEqual(found, []);
});

test('the first load takes little script, from this host alone', async () => {
  const fresh = await window_of(admin);
  const sizes = [];
  fresh.on('response', async (response) => {
    if (response.request().resourceType() !== 'script') return;
    sizes.push(response.body().then(async (body) => (await gzip(body)).length));
  });
  await open(fresh, '/');
  await box(fresh).waitFor();
  await fresh.waitForLoadState('networkidle').catch(() => {});
  const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  assert.ok(total > 10_000 && total < MOST_SCRIPT_BYTES, `${total} bytes`);
  await fresh.context().close();
});

async function gzip(bytes) {
  const { gzipSync } = await import('node:zlib');
  return gzipSync(bytes);
}

test('the policy allows no inline script and no inline style', async () => {
  const policy = (await fetch(SERVER)).headers.get('content-security-policy');
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*/);
});

test('names, snippets and previews show markup as text', async () => {
  await open(page, '/files');
  await link(page, NAME).waitFor();
  await open(page, '/');
  await search(page, 'bold', 1);
  assert.equal((await hits(page).locator('.name').textContent()).trim(), NAME);
  await until(async () => (await hits(page).locator('.snippet').count()) === 1, 'a snippet').catch(() => {});
  await hits(page).click();
  await pane(page, NAME).waitFor();
  await open(page, '/files?open=%2Fevil.svg');
  await pane(page, 'evil.svg').locator('img').waitFor();
  assert.equal(await page.evaluate(() => window.ran), undefined);
});

test('a hostile file opened by itself is shut in', async () => {
  const answer = await fetch(`${SERVER}/2/firefly/preview?arg=${encodeURIComponent(JSON.stringify({ path: '/evil.svg' }))}`, { headers: { Authorization: `Bearer ${admin.token}` } });
  assert.match(answer.headers.get('content-security-policy'), /default-src 'none'.*sandbox/);
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  const html = await fetch(`${SERVER}/2/firefly/preview?arg=${encodeURIComponent(JSON.stringify({ path: `/${NAME}` }))}`, { headers: { Authorization: `Bearer ${admin.token}` } });
  assert.equal(html.headers.get('content-type'), 'text/plain; charset=utf-8');
});
