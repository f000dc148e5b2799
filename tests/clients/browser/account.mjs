// Signing in and out, and what people set: password, tokens, language, colours, density.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { box, end, go, open, PASSWORD, picture, toast, window_of } from './common.mjs';

let page;
const OTHER = 'another lantern gravel';

before(async () => {
  page = await window_of(null);
});
after(end);

async function signIn(password, at = page) {
  await at.getByLabel('Email').fill(process.env.EMAIL);
  await at.getByLabel('Password').fill(password);
  await at.getByRole('button', { name: 'Sign in' }).click();
}

test('the one-time link asks for a password and signs in', async () => {
  await page.goto(process.env.WELCOME_URL);
  await page.getByLabel('Password', { exact: true }).fill('short');
  assert.equal(await page.getByRole('button', { name: 'Start' }).isDisabled(), true);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Start' }).click();
  await box(page).waitFor();
  assert.equal(new URL(page.url()).pathname, '/');
});

test('who has no files yet is told what to do, and shown how to search', async () => {
  await page.getByRole('heading', { name: 'Nothing to search yet' }).waitFor();
  for (const name of ['Put in your first files', 'Import a folder of the server', 'Invite someone']) await page.getByRole('link', { name }).waitFor();
  await page.getByRole('link', { name: 'only PDFs' }).click();
  assert.equal(await box(page).inputValue(), 'type:pdf ');
});

test('a password is changed by who knows the old one', async () => {
  await open(page, '/settings/security');
  await page.getByLabel('Present password').fill('not this one');
  await page.getByLabel('New password').fill(OTHER);
  await page.getByRole('button', { name: 'Change the password' }).click();
  await page.getByText('That is not the present password.').waitFor();
  await page.getByLabel('Present password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Change the password' }).click();
  await toast(page, 'The password is changed').waitFor();
  await go(page, 'Settings');
  await page.locator('button:enabled', { hasText: 'Sign out' }).first().click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await open(page, '/settings');
  await signIn(PASSWORD);
  await page.getByRole('alert').waitFor();
  await signIn(OTHER);
  await page.getByRole('heading', { name: 'Settings' }).waitFor();
});

test('a token is made, listed and revoked', async () => {
  await page.getByRole('link', { name: 'Security', exact: true }).click();
  await page.getByLabel('What the token is for').fill('backup');
  await page.getByRole('button', { name: 'Create a token' }).click();
  const token = await page.getByLabel('The new token').inputValue();
  const call = () => fetch(`${process.env.SERVER_URL}/2/users/get_space_usage`, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
  assert.equal((await call()).status, 200);
  await page.reload();
  await page.getByRole('listitem').filter({ hasText: 'backup' }).getByText(/used|made/).waitFor();
  await page.getByRole('button', { name: 'Revoke backup' }).click();
  await page.getByRole('button', { name: 'Revoke backup' }).waitFor({ state: 'detached' });
  assert.equal((await call()).status, 401);
});

test('the page speaks German, and remembers it', async () => {
  await go(page, 'Settings');
  await page.getByText('Trash and old versions are kept for 30 days').waitFor();
  await picture(page, 'settings');
  await page.getByLabel('Language').selectOption('de');
  await page.getByRole('heading', { name: 'Einstellungen' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Einstellungen' }).waitFor();
  assert.equal(await page.locator('html').getAttribute('lang'), 'de');
  await page.getByRole('link', { name: 'Dateien', exact: true }).click();
  await page.getByText('Legen Sie die ersten Dateien ab').waitFor();
  await page.getByRole('link', { name: 'Einstellungen', exact: true }).click();
  await page.getByLabel('Sprache').selectOption('en');
  await page.getByRole('heading', { name: 'Settings' }).waitFor();
});

test('rows stand closer where somebody wants that', async () => {
  await page.getByRole('radio', { name: 'Compact' }).check();
  assert.equal(await page.locator('html').getAttribute('data-density'), 'close');
  await page.getByRole('radio', { name: 'Roomy' }).check();
});

test('devices are listed by name, and one that is signed out from elsewhere shows it by itself', async () => {
  const agents = {
    'Firefox on Windows': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0',
    'Safari on iPhone': 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
  };
  const others = [];
  for (const userAgent of Object.values(agents)) {
    const other = await window_of(null, { userAgent });
    await open(other, '/files');
    await signIn(OTHER, other);
    await other.getByRole('heading', { name: 'Files', exact: true }).waitFor();
    others.push(other);
  }
  await open(page, '/settings/security');
  const devices = page.getByRole('region', { name: 'Signed-in devices' });
  for (const name of Object.keys(agents)) await devices.getByRole('listitem').filter({ hasText: name }).getByText(/used .*, signed in/).waitFor();
  await devices.getByText('You are here').waitFor();
  await devices.evaluate((element) => element.scrollIntoView({ block: 'center' }));
  await picture(page, 'devices');
  await devices.getByRole('button', { name: 'Sign out of Firefox on Windows' }).click();
  await others[0].getByRole('heading', { name: 'Sign in' }).waitFor();
  await devices.getByText('Firefox on Windows').waitFor({ state: 'detached' });
  await others[1].getByRole('heading', { name: 'Files', exact: true }).waitFor();
  const again = await window_of(null);
  await open(again, '/settings/security');
  await signIn(OTHER, again);
  await again.getByRole('button', { name: 'Sign out of all other devices' }).click();
  for (const left of [page, others[1]]) await left.getByRole('heading', { name: 'Sign in' }).waitFor();
  await again.getByText('You are here').waitFor();
});
