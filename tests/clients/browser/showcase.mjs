// What the README shows: a small team's documents, found, read and looked at, wide and on a phone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { administrator, box, end, hits, link, open, pane, picture, row, search, searchable, settled, until, window_of } from './common.mjs';
import { docx, pdf } from './documents.mjs';

const DAY_MS = 24 * 3600 * 1000;
const ago = (days) => new Date(Date.now() - days * DAY_MS).toISOString().replace(/\.\d+/, '');
let admin, page;

const SURVEY = pdf([
  ['Survey of the harbour bridge', 'Four piers stand in the channel, two on land.', 'The deck was last lifted in spring, and nothing was found wanting.'],
  ['What was measured', 'Every pier was measured at low water and at high water,', 'on six days in March, by boat and from the deck.'],
  ['Pier 3', 'The spring tides wash out the foot of pier 3 by some four centimetres a year.', 'Stone was laid around it twice, and the tides took it away each time.', 'A sheet of piles upstream would keep it: see the drawing.'],
  ['What is to be done', 'Piles before the autumn, stone after them.', 'The lamps on the deck may wait.'],
]);
const DAYS = ['A quiet day on the water; the wind from the west, the boat in good order.', 'Rain until ten. We measured from the deck.', 'Two seals at pier 2. The lead line was lost and found.', 'Fog: nothing was measured, all was cleaned.'];
const days = (count) => Array.from({ length: count }, (_, n) => DAYS[(n * 5 + (n >> 2)) % DAYS.length]).join('\n\n');
const DIARY = `${days(70)}\n\nAt noon we lay below the bridge and watched the tides turn: for a quarter of an hour the whole harbour stood still.\n\n${days(40)}\n`;
const MAIL = 'From: Harbour office <office@harbour.example>\r\nTo: bridge@example.org\r\nSubject: Tide tables for the summer\r\nDate: Mon, 5 May 2025 10:00:00 +0000\r\n\r\nGood morning,\r\n\r\nthe tables for June to August are ready. Please keep to the low tides after the 14th: the channel is dredged before.\r\n';
const CODE = '"""When the boat can lie below the bridge."""\n\nCLEARANCE_M = 4.2\n\n\ndef windows(tides):\n    """Hours in which the tides leave enough room."""\n    return [hour for hour, height in tides if height < CLEARANCE_M]\n';
const FILES = [
  ['/Harbour bridge/Survey of the piers.pdf', SURVEY, 3],
  ['/Harbour bridge/Minutes of 12 March.md', '# Minutes of 12 March\n\n- The survey is done; the tides did as the tables say.\n- [x] Ask for piles\n- [ ] Choose the lamps\n', 41],
  ['/Harbour bridge/tides.py', CODE, 12],
  ['/Harbour bridge/Budget.csv', 'item,sum\npiles,48000\nstone,9500\nlamps,3200\n', 5],
  ['/Letters/To the council.docx', docx('We ask for leave to drive piles upstream of pier 3, between the spring tides of May and those of September.'), 20],
  ['/Letters/Tide tables for the summer.eml', MAIL, 33],
  ['/Diary of the survey boat.txt', DIARY, 8],
  ['/Library/Lamps and lanterns.md', '# Lamps and lanterns\n\nCast iron, four to a pier.\n', 400],
  ['/Garden/Roses.txt', 'roses along the wall', 90],
];
const PHOTOS = { 'Harbour at dawn': 18, 'High water': 205, 'Low water': 34, 'Pier 3': 222, 'The deck': 265, 'The lamps': 330, 'Upstream': 150, 'Winter': 190 };

