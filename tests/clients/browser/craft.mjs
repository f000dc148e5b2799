// Every page for everybody: no violation that axe finds, in light and dark; little script to start with; nothing hostile runs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { administrator, another, box, drop, end, go, hits, link, open, pane, PASSWORD, row, search, searchable, SERVER, settled, unharmed, until, window_of } from './common.mjs';

const AXE = readFileSync(`${process.env.NODE_MODULES}/axe-core/axe.min.js`, 'utf8');
const MOST_SCRIPT_BYTES = 150 * 1024;
const NAME = '<b onmouseover=alert(1)>bold<b>.html';
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const MAIL = 'From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nSubject: A <b>wolverine</b>\r\nDate: Mon, 5 Feb 2024 10:00:00 +0000\r\n\r\n<script>window.ran = true</script> seen\r\n';
const PDF = '%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>\nendobj\ntrailer << /Size 4 /Root 1 0 R >>\n%%EOF';
const EVIL = '<img src=x onerror="window.ran = true"><script>window.ran = true</script> wolverine\n';
const MARKUP = '<img src=x onerror="window.ran = true">';
let admin, bob, page, shared, url, welcome;

before(async () => {
  admin = await administrator();
  bob = await another(admin, 'bob');
  for (const [path, text] of [['/Team/Minutes.txt', 'the wolverine was discussed\n'], ['/Team/Plan.md', '# Plan\n\n[home](https://example.org) `x`\n'], ['/Team/tool.py', 'print("wolverine")  # here\n'], [`/${NAME}`, EVIL], ['/evil.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>parent.ran = true</script></svg>'], ['/gone.txt', 'x'], ['/photo.png', PNG], ['/letter.eml', MAIL], ['/paper.pdf', PDF], [`/${MARKUP}/wolverine in it.txt`, 'x'], ['/hostile.txt', `${MARKUP} a quagga`]]) await admin.upload(path, text);
  await admin.rpc('files/delete_v2', { path: '/gone.txt' });
  shared = (await admin.rpc('sharing/share_folder', { path: '/Team', force_async: false })).shared_folder_id;
  await admin.rpc('sharing/add_folder_member', { shared_folder_id: shared, members: [{ member: { '.tag': 'email', email: 'bob@example.org' }, access_level: 'editor' }] });
  ({ url } = await admin.rpc('sharing/create_shared_link_with_settings', { path: '/Team' }));
  ({ invite_url: welcome } = await admin.rpc('firefly/account/create', { email: 'new@example.org', name: MARKUP }));
  await admin.rpc('firefly/groups/create', { name: `Group ${MARKUP}` });
  await admin.rpc('firefly/invitations/create', { shared_folder_id: shared, email: 'guest@example.net', access_level: { '.tag': 'viewer' } });
  await admin.rpc('firefly/searches/save', { name: 'Animals', search: 'q=wolverine' });
  await admin.rpc('firefly/searches/note', { search: 'q=minutes' });
  await bob.upload('/Way.txt', 'a walk along the shore');
  await searchable(admin, '/Team/Minutes.txt');
  await searchable(admin, '/Team/tool.py');
  await searchable(admin, '/hostile.txt');
});
after(end);

/** What axe finds on the page as it is, once it has come to rest. Its script comes by the debugger, past the page's policy. */
async function violations(what) {
  await page.evaluate(`(() => { ${AXE}; window.axe = axe; })()`);
  await settled(page);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} (${node.any[0]?.message ?? node.all[0]?.message ?? node.none[0]?.message})`).join(' | ')}`);
}

const nothing = (found) => assert.equal(found.join('\n'), '');

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
  mail: ['/files?open=%2Fletter.eml', () => pane(page, 'letter.eml').getByText('seen').waitFor()],
  pdf: ['/files?open=%2Fpaper.pdf', () => pane(page, 'paper.pdf').locator('canvas').waitFor()],
  image: ['/files?open=%2Fphoto.png', () => pane(page, 'photo.png').locator('.stage img').waitFor()],
  shared: ['/shared', () => page.getByRole('heading', { name: 'Links' }).waitFor()],
  trash: ['/trash', () => page.getByText('gone.txt').waitFor()],
  settings: ['/settings', () => page.getByText('Old versions', { exact: true }).waitFor()],
  security: ['/settings/security', () => page.getByText('this device').waitFor()],
  coverage: ['/settings/search', () => page.getByText('Everything has been read').waitFor()],
  state: ['/admin', () => page.getByRole('cell', { name: /bytes/ }).first().waitFor()],
  people: ['/admin/people', () => page.getByRole('button', { name: 'Let in guest@example.net' }).or(page.getByText('waits for the guest')).first().waitFor()],
  groups: ['/admin/groups', () => page.getByText('0 people').waitFor()],
  import: ['/admin/import', () => page.getByText('No folder of this server may be imported').waitFor()],
  activity: ['/admin/activity', () => page.getByText('made an account').nth(1).waitFor()],
};

