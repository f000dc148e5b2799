// People: the second step of signing in, what administrators do about accounts, groups, and guests who come by an invitation.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { administrator, another, box, end, link, open, PASSWORD, picture, row, SERVER, toast, until, window_of } from './common.mjs';

let admin, bob, carla, page, his;
const dialog = (at) => at.getByRole('dialog');
const person = (name) => page.getByRole('region', { name: /^People/ }).getByRole('listitem').filter({ hasText: name });

/** The code that an authenticator app shows now, or `steps` half minutes later. */
function code(secret, steps = 0) {
  const bits = [...secret.replace(/[\s=]/g, '')].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac('sha1', key).update(counter).digest();
  return String((digest.readUInt32BE(digest[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

async function act(name, item) {
  await page.getByRole('button', { name: `What to do with ${name}` }).click();
  await page.getByRole('menuitem', { name: item, exact: true }).click();
}

async function signIn(at, email) {
  await at.getByLabel('Email').fill(email);
  await at.getByLabel('Password').fill(PASSWORD);
  await at.getByRole('button', { name: 'Sign in', exact: true }).click();
}

before(async () => {
  admin = await administrator();
  bob = await another(admin, 'bob');
  carla = await another(admin, 'carla');
  await bob.upload('/Plans/Garden.txt', 'roses along the wall');
  page = await window_of(admin);
  his = await window_of(bob);
});
after(end);

test('a second step is turned on, asked for, and a recovery code helps', async () => {
  await open(his, '/settings/security');
  await his.getByRole('button', { name: 'Turn on two-step sign-in' }).click();
  await his.getByLabel('Your password').fill(PASSWORD);
  await his.getByRole('button', { name: 'Go on' }).click();
  await his.getByRole('img', { name: 'The key as a picture to scan' }).waitFor();
  const squares = await his.getByRole('img', { name: 'The key as a picture to scan' }).locator('path').getAttribute('d');
  assert.ok(squares.split('z').length > 200, 'dark squares with light between them');
  await picture(his, 'two-step');
  const secret = await his.locator('.scan code').textContent();
  await his.getByLabel('Code', { exact: true }).fill(code(secret, -1));
  await his.getByRole('button', { name: 'Turn it on' }).click();
  const listed = his.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem');
  await listed.nth(9).waitFor();
  const codes = await listed.allTextContents();
  assert.equal(codes.length, 10);
  await his.getByRole('button', { name: 'I have them' }).click();
  await his.getByText('10 recovery codes are left.').waitFor();

  const other = await window_of(null);
  await open(other, '/files');
  await signIn(other, bob.email);
  await other.getByRole('heading', { name: 'Second step' }).waitFor();
  await other.getByLabel('Code').fill('123456');
  await other.getByRole('alert').waitFor();
  await other.getByLabel('Code').fill(code(secret));
  await link(other, 'Plans').waitFor();
  await other.context().clearCookies();
  await open(other, '/files');
  await signIn(other, bob.email);
  await other.getByLabel('Code').fill(codes[0]);
  await other.getByRole('button', { name: 'Sign in', exact: true }).click();
  await link(other, 'Plans').waitFor();
  await other.context().close();
});

test('an administrator invites, and the link makes the account', async () => {
  await open(page, '/admin/people');
  await person('bob').getByText('two steps').waitFor();
  await page.getByRole('textbox', { name: 'Email' }).fill('dora@example.org');
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Dora');
  await page.getByRole('button', { name: 'Invite', exact: true }).click();
  const url = await page.getByLabel('The one-time link').inputValue();
  await person('Dora').getByText('invited', { exact: true }).waitFor();
  await picture(page, 'people');
  const hers = await window_of(null);
  await hers.goto(SERVER + new URL(url).pathname + new URL(url).hash);
  await hers.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await hers.getByRole('button', { name: 'Start' }).click();
  await box(hers).waitFor();
  await hers.context().close();
});

test('space is set, the second step taken away', async () => {
  await act('bob', 'Space');
  await dialog(page).getByLabel('Space').fill('much');
  await dialog(page).getByRole('button', { name: 'Save' }).click();
  await dialog(page).getByText('Say an amount').waitFor();
  await dialog(page).getByLabel('Space').fill('5 GB');
  await dialog(page).getByRole('button', { name: 'Save' }).click();
  await toast(page, 'bob may store 5.0 GB').waitFor();
  assert.equal((await bob.rpc('firefly/space', {})).allocated, 5 * 1024 ** 3);
  await act('bob', 'Reset the second step');
  await person('bob').getByText('two steps').waitFor({ state: 'detached' });
});

test('a password is reset by a link, and the old one is worth nothing', async () => {
  const fred = await another(admin, 'fred');
  await open(page, '/admin/people');
  await act('fred', 'Reset the password');
  const url = new URL(await page.getByLabel('The one-time link').inputValue());
  const fresh = await window_of(null);
  await fresh.goto(SERVER + url.pathname + url.hash);
  await fresh.getByLabel('Password', { exact: true }).fill(`${PASSWORD} and more`);
  await fresh.getByRole('button', { name: 'Start' }).click();
  await box(fresh).waitFor();
  await fresh.context().close();
  const old = await window_of(null);
  await open(old, '/');
  await signIn(old, fred.email);
  await old.getByRole('alert').waitFor();
  await old.context().close();
});

test('groups are made, and a folder is shared with one', async () => {
  await page.getByRole('link', { name: 'Groups', exact: true }).click();
  await page.getByLabel('Name of the group').fill('Gardeners');
  await page.getByRole('button', { name: 'Make a group' }).click();
  await dialog(page).getByLabel('Email of the person').fill(carla.email);
  await dialog(page).getByRole('button', { name: 'Add' }).click();
  await dialog(page).getByRole('listitem').filter({ hasText: 'carla' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('1 person').waitFor();
  await open(his, '/files');
  await row(his, 'Plans').hover();
  await his.getByRole('button', { name: 'What to do with Plans' }).click();
  await his.getByRole('menuitem', { name: 'Share', exact: true }).click();
  await dialog(his).getByLabel('Email of the person').fill('Gardeners');
  await dialog(his).getByLabel('What they may do').selectOption({ label: 'Can view' });
  await dialog(his).getByRole('button', { name: 'Share', exact: true }).click();
  await dialog(his).getByLabel('What Gardeners may do').waitFor();
  await until(async () => {
    const { entries } = await carla.rpc('sharing/list_folders', {});
    const offered = await carla.rpc('sharing/list_mountable_folders', {});
    return [...entries, ...offered.entries].some((folder) => folder.name === 'Plans');
  }, 'carla has it by the group');
});

test('a guest without an account comes in by a link, once an administrator agrees', async () => {
  await dialog(his).getByLabel('Email of the person').fill('guest@example.net');
  await dialog(his).getByLabel('What they may do').selectOption({ label: 'Can edit' });
  await dialog(his).getByRole('button', { name: 'Share', exact: true }).click();
  const url = new URL(await dialog(his).getByLabel('The one-time link').inputValue());
  await dialog(his).getByText('an administrator has to let them in').waitFor();
  await picture(his, 'share-people');
  const guest = await window_of(null);
  await guest.goto(SERVER + url.pathname + url.hash);
  await guest.getByText('An administrator has to let you in first').waitFor();
  await open(page, '/admin/people');
  await page.getByRole('button', { name: 'Let in guest@example.net' }).click();
  await page.getByText('waits for the guest').waitFor();
  await guest.reload();
  await guest.getByRole('heading', { name: 'bob shares “Plans” with you' }).waitFor();
  await picture(guest, 'invitation');
  await guest.getByLabel('Choose a password').fill('short');
  assert.equal(await guest.getByRole('button', { name: 'Make an account' }).isDisabled(), true);
  await guest.getByLabel('Choose a password').fill(PASSWORD);
  await guest.getByRole('button', { name: 'Make an account' }).click();
  await guest.getByRole('link', { name: 'Garden.txt' }).waitFor();
  await guest.context().close();
  const late = await window_of(null);
  await late.goto(SERVER + url.pathname + url.hash);
  await late.getByRole('heading', { name: 'This invitation cannot be used' }).waitFor();
  await late.context().close();
  await open(page, '/admin/people');
  await page.getByLabel('Who may invite').selectOption({ label: 'Everybody here' });
  await toast(page, 'Saved').waitFor();
});

test('somebody with an account accepts an invitation that went to another address', async () => {
  await dialog(his).getByLabel('Email of the person').fill('private@example.net');
  await dialog(his).getByRole('button', { name: 'Share', exact: true }).click();
  const invited = dialog(his).getByRole('listitem').filter({ hasText: 'private@example.net' });
  await invited.getByText('invited, until').waitFor();
  const url = new URL(await dialog(his).getByLabel('The one-time link').inputValue());
  const erik = await another(admin, 'erik');
  const window = await window_of(erik);
  await window.goto(SERVER + url.pathname + url.hash);
  await window.getByText('You are signed in as erik@example.org.').waitFor();
  await window.getByRole('button', { name: 'Add it to my files' }).click();
  await window.getByRole('link', { name: 'Garden.txt' }).waitFor();
  await window.context().close();
  await dialog(his).getByLabel('Email of the person').fill('never@example.net');
  await dialog(his).getByRole('button', { name: 'Share', exact: true }).click();
  await dialog(his).getByRole('button', { name: 'Withdraw the invitation of never@example.net' }).click();
  await dialog(his).getByText('never@example.net').first().waitFor({ state: 'detached' });
  await his.keyboard.press('Escape');
});

test('who is suspended is out at once, and the files are handed over', async () => {
  await open(his, '/files');
  await link(his, 'Plans').waitFor();
  await open(page, '/admin/people');
  await act('bob', 'Suspend');
  await dialog(page).getByRole('button', { name: 'Suspend' }).click();
  await person('bob').getByText('suspended', { exact: true }).waitFor();
  await his.getByRole('heading', { name: 'Sign in' }).waitFor();
  await act('bob', 'Hand over the files');
  await dialog(page).getByLabel('Who gets them').fill(carla.email);
  await dialog(page).getByRole('button', { name: 'Hand over', exact: true }).click();
  await toast(page, `${carla.email} has them now`).waitFor();
  const { entries } = await carla.rpc('sharing/list_folders', {});
  const plans = entries.find((folder) => folder.name === 'Plans');
  assert.equal(plans.access_type['.tag'], 'owner');
  const { entries: files } = await carla.rpc('files/list_folder', { path: '', recursive: true });
  assert.ok(files.some((entry) => entry.path_display === '/Plans/Garden.txt'));
  await act('bob', 'Delete the account');
  await dialog(page).getByRole('button', { name: 'Delete' }).click();
  await person('bob').waitFor({ state: 'detached' });
});
