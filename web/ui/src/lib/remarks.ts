/** What the server says in English about a search, in the page's language. */

import { later, t } from './i18n.svelte';

/** Its sentences; `{…}` stands for what it puts in. */
export const SAID = [
  later('few files have all of these words; files with some of them are shown too'),
  later('only the first {n} characters were searched'),
  later('only the first {n} words were searched'),
  later('there is no letter or digit in this to search for; all files are shown'),
  later('{what} was searched as words; {name}: takes {wanted}'),
  later('a date like 2024, 2024-01, >2024-01-31, 2024-01..2024-03 or last-week'),
  later('a size like >10mb, <500kb or 1mb..5mb'),
  later('one of {values}'),
  later('there is no folder {text}'),
  later('{text} has very many folders; not all were searched'),
  later('nobody called {text} shares a folder with you'),
  later('old versions of deleted files are not searched'),
  later('names and folders are today\'s; files deleted since are found with is:deleted'),
];

/** What each operator of a search is about. */
export const ABOUT = [
  later('only this kind of file'), later('only names with this extension'), later('only in this folder and below'), later('the word is in the file\'s own name'),
  later('changed then'), later('first stored then'), later('of this size'), later('in this person\'s files'), later('last changed by this person'),
  later('in shared folders, or shared with a person'), later('with text in it, or with a shared link of yours'), later('with a text in this language'),
  later('a message of this person: words of the name or address'), later('a message that this person got'), later('a message about this: words of the subject'),
  later('a message that was sent then'), later('old versions too, or only these'), later('what files contained then'), later('deleted, a folder, a file, or shared'),
];

const escaped = (text: string) => text.replace(/[.*+?^$|()[\]\\]/g, '\\$&');
const FORMS = SAID.map((form) => ({ form, pattern: new RegExp(`^${escaped(form).replace(/\{(\w+)\}/g, '(?<$1>.+)')}$`, 'su') }));

/** A remark as people read it; one that is not known stays as it is. */
export function remark(text: string): string {
  for (const { form, pattern } of FORMS) {
    const found = pattern.exec(text);
    if (!found) continue;
    const values = Object.entries(found.groups ?? {}).map(([name, value]) => [name, name === 'wanted' ? remark(value) : value]);
    return t(form, Object.fromEntries(values));
  }
  return text;
}

/** The same as a sentence of its own. */
export const remarkSentence = (text: string): string => {
  const said = remark(text);
  return /^\S*:/u.test(said) ? said : said.slice(0, 1).toUpperCase() + said.slice(1);
};