/** What axe finds on every place, in a window of its own: nothing is left over of other tests. */
async function placesIn(what, options) {
  page = await window_of(admin, options);
  const found = [];
  for (const [name, [place, ready]] of Object.entries(PLACES)) {
    await open(page, place);
    await ready();
    found.push(...(await violations(`${what} ${name}`)));
  }
  await page.context().close();
  return found;
}

/** Shuts what is open above the page, and waits until it is gone. */
async function shut(role) {
  await page.keyboard.press('Escape');
  await page.getByRole(role).waitFor({ state: 'detached' });
}

async function menu(name, item) {
  await page.getByRole('button', { name: `What to do with ${name}` }).click();
  if (item) await page.getByRole('menuitem', { name: item, exact: true }).click();
  await page.getByRole(item ? 'dialog' : 'menu').waitFor();
}

for (const theme of ['light', 'dark']) {
  test(`axe finds nothing on any page, ${theme}`, async () => nothing(await placesIn(theme, { colorScheme: theme })));

  test(`axe finds nothing in dialogs, menus and panels, ${theme}`, async () => {
    page = await window_of(admin, { colorScheme: theme });
    const found = [];
    const judge = async (what) => found.push(...(await violations(`${theme} ${what}`)));
    const dialog = page.getByRole('dialog');
    await open(page, '/files/Team');
    await link(page, 'Plan.md').waitFor();
    await page.getByRole('button', { name: 'Show as a grid' }).click();
    await judge('grid');
    await page.getByRole('button', { name: 'Show as a list' }).click();
    for (const button of ['New folder', 'Share']) {
      await page.getByRole('button', { name: button, exact: true }).first().click();
      await dialog.waitFor();
      await judge(button);
      await shut('dialog');
    }
    await menu('Plan.md');
    await judge('menu');
    await shut('menu');
    for (const item of ['Share', 'Move']) {
      await menu('Plan.md', item);
      await judge(`${item} a file`);
      await shut('dialog');
    }
    await page.getByRole('button', { name: 'More', exact: true }).click();
    await page.getByRole('menuitem', { name: 'Back in time' }).click();
    await dialog.getByLabel('The moment').waitFor();
    await judge('back in time');
    await shut('dialog');
    await row(page, 'Plan.md').hover();
    await page.getByRole('checkbox', { name: 'Choose Plan.md' }).click();
    await page.getByRole('toolbar', { name: 'What to do with the chosen ones' }).waitFor();
    await judge('chosen');
    await drop(page, [{ name: 'Plan.md', type: 'text/plain', text: 'another plan' }]);
    const uploads = page.getByRole('region', { name: 'Uploads' });
    await uploads.getByRole('button', { name: 'Keep both' }).waitFor();
    await judge('uploads');
    await uploads.getByRole('button', { name: 'Skip' }).click();
    await uploads.waitFor({ state: 'detached' });
    await open(page, '/files/Team?open=%2FTeam%2FMinutes.txt&pane=details');
    await page.getByRole('button', { name: /^Show the version/ }).click();
    await dialog.waitFor();
    await judge('version');
    await open(page, '/admin/people');
    await menu('bob', 'Suspend');
    await judge('suspend');
    await shut('dialog');
    await open(page, '/admin/groups');
    await page.getByRole('button', { name: `Group ${MARKUP}`, exact: true }).click();
    await dialog.waitFor();
    await judge('group');
    await open(page, '/settings/security');
    await page.getByRole('button', { name: 'Turn on two-step sign-in' }).click();
    await page.getByLabel('Your password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('img', { name: 'The key as a picture to scan' }).waitFor();
    await judge('second step');
    await page.context().close();
    nothing(found);
  });
}

test('axe finds nothing on a phone', async () => nothing(await placesIn('phone', { viewport: { width: 390, height: 844 } })));

test('axe finds nothing on what strangers see', async () => {
  page = await window_of(null);
  const found = [];
  const invited = await admin.rpc('firefly/invitations/create', { shared_folder_id: shared, email: 'guest@example.net', access_level: { '.tag': 'editor' } });
  for (const [what, address, ready] of [
    ['sign-in', new URL(SERVER), () => page.getByRole('heading', { name: 'Sign in' })],
    ['invitation', new URL(invited.url), () => page.getByLabel('Choose a password')],
    ['bad invitation', new URL('/invitation#ff_i_nothing', SERVER), () => page.getByText('This invitation cannot be used')],
    ['welcome', new URL(welcome), () => page.getByRole('button', { name: 'Start' })],
    ['link', new URL(url), () => page.getByRole('link', { name: 'Plan.md' })],
    ['link to a file', new URL(`${new URL(url).pathname}?path=/Plan.md`, SERVER), () => page.getByText('# Plan')],
    ['no link', new URL('/s/nothing', SERVER), () => page.getByRole('heading').first()],
  ]) {
    // Only another document reads a new word behind the #.
    await page.goto('about:blank');
    await page.goto(SERVER + address.pathname + address.search + address.hash);
    await ready().waitFor();
    found.push(...(await violations(what)));
  }
  await page.context().close();
  nothing(found);
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
  await settled(fresh);
  const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  assert.ok(total > 10_000 && total < MOST_SCRIPT_BYTES, `${total} bytes`);
  await fresh.context().close();
});

async function gzip(bytes) {
  const { gzipSync } = await import('node:zlib');
  return gzipSync(bytes);
}

test('a normal run leaves nothing in the console', async () => {
  const fresh = await window_of(null);
  const said = [];
  fresh.on('console', (message) => ['error', 'warning'].includes(message.type()) && said.push(`${message.type()}: ${message.text()} ${message.location().url}`));
  await open(fresh, '/');
  await fresh.getByLabel('Email').fill(bob.email);
  await fresh.getByLabel('Password').fill(PASSWORD);
  await fresh.getByRole('button', { name: 'Sign in' }).click();
  await search(fresh, 'walk', 1);
  await hits(fresh).first().click();
  await pane(fresh, 'Way.txt').locator('mark').first().waitFor();
  await fresh.keyboard.press('Escape');
  for (const place of ['Files', 'Shared', 'Trash', 'Settings']) {
    await go(fresh, place);
    await settled(fresh);
  }
  await fresh.getByRole('button', { name: 'Sign out' }).click();
  await fresh.getByRole('heading', { name: 'Sign in' }).waitFor();
  assert.deepEqual(said, []);
  await fresh.context().close();
});

test('the policy allows no inline script and no inline style', async () => {
  const policy = (await fetch(SERVER)).headers.get('content-security-policy');
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*/);
});

