// Search: from typing to the hit in its preview, by mouse and by keys; operators, facets, kept searches; a phone's width.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { administrator, another, box, end, go, hits, link, open, pane, picture, row, search, searchable, SERVER, settled, unharmed, until, window_of } from './common.mjs';
import { pdf } from './documents.mjs';

let admin, page;
const press = (key) => page.keyboard.press(key);
const address = () => new URL(page.url()).searchParams;

const MAIL = 'From: Ann Lee <ann@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: The albatross again\r\nDate: Mon, 5 Feb 2024 10:00:00 +0000\r\nContent-Type: text/html\r\n\r\n<p>An albatross &amp; a <b>gull</b>.</p><script>window.ran = true</script><img src="http://example.org/x.png">\r\n';

before(async () => {
  admin = await administrator();
  page = await window_of(admin);
  await admin.upload('/Expedition diary.txt', `${'Nothing but water and wind.\n'.repeat(1500)}On the third day we saw an albatross over the southern sea.\n`);
  await admin.upload('/Shopping.md', '# Saturday\n\n- flour, *butter*\n- a picture of an albatross\n\n<img src=x onerror="window.ran = true">\n[a link](javascript:window.ran=true)\n');
  await admin.upload('/birds/albatross.py', 'def albatross(wings):\n    """A bird."""\n    return "albatross" if wings > 2 else None\n');
  await admin.upload('/birds/Field guide.pdf', pdf(['The robin is small', 'The heron stands', 'The albatross glides', 'The end']));
  await admin.upload('/birds/letter.eml', MAIL);
  await another(admin, 'reader');
  for (const path of ['/Expedition diary.txt', '/Shopping.md', '/birds/albatross.py', '/birds/Field guide.pdf', '/birds/letter.eml']) await searchable(admin, path);
  await open(page, '/');
});
after(end);

test('a typed word shows its hits, in groups and marked', async () => {
  await search(page, 'albatross', 5);
  await page.getByRole('group', { name: 'Found by name' }).getByRole('option', { name: /albatross\.py/ }).waitFor();
  const marks = await page.getByRole('group', { name: 'Found in the text' }).locator('.snippet mark').allTextContents();
  assert.ok(marks.length >= 4 && marks.every((word) => word === 'albatross'), String(marks));
  assert.equal(address().get('q'), 'albatross');
  await page.getByRole('button', { name: 'Light or dark' }).click();
  await page.locator('html[data-theme="dark"]').waitFor();
  await page.getByRole('button', { name: 'Light or dark' }).click();
});

test('facets at the side narrow the results, and the address says so', async () => {
  const side = page.getByRole('complementary', { name: 'Narrow the results' });
  await side.getByRole('button', { name: /^PDFs/ }).click();
  await until(async () => (await hits(page).count()) === 1, 'the PDF alone');
  assert.equal(address().get('type'), 'pdf');
  await page.reload();
  await hits(page).filter({ hasText: 'Field guide.pdf' }).waitFor();
  await side.getByRole('button', { name: /^PDFs/ }).click();
  await side.getByRole('button', { name: /^\.md/ }).click();
  await hits(page).filter({ hasText: 'Shopping.md' }).waitFor();
  await until(async () => (await hits(page).count()) === 1, 'Markdown alone');
  await page.goBack();
  await until(async () => (await hits(page).count()) === 5, 'all again');
  await side.getByRole('button', { name: /^birds/ }).click();
  await until(async () => (await hits(page).count()) === 3, 'one folder alone');
  assert.equal(address().get('in'), '/birds');
  await side.getByRole('button', { name: /^birds/ }).click();
  await until(async () => (await hits(page).count()) === 5, 'all folders again');
});

test('operators are completed with Tab, and are chips to take away', async () => {
  await box(page).fill('albatross ty');
  await page.getByRole('group', { name: 'Completions' }).getByRole('button', { name: /^type:/ }).waitFor();
  await press('Tab');
  assert.equal(await box(page).inputValue(), 'albatross type:');
  await page.keyboard.type('ma');
  await page.getByRole('group', { name: 'Completions' }).getByRole('button', { name: /^mail/ }).waitFor();
  await press('Tab');
  await until(async () => (await hits(page).count()) === 1, 'the mail alone');
  await page.getByRole('button', { name: 'Take away type:mail' }).click();
  await until(async () => (await hits(page).count()) === 5, 'all again');
});

