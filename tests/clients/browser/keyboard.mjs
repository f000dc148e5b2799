// A whole day without a mouse: signing in, finding, reading, putting in order, sharing, settings. Focus is never lost.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { administrator, another, box, end, hits, link, open, pane, PASSWORD, row, searchable, toast, until, window_of } from './common.mjs';

let admin, page;
const press = async (...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};
const focused = (locator) => until(() => locator.evaluate((element) => element === document.activeElement), `focus on ${locator}`, 20_000);
const grid = () => page.getByRole('grid', { name: 'Files and folders' });
const dialog = () => page.getByRole('dialog');

/** Tab until something has the focus; nothing on the way may swallow it. */
async function tabTo(locator, most = 60) {
  for (let n = 0; n < most; n += 1) {
    if (await locator.evaluate((element) => element === document.activeElement).catch(() => false)) return;
    await press('Tab');
  }
  throw new Error(`${most} tabs do not lead to ${locator}`);
}

before(async () => {
  admin = await administrator();
  await another(admin, 'bob');
  for (const [path, text] of [['/Garden/Roses.txt', 'roses along the wall'], ['/Garden/Shed.txt', 'a rake and a spade'], ['/Garden/Tools/List.txt', 'one rake']]) await admin.upload(path, text);
  await searchable(admin, '/Garden/Shed.txt');
  page = await window_of(null);
});
after(end);

test('signing in', async () => {
  await open(page, '/');
  await focused(page.getByLabel('Email'));
  await page.keyboard.type(process.env.EMAIL);
  await press('Tab');
  await page.keyboard.type(PASSWORD);
  await press('Enter');
  await box(page).waitFor();
});

test('finding and reading', async () => {
  await focused(box(page));
  await page.keyboard.type('spade');
  await hits(page).first().waitFor();
  await press('ArrowDown', 'Enter');
  const shown = pane(page, 'Shed.txt');
  await shown.locator('mark').first().waitFor();
  await tabTo(shown.getByRole('button', { name: 'Details' }));
  await press('Enter');
  await shown.getByText('Who can see this').waitFor();
  await press('Escape');
  await shown.waitFor({ state: 'detached' });
});

test('the first Tab skips to the content', async () => {
  await open(page, '/files');
  await link(page, 'Garden').waitFor();
  await press('Tab');
  await focused(page.getByRole('link', { name: 'Skip to the content' }));
  await press('Enter');
  await focused(page.getByRole('main'));
});

test('walking through folders, the keys stay with the files', async () => {
  await tabTo(grid());
  await press('g', 'Enter');
  await link(page, 'Roses.txt').waitFor();
  await focused(grid());
  await press('t', 'Enter');
  await link(page, 'List.txt').waitFor();
  await focused(grid());
  await press('Escape');
  await link(page, 'Roses.txt').waitFor();
  await focused(grid());
});

test('renaming, deleting, taking back', async () => {
  await press('r', 'F2');
  await focused(page.getByRole('textbox', { name: 'New name' }));
  await page.keyboard.type('Lilies');
  await press('Enter');
  await link(page, 'Lilies.txt').waitFor();
  await focused(grid());
  await press('Control+z');
  await link(page, 'Roses.txt').waitFor();
  await press('r', 'F2', 'Escape');
  await focused(grid());
  await press('Home', 'Space', 'ArrowDown', 'Space', 'Delete');
  await toast(page, 'Deleted').waitFor();
  await press('Control+z');
  await link(page, 'Roses.txt').waitFor();
  await link(page, 'Tools').waitFor();
});

test('a menu and a dialog, and back to where one was', async () => {
  await tabTo(grid());
  await press('s', 'Shift+F10');
  await focused(page.getByRole('menuitem', { name: 'Details' }));
  for (const item of ['Share', 'Download', 'Rename', 'Move']) {
    await press('ArrowDown');
    await focused(page.getByRole('menuitem', { name: item, exact: true }));
  }
  await press('Enter');
  await dialog().getByRole('heading', { name: /Move/ }).waitFor();
  await tabTo(dialog().getByRole('button', { name: 'Tools' }));
  await press('Enter');
  await tabTo(dialog().getByRole('button', { name: 'Move to Tools' }));
  await press('Enter');
  await link(page, 'Shed.txt').waitFor({ state: 'detached' });
  await press('Control+z');
  await link(page, 'Shed.txt').waitFor();
  await tabTo(page.getByRole('button', { name: 'New folder' }), 90);
  await press('Enter');
  await dialog().waitFor();
  await press('Escape');
  await dialog().waitFor({ state: 'detached' });
  await focused(page.getByRole('button', { name: 'New folder' }));
  await press('Enter');
  await page.keyboard.type('Seeds');
  await press('Enter');
  await link(page, 'Seeds').waitFor();
});

test('sharing', async () => {
  await open(page, '/files');
  await link(page, 'Garden').waitFor();
  await tabTo(grid());
  await press('g', 'Shift+F10', 'ArrowDown', 'Enter');
  const who = dialog().getByLabel('Email of the person');
  await who.waitFor();
  await tabTo(who);
  await page.keyboard.type('bob@example.org');
  await press('Enter');
  await dialog().getByLabel('What bob may do').waitFor();
  await press('Escape');
  await dialog().waitFor({ state: 'detached' });
  await row(page, 'Garden').getByText('Shared', { exact: true }).waitFor({ state: 'attached' });
});

test('settings, and every place of the page', async () => {
  for (const place of ['Shared', 'Trash', 'Admin', 'Settings']) {
    await tabTo(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: place, exact: true }).first());
    await press('Enter');
    await page.getByRole('main').getByRole('heading', { level: 1 }).first().waitFor();
  }
  await tabTo(page.getByRole('radio', { name: 'Roomy' }));
  await press('ArrowRight');
  await until(() => page.evaluate(() => document.documentElement.dataset.density === 'close'), 'rows closer');
  await press('ArrowLeft');
  await press('/');
  await focused(box(page));
});

test('whatever has the focus shows it', async () => {
  await open(page, '/files/Garden');
  await link(page, 'Roses.txt').waitFor();
  const unseen = [];
  for (let n = 0; n < 40; n += 1) {
    await press('Tab');
    const bare = await page.evaluate(() => {
      const at = document.activeElement;
      if (!at || at === document.body) return '';
      const marked = (element) => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
        return (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
      };
      const shown = [at, at.closest('form, label'), ...at.querySelectorAll('.at')].filter(Boolean);
      return shown.some(marked) ? '' : at.outerHTML.slice(0, 120);
    });
    if (bare) unseen.push(bare);
  }
  assert.deepEqual([...new Set(unseen)], []);
});