test('names, snippets and previews show markup as text', async () => {
  page = await window_of(admin);
  await open(page, '/files');
  await link(page, NAME).waitFor();
  await open(page, '/');
  await search(page, 'bold', 1);
  assert.equal((await hits(page).locator('.name').textContent()).trim(), NAME);
  await hits(page).click();
  await pane(page, NAME).waitFor();
  await open(page, '/search?q=quagga');
  await hits(page).locator('.snippet').getByText(`${MARKUP} a quagga`).waitFor();
  await open(page, '/search?q=name:wolverine');
  await page.getByRole('complementary', { name: 'Narrow the results' }).getByRole('button', { name: MARKUP }).waitFor();
  await hits(page).first().click();
  await pane(page, 'wolverine in it.txt').getByRole('link', { name: MARKUP }).click();
  await page.getByRole('navigation').getByText(MARKUP).waitFor();
  await open(page, '/files');
  await row(page, MARKUP).hover();
  await page.getByRole('button', { name: `What to do with ${MARKUP}` }).click();
  await page.getByRole('menuitem', { name: 'Share', exact: true }).click();
  await page.getByRole('dialog').getByRole('heading', { name: MARKUP }).waitFor();
  await page.keyboard.press('Escape');
  await open(page, '/admin/groups');
  await page.getByText(`Group ${MARKUP}`).waitFor();
  await open(page, '/admin/people');
  await page.getByText(MARKUP).first().waitFor();
  await open(page, '/admin/activity');
  await page.getByText(MARKUP).first().waitFor();
  for (const [name, shown] of [['letter.eml', 'A <b>wolverine</b>'], ['Plan.md', 'home']]) {
    await open(page, `/files?open=${encodeURIComponent(name === 'Plan.md' ? '/Team/Plan.md' : `/${name}`)}`);
    await pane(page, name).getByText(shown).first().waitFor();
  }
  await open(page, '/files?open=%2Fpaper.pdf');
  await pane(page, 'paper.pdf').locator('canvas').waitFor();
  await open(page, '/files?open=%2Fevil.svg');
  await pane(page, 'evil.svg').locator('img').waitFor();
  unharmed();
});

test('a hostile file opened by itself is shut in', async () => {
  const answer = await fetch(`${SERVER}/2/firefly/preview?arg=${encodeURIComponent(JSON.stringify({ path: '/evil.svg' }))}`, { headers: { Authorization: `Bearer ${admin.token}` } });
  assert.match(answer.headers.get('content-security-policy'), /default-src 'none'.*sandbox/);
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  const html = await fetch(`${SERVER}/2/firefly/preview?arg=${encodeURIComponent(JSON.stringify({ path: `/${NAME}` }))}`, { headers: { Authorization: `Bearer ${admin.token}` } });
  assert.equal(html.headers.get('content-type'), 'text/plain; charset=utf-8');
});
