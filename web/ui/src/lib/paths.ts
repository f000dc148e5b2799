/** Paths in the account: the root is '', everything else starts with a slash. */

import { t } from './i18n.svelte';

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function join(folder: string, name: string): string {
  return `${folder}/${name}`;
}

/** Whether `path` is `folder` or in it; case does not count. */
export function isWithin(path: string, folder: string): boolean {
  return `${path.toLowerCase()}/`.startsWith(`${folder.toLowerCase()}/`);
}

/** The ending of a name, in lower case, without its dot. */
export function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot + 1).toLowerCase() : '';
}

/** The page's address of a folder. */
export function folderHref(path: string): string {
  return `/files${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** The folder of an address made by `folderHref`. */
export function folderOf(pathname: string): string {
  const path = pathname.replace(/^\/files/, '').replace(/\/+$/, '');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

export interface Crumb {
  name: string;
  path: string;
}

/** The folders from below the root down to `path`. */
export function crumbsOf(path: string): Crumb[] {
  const names = path.split('/').filter(Boolean);
  return names.map((name, at) => ({ name, path: `/${names.slice(0, at + 1).join('/')}` }));
}

/** Why a name cannot be used, in words, or '' when it can. */
export function nameProblem(name: string): string {
  if (!name.trim()) return t('Give it a name.');
  if (/[/\\]/.test(name)) return t('A name cannot contain / or \\.');
  if (name === '.' || name === '..') return t('That name is not possible.');
  if (new TextEncoder().encode(name).length > 255) return t('That name is too long.');
  return '';
}