test('words are completed, and typos mended', async () => {
  await box(page).fill('albatr');
  await page.getByRole('group', { name: 'Completions' }).getByRole('button', { name: 'albatross' }).click();
  await until(async () => (await box(page).inputValue()).trim() === 'albatross', 'the whole word');
  await box(page).fill('albartoss ');
  await page.getByText('Nothing has just that.').waitFor();
  await page.getByRole('link', { name: 'albatross', exact: true }).click();
  assert.equal((await box(page).inputValue()).trim(), 'albatross');
  await until(async () => (await hits(page).count()) === 5, 'all of them');
});

test('a hit far down in a text is gone to', async () => {
  await open(page, '/search?q=albatross');
  await hits(page).filter({ hasText: 'Expedition diary' }).click();
  const mark = pane(page, 'Expedition diary.txt').locator('mark').first();
  await mark.waitFor();
  await until(() => mark.evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top > 0 && bottom < innerHeight;
  }), 'the mark in sight');
  await press('Escape');
  await pane(page, 'Expedition diary.txt').waitFor({ state: 'detached' });
});

test('code has colours', async () => {
  await hits(page).filter({ hasText: 'albatross.py' }).click();
  const shown = pane(page, 'albatross.py');
  await shown.locator('.hljs-keyword', { hasText: 'def' }).waitFor();
  assert.ok((await shown.locator('mark').count()) >= 2);
  await shown.getByRole('button', { name: 'The next one' }).click();
  await shown.getByText('2 of').waitFor();
});

test('Markdown is a page, and what is markup in it stays text', async () => {
  await hits(page).filter({ hasText: 'Shopping.md' }).click();
  const shown = pane(page, 'Shopping.md');
  await shown.getByRole('heading', { name: 'Saturday' }).waitFor();
  await shown.locator('em', { hasText: 'butter' }).waitFor();
  await shown.getByText('<img src=x onerror=').waitFor();
  assert.equal(await shown.locator('img').count(), 0);
  assert.equal(await shown.getByRole('link', { name: 'a link' }).count(), 0);
  await shown.locator('mark', { hasText: 'albatross' }).waitFor();
});

test('a PDF opens at the page of the hit, marked', async () => {
  await hits(page).filter({ hasText: 'Field guide.pdf' }).click();
  const shown = pane(page, 'Field guide.pdf');
  await shown.locator('[data-page="3"] mark', { hasText: 'albatross' }).waitFor();
  await until(() => shown.locator('[data-page="3"]').evaluate((element) => Math.abs(element.getBoundingClientRect().top) < innerHeight), 'the third page in sight');
});

test('a mail has its head, and nothing in it runs or is fetched', async () => {
  await hits(page).filter({ hasText: 'letter.eml' }).click();
  const shown = pane(page, 'letter.eml');
  await shown.getByRole('heading', { name: 'The albatross again' }).waitFor();
  await shown.getByText('Ann Lee <ann@example.org>').waitFor();
  await shown.getByText('An albatross & a gull.').waitFor();
  unharmed();
  await press('Escape');
});

test('an old version is a hit that opens as it was', async () => {
  await admin.upload('/birds/List.txt', 'a petrel was seen\n');
  await admin.upload('/birds/List.txt', 'nothing was seen\n');
  await searchable(admin, '/birds/List.txt');
  await open(page, '/');
  await search(page, 'petrel version:any', 1);
  await hits(page).first().getByText('as it was on').waitFor();
  await hits(page).first().click();
  const shown = pane(page, 'List.txt');
  await shown.locator('mark', { hasText: 'petrel' }).waitFor();
  await shown.getByText('As it was on').waitFor();
  await picture(page, 'old-version');
  await page.reload();
  await shown.getByText('petrel').waitFor();
  await shown.getByRole('button', { name: 'Show the present one' }).click();
  await shown.getByText('nothing was seen').waitFor();
  assert.equal(address().get('rev'), null);
  await press('Escape');
});

test('keys do it all: slash, arrows, Enter, Escape', async () => {
  await open(page, '/files');
  await link(page, 'Shopping.md').waitFor();
  await press('/');
  assert.equal(await box(page).evaluate((input) => input === document.activeElement), true);
  await page.keyboard.type('albatross');
  await hits(page).nth(4).waitFor();
  await press('ArrowDown');
  await press('ArrowDown');
  await page.locator('#hit-1[aria-selected="true"]').waitFor();
  assert.equal(await box(page).getAttribute('aria-activedescendant'), 'hit-1');
  await press('ArrowUp');
  const name = (await page.locator('#hit-0[aria-selected="true"] .name').textContent()).trim();
  await press('Enter');
  await pane(page, name).waitFor();
  await press('Escape');
  await pane(page, name).waitFor({ state: 'detached' });
  await press('Escape');
  assert.equal(await box(page).inputValue(), '');
});

