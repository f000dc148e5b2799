// What the tests of the npm package share. The server comes from the environment: SERVER_URL, ADMIN_TOKEN; the package
// from the folder NODE_MODULES.
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { Dropbox } = require('dropbox');
const server = new URL(process.env.SERVER_URL);
let accounts = 0;

/** The official client for a token. */
export function client(accessToken) {
  return new Dropbox({ accessToken, domain: server.host, domainDelimiter: '' });
}

/** The official client of a new account. */
export async function account() {
  accounts += 1;
  const email = `node-${process.pid}-${accounts}@example.org`;
  const response = await fetch(new URL('/2/firefly/account/create', server), {
    method: 'POST',
    headers: { Authorization: `Bearer ${process.env.ADMIN_TOKEN}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ email }),
  });
  if (response.status !== 200) throw new Error(await response.text());
  return client((await response.json()).token);
}

/** The error that a call is refused with. */
export async function refusal(call) {
  let answer;
  try {
    answer = await call;
  } catch (error) {
    return error;
  }
  throw new Error(`not refused: ${JSON.stringify(answer.result)}`);
}

/** Asks until the answer is true, for 90 seconds at most. */
export async function until(question) {
  const end = Date.now() + 90_000;
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`the last answer was ${answer}`);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

/** The names of a folder's entries, over all pages. */
export async function names(dropbox, options) {
  let page = (await dropbox.filesListFolder(options)).result;
  const found = page.entries.map((entry) => entry.name);
  while (page.has_more) {
    page = (await dropbox.filesListFolderContinue({ cursor: page.cursor })).result;
    found.push(...page.entries.map((entry) => entry.name));
  }
  return found.sort();
}
