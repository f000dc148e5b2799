// Sharing between two accounts: a folder with roles, links with a password and an end, the page for who opens one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { administrator, another, end, go, link, open, picture, row, SERVER, toast, unharmed, until, window_of } from './common.mjs';

let ann, bob, hers, his, url;
const dialog = () => hers.getByRole('dialog');
async function share(name) {
  await row(hers, name).hover();
  await hers.getByRole('button', { name: `What to do with ${name}` }).click();
  await hers.getByRole('menuitem', { name: 'Share', exact: true }).click();
}

before(async () => {
  ann = await administrator();
  bob = await another(ann, 'bob');
  for (const [path, text] of [['/Plans/Garden.txt', 'roses along the wall'], ['/Plans/deep/Shed.md', '# Shed\n'], ['/Letter.txt', 'dear <b>reader</b>']]) await ann.upload(path, text);
  hers = await window_of(ann);
  his = await window_of(bob);
  await open(hers, '/files');
  await open(his, '/files');
});
after(end);

test('a folder is shared with a person, who sees it at once', async () => {
  await share('Plans');
  await dialog().getByText('Only you can see this folder.').waitFor();
  await dialog().getByLabel('Email of the person').fill('nobody@example.org');
  await dialog().getByLabel('What they may do').selectOption({ label: 'Can view' });
  await dialog().getByLabel('Email of the person').fill(bob.email);
  await dialog().getByRole('button', { name: 'Share', exact: true }).click();
  await dialog().getByLabel('What bob may do').waitFor();
  await picture(hers, 'share');
  await go(his, 'Shared');
  await link(his, 'Plans').waitFor();
  await go(his, 'Shared');
  await his.getByRole('heading', { name: 'Shared with you' }).waitFor();
  await picture(his, 'shared');
});

test('what a program shared is offered, wherever one looks first', async () => {
  await ann.upload('/Songs/Round.txt', 'row the boat');
  const { shared_folder_id } = await ann.rpc('sharing/share_folder', { path: '/Songs', force_async: false });
  await ann.rpc('sharing/add_folder_member', { shared_folder_id, members: [{ member: { '.tag': 'email', email: bob.email }, access_level: 'viewer' }] });
  const fresh = await window_of(bob);
  await open(fresh, '/');
  await fresh.getByRole('navigation', { name: 'Main' }).locator('.offers').getByText('1', { exact: true }).waitFor();
  await go(fresh, 'Files');
  const add = fresh.getByRole('button', { name: 'Add “Songs” to my files' });
  await add.click();
  await link(fresh, 'Songs').waitFor();
  await add.waitFor({ state: 'detached' });
  await fresh.context().close();
});

test('who may only view cannot change anything, until the role is another', async () => {
  await open(his, '/files/Plans');
  await link(his, 'Garden.txt').waitFor();
  await his.getByRole('grid').focus();
  await his.keyboard.press('End');
  await his.keyboard.press('Delete');
  await toast(his, 'You may look at this folder but not change it.').waitFor();
  await dialog().getByLabel('What bob may do').selectOption({ label: 'Can edit' });
  await until(async () => {
    const { users } = await ann.rpc('sharing/list_folder_members', { shared_folder_id: (await ann.rpc('files/get_metadata', { path: '/Plans' })).sharing_info.shared_folder_id });
    return users.some((user) => user.user.email === bob.email && user.access_type['.tag'] === 'editor');
  }, 'an editor');
  await his.keyboard.press('Delete');
  await link(his, 'Garden.txt').waitFor({ state: 'detached' });
  await his.keyboard.press('Control+z');
  await link(his, 'Garden.txt').waitFor();
});

test('who is removed sees it no more, at once', async () => {
  await dialog().getByRole('button', { name: 'Remove bob' }).click();
  await dialog().getByLabel('What bob may do').waitFor({ state: 'detached' });
  await his.getByText('This folder is not here any more').waitFor();
  await hers.keyboard.press('Escape');
});

test('a link opens for anybody, and its folder can be walked through', async () => {
  await share('Plans');
  await dialog().getByRole('button', { name: 'Create a link' }).click();
  url = await dialog().getByLabel('Shared link').inputValue();
  const stranger = await window_of(null);
  await stranger.goto(url);
  await stranger.getByRole('link', { name: 'deep' }).click();
  await stranger.getByRole('link', { name: 'Shed.md' }).click();
  await stranger.getByText('# Shed').waitFor();
  await stranger.getByRole('link', { name: 'Everything shared here' }).click();
  await stranger.getByRole('link', { name: 'Garden.txt' }).waitFor();
  await picture(stranger, 'link');
  await stranger.context().close();
  const german = await window_of(null, { locale: 'de-DE' });
  await german.goto(url);
  await german.getByRole('link', { name: 'Alles herunterladen' }).waitFor();
  assert.equal(await german.locator('html').getAttribute('lang'), 'de');
  await german.context().close();
});

test('a link gets a password, an end, and can forbid downloads', async () => {
  await dialog().getByRole('button', { name: 'Settings of the link' }).click();
  await dialog().getByLabel('Password').fill('open sesame');
  await dialog().getByLabel('Works until').fill('2099-01-02');
  await dialog().getByLabel('May be downloaded').uncheck();
  await picture(hers, 'link-settings');
  await dialog().getByRole('button', { name: 'Save' }).click();
  await dialog().getByText('It can be looked at, not downloaded.').waitFor();
  await dialog().getByText(/2099/).waitFor();
  const stranger = await window_of(null);
  await stranger.goto(url);
  await stranger.getByLabel('Password').fill('wrong');
  await stranger.getByRole('button', { name: 'Open' }).click();
  await stranger.getByText('That is not the password.').waitFor();
  await stranger.getByLabel('Password').fill('open sesame');
  await stranger.getByRole('button', { name: 'Open' }).click();
  await stranger.getByRole('link', { name: 'Garden.txt' }).click();
  await stranger.getByText('roses along the wall').waitFor();
  assert.equal(await stranger.getByRole('link', { name: 'Download' }).count(), 0);
  await stranger.context().close();
});

test('a revoked link leads nowhere', async () => {
  await dialog().getByRole('button', { name: 'Revoke it' }).click();
  await dialog().getByRole('button', { name: 'Create a link' }).waitFor();
  assert.equal((await fetch(url)).status, 404);
  await hers.keyboard.press('Escape');
});

test('names and words on a link page are never markup', async () => {
  const name = '<img src=x onerror=alert(1)>.txt';
  await ann.upload(`/${name}`, '<script>window.ran = true</script>');
  const { url: evil } = await ann.rpc('sharing/create_shared_link_with_settings', { path: `/${name}` });
  const stranger = await window_of(null);
  await stranger.goto(SERVER + new URL(evil).pathname);
  await stranger.getByRole('heading', { name }).waitFor();
  unharmed();
  assert.equal(await stranger.locator('img').count(), 0);
  await stranger.context().close();
});
