// An administrator brings a folder of the server in: looks around, leaves something out, watches it, reads the report.
// Environment: also IMPORT_ROOT, a folder that the server may import from.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { administrator, end, hits, link, open, picture, search, searchable, window_of } from './common.mjs';

let admin, page;
const imports = () => page.getByRole('region', { name: 'Imports' });

before(async () => {
  const root = process.env.IMPORT_ROOT;
  await mkdir(join(root, 'contracts/2019'), { recursive: true });
  await mkdir(join(root, 'photos'), { recursive: true });
  for (let n = 0; n < 50; n += 1) await writeFile(join(root, `contracts/2019/Lease ${n}.txt`), `a lease about mulberry lane ${n}`);
  await writeFile(join(root, 'contracts/old.bak'), 'not this');
  admin = await administrator();
  page = await window_of(admin);
});
after(end);

test('a folder is chosen by walking to it, and its files are found a moment later', async () => {
  await open(page, '/admin/import');
  const folders = page.getByRole('list', { name: 'Folders', exact: true });
  await folders.getByRole('button', { name: 'photos' }).waitFor();
  await folders.getByRole('button', { name: 'contracts' }).click();
  await folders.getByRole('button', { name: '2019' }).waitFor();
  await page.getByLabel('Into').fill('/Old contracts');
  await page.getByLabel('Leave out').fill('*.bak');
  await page.getByRole('button', { name: 'Import “contracts”' }).click();
  await imports().getByText('done', { exact: true }).waitFor();
  await imports().getByText('50 of 50 files').waitFor();
  await picture(page, 'import');
  await imports().getByRole('link', { name: '/Old contracts' }).click();
  await link(page, '2019').waitFor();
  assert.equal(await link(page, 'old.bak').count(), 0);
  await searchable(admin, '/Old contracts/2019/Lease 7.txt');
  await open(page, '/');
  await search(page, 'mulberry "lane 7"', 1);
  assert.match(await hits(page).first().textContent(), /Lease 7\.txt/);
});

test('a report says what was left out and why', async () => {
  await open(page, '/admin/import');
  const [file] = await Promise.all([page.waitForEvent('download'), imports().getByRole('link', { name: 'Report as CSV' }).first().click()]);
  const report = await readFile(await file.path(), 'utf8');
  assert.match(report, /^path,outcome,reason/);
  assert.match(report, /old\.bak/);
});
