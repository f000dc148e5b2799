/** What somebody is signed in with, as the server names it ("Firefox on Windows"), in the page's language. */

import { t } from './i18n.svelte';

/** A device in words. */
export function deviceWords(name: string): string {
  const [browser, system] = name.split(' on ');
  if (!name || name === 'browser') return t('A browser');
  return browser && system ? t('{browser} on {system}', { browser, system }) : name;
}

/** Whether it is one that is carried about. */
export const isHandheld = (name: string): boolean => /iPhone|iPad|Android/.test(name);