test('searches are saved, remembered and forgotten', async () => {
  await open(page, '/search?q=albatross&type=pdf');
  await page.getByRole('button', { name: 'Save this search' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Birds in print');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('button', { name: 'Saved' }).waitFor();
  await go(page, 'Search');
  await page.getByRole('link', { name: 'Birds in print' }).waitFor();
  await page.getByRole('heading', { name: /Searched lately/ }).waitFor();
  await page.getByRole('link', { name: 'Birds in print' }).click();
  assert.equal(address().get('type'), 'pdf');
  await go(page, 'Search');
  await page.getByRole('button', { name: 'Forget the search Birds in print' }).click();
  await page.getByRole('link', { name: 'Birds in print' }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Forget them' }).click();
  await page.getByRole('heading', { name: /Searched lately/ }).waitFor({ state: 'detached' });
});

/** What lies beyond the right edge of the window, or of the dialog, and cannot be scrolled to. */
const cutOff = () =>
  page.evaluate(() => {
    const scrolls = (element) => element && (/auto|scroll/.test(getComputedStyle(element).overflowX) ? element.tagName !== 'DIALOG' : scrolls(element.parentElement));
    const found = [];
    for (const element of document.querySelectorAll('a, button, input, select, p, span, h1, h2, h3, td, th, dt, dd, label')) {
      const { right, width, height } = element.getBoundingClientRect();
      const edge = (element.closest('dialog') ?? document.documentElement).getBoundingClientRect().right;
      if (width > 1 && height > 1 && right > edge + 1 && !element.closest('.truncate, .unseen, .skip') && !scrolls(element)) found.push(element.outerHTML.slice(0, 120));
    }
    return found.slice(0, 3);
  });

test('on a phone the box keeps its width while one types, and results stay where they are', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page, '/');
  await box(page).click();
  const tops = new Set();
  for (const letter of 'albatross type:p') {
    await page.keyboard.type(letter);
    await page.locator('#hits[aria-busy="false"]').waitFor({ state: 'attached' });
    const { width, top } = await page.evaluate(() => ({ width: document.querySelector('#search').clientWidth, top: document.querySelector('#hits').getBoundingClientRect().top }));
    assert.ok(width > 200, `${letter}: ${width} pixels to type in`);
    tops.add(top);
  }
  await page.getByRole('group', { name: 'Completions' }).getByRole('button', { name: 'pdf' }).click();
  await until(async () => (await hits(page).count()) === 1, 'the PDF alone');
  tops.add(await page.evaluate(() => document.querySelector('#hits').getBoundingClientRect().top));
  assert.deepEqual([...tops].length, 1, `results begin at ${[...tops]}`);
  assert.deepEqual(await cutOff(), []);
});

test('a phone has it all on one page', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const place of ['/search?q=albatross', '/search?q=name:a', '/files', '/files/birds?open=%2Fbirds%2FField%20guide.pdf&pane=details', '/shared', '/trash', '/settings', '/settings/security', '/admin', '/admin/people', '/admin/import', '/admin/activity']) {
    await page.goto(SERVER + place);
    await page.getByRole('main').waitFor();
    await settled(page);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${place}: ${overflow} pixels too wide`);
    const out = await page.locator('.panel').evaluateAll((panels) => panels.filter((panel) => panel.scrollWidth > panel.clientWidth).map((panel) => panel.textContent.trim().slice(0, 40)));
    assert.deepEqual(out, [], `${place}: sticks out of its panel`);
    assert.deepEqual(await cutOff(), [], `${place}: is cut off`);
  }
  await open(page, '/files');
  await row(page, 'birds').getByRole('button', { name: 'What to do with birds' }).click();
  await page.getByRole('menuitem', { name: 'Share', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Email of the person').fill('reader@example.org');
  await dialog.getByRole('button', { name: 'Share', exact: true }).click();
  await dialog.getByLabel('What reader may do').waitFor();
  assert.deepEqual(await cutOff(), []);
  await page.keyboard.press('Escape');
  await page.getByRole('checkbox', { name: 'Choose birds' }).check();
  await page.getByRole('toolbar', { name: 'What to do with the chosen ones' }).getByRole('button', { name: 'Delete' }).waitFor();
  assert.deepEqual(await cutOff(), []);
  await open(page, '/search?q=albatross');
  await hits(page).nth(4).waitFor();
});