/** A landscape, as PNG: sky, sun, hills and their water. */
const landscape = (hue) =>
  page.evaluate((tone) => {
    const [w, h] = [640, 640];
    const canvas = Object.assign(document.createElement('canvas'), { width: w, height: h });
    const paper = canvas.getContext('2d');
    const fill = (style, draw) => ((paper.fillStyle = style), paper.beginPath(), draw(), paper.fill());
    const sky = paper.createLinearGradient(0, 0, 0, h);
    sky.addColorStop(0, `hsl(${tone} 60% 62%)`);
    sky.addColorStop(0.65, `hsl(${tone + 25} 75% 86%)`);
    fill(sky, () => paper.rect(0, 0, w, h));
    fill(`hsl(${tone + 40} 95% 90%)`, () => paper.arc(w * (0.25 + (tone % 50) / 100), h * 0.34, 52, 0, 7));
    for (let layer = 0; layer < 3; layer += 1) {
      fill(`hsl(${tone + 12 * layer} 32% ${52 - 13 * layer}%)`, () => {
        paper.moveTo(0, h);
        for (let x = 0; x <= w; x += 8) paper.lineTo(x, h * (0.5 + 0.09 * layer) + 34 * Math.sin(x / (90 + 40 * layer) + tone + layer * 2));
        paper.lineTo(w, h);
      });
    }
    fill(`hsl(${tone + 10} 45% 38% / 75%)`, () => paper.rect(0, h * 0.8, w, h * 0.2));
    return canvas.toDataURL('image/png').split(',')[1];
  }, hue);

before(async () => {
  admin = await administrator();
  page = await window_of(admin);
  await open(page, '/');
  await box(page).waitFor();
  for (const [path, content, days] of FILES) await admin.upload(path, content, { client_modified: ago(days) });
  for (const [name, hue] of Object.entries(PHOTOS)) await admin.upload(`/Photos/${name}.png`, Buffer.from(await landscape(hue), 'base64'), { client_modified: ago(hue % 60) });
  for (const [path] of FILES) await searchable(admin, path);
  await admin.rpc('firefly/searches/save', { name: 'Bridge, this year', search: 'q=bridge&modified=year' });
  for (const words of ['budget', 'type:image water', '%22spring+tides%22']) await admin.rpc('firefly/searches/note', { search: `q=${words}` });
});
after(end);

test('one word finds documents of every kind, by name and by content', async () => {
  await open(page, '/');
  await page.getByRole('heading', { name: 'Saved searches' }).waitFor();
  await link(page, 'Survey of the piers.pdf').or(page.getByText('Survey of the piers.pdf')).first().waitFor();
  await picture(page, 'home');
  await search(page, 'tides', 6);
  const marked = await hits(page).locator('mark').allTextContents();
  assert.ok(marked.every((word) => /^tides?$/i.test(word)), String(marked));
  await picture(page, 'search');
  await page.getByRole('button', { name: 'Light or dark' }).click();
  await page.locator('html[data-theme="dark"]').waitFor();
  await picture(page, 'search-dark');
  await page.getByRole('button', { name: 'Light or dark' }).click();
});

test('a hit far down in a text, and on the third page of a PDF', async () => {
  await open(page, '/search?q=tides');
  await hits(page).filter({ hasText: 'Diary of the survey boat' }).click();
  await pane(page, 'Diary of the survey boat.txt').locator('mark').first().waitFor();
  await picture(page, 'preview');
  await hits(page).filter({ hasText: 'Survey of the piers' }).click();
  const shown = pane(page, 'Survey of the piers.pdf');
  await shown.locator('mark').first().waitFor();
  await until(() => shown.locator('[data-page="3"] canvas').evaluate((canvas) => canvas.getBoundingClientRect().top < innerHeight / 2), 'the third page');
  await picture(page, 'pdf');
});

test('a mail, read as one', async () => {
  await hits(page).filter({ hasText: 'Tide tables for the summer' }).click();
  await pane(page, 'Tide tables for the summer.eml').getByText('the channel is dredged before').waitFor();
  await picture(page, 'preview-message');
});

test('the same in German', async () => {
  const german = await window_of(admin, { locale: 'de-DE' });
  await open(german, '/search?q=tides');
  await german.getByRole('listbox', { name: 'Ergebnisse' }).getByRole('option').nth(5).waitFor();
  await picture(german, 'german');
  await german.context().close();
});

test('photographs as a grid', async () => {
  await open(page, '/files/Photos');
  await page.getByRole('button', { name: 'Show as a grid' }).click();
  await row(page, 'Winter.png').waitFor();
  await until(() => page.locator('.row img').evaluateAll((all) => all.length === 8 && all.every((one) => one.naturalWidth)), 'all pictures');
  await picture(page, 'grid');
  await page.getByRole('button', { name: 'Show as a list' }).click();
});

test('the same on a phone', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page, '/search?q=tides');
  await hits(page).nth(5).waitFor();
  await settled(page);
  await picture(page, 'phone');
});
