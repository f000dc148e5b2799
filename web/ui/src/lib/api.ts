/** Every route the page uses, typed. */

import { ApiError, call } from './call';
import { t } from './i18n.svelte';
import type * as T from './types';

type Signal = AbortSignal | undefined;

export const session = {
  /** Who is signed in: `null` is nobody. */
  current: () => call<T.Session | null>('firefly/session/current', null, { quiet401: true, method: 'GET' }),
  signIn: (email: string, password: string) =>
    call<T.SignedIn>('firefly/session/sign_in', { email, password }, { quiet401: true }),
  secondFactor: (challenge: string, code: string) =>
    call<T.Session>('firefly/session/second_factor', { challenge, code }, { quiet401: true }),
  claim: (code: string, password: string) =>
    call<T.SignedIn>('firefly/session/claim', { code, password }, { quiet401: true }),
  signOut: () => call<null>('firefly/session/sign_out', null),
};

export const search = {
  run: (query: string, options: T.SearchOptions, signal?: Signal) =>
    call<T.SearchPage>('firefly/search', { query, options }, { signal }),
  more: (cursor: string, signal?: Signal) => call<T.SearchPage>('firefly/search/continue', { cursor }, { signal }),
  suggest: (query: string, signal?: Signal) => call<T.Suggestions>('firefly/suggest', { query, limit: 5 }, { signal }),
  operators: () => call<T.Operators>('firefly/search/operators', null),
  fileStatus: (path: string, signal?: Signal) =>
    call<T.FileIndexStatus>('firefly/index_status', { path }, { signal }),
  status: () => call<T.IndexStatus>('firefly/index_status', {}),
  /** The words of a file, or of what lies inside it at `member`. */
  text: (path: string, offset: number, limit: number, signal?: Signal, member = '') =>
    call<T.ExtractedText>('firefly/text', { path, offset, limit, ...(member ? { member } : {}) }, { signal }),
};

interface ListOptions {
  recursive?: boolean;
  include_deleted?: boolean;
  limit?: number;
}

/** The searches that the account keeps. */
export const searches = {
  list: () => call<T.KeptSearches>('firefly/searches/list', null),
  save: (name: string, search: string) => call<T.KeptSearches>('firefly/searches/save', { name, search }),
  forget: (id: string) => call<T.KeptSearches>('firefly/searches/forget', { id }),
  note: (search: string) => call<T.KeptSearches>('firefly/searches/note', { search }),
  clear: () => call<T.KeptSearches>('firefly/searches/clear', null),
};

export const files = {
  list: (path: string, options: ListOptions = {}, signal?: Signal) =>
    call<T.Listing>('files/list_folder', { path, ...options }, { signal }),
  listMore: (cursor: string, signal?: Signal) => call<T.Listing>('files/list_folder/continue', { cursor }, { signal }),
  metadata: (path: string, signal?: Signal) => call<T.Entry>('files/get_metadata', { path }, { signal }),
  createFolder: (path: string) =>
    call<{ metadata: T.FolderEntry }>('files/create_folder_v2', { path, autorename: false }),
  move: (from_path: string, to_path: string, autorename = false) =>
    call<{ metadata: T.Entry }>('files/move_v2', { from_path, to_path, autorename }),
  copy: (from_path: string, to_path: string) =>
    call<{ metadata: T.Entry }>('files/copy_v2', { from_path, to_path, autorename: true }),
  /** A file's versions, newest first; also those it had under other names. */
  versions: (id: string, signal?: Signal) =>
    call<T.Versions>('files/list_revisions', { path: id, mode: 'id', limit: 100 }, { signal }),
  /** Makes an older version the newest one. */
  restore: (path: string, rev: string) => call<T.FileEntry>('files/restore', { path, rev }),
  trash: (limit: number, signal?: Signal) => call<T.Trash>('firefly/trash', { limit }, { signal }),
  remove: (path: string) => call<{ metadata: T.Entry }>('files/delete_v2', { path }),
  /** When a file's bytes were last read and found good, and on how many disks they are. */
  verified: (path: string, signal?: Signal) => call<T.Verified>('firefly/verified', { path }, { signal }),
  /** Brings back what was deleted, by its id or the path where it was; a folder with all that was in it. */
  undelete: (path: string) => call<{ metadata: T.Entry }>('firefly/undelete', { path }),
};

/** Pages through a listing; `each` gets every page. Returns the last cursor. */
export async function listAll(
  path: string,
  options: ListOptions,
  signal: Signal,
  each: (entries: T.AnyEntry[]) => void,
): Promise<string> {
  let page = await files.list(path, options, signal);
  each(page.entries);
  while (page.has_more) {
    page = await files.listMore(page.cursor, signal);
    each(page.entries);
  }
  return page.cursor;
}

export const rewinds = {
  preview: async (path: string, to: string, signal?: Signal) =>
    (await call<{ preview: T.RewindCounts }>('firefly/rewind', { path, to, dry_run: true }, { signal })).preview,
  begin: async (path: string, to: string) => (await call<{ rewind: T.Rewind }>('firefly/rewind', { path, to })).rewind,
  status: async (rewind_id: string) => (await call<{ rewind: T.Rewind }>('firefly/rewind/status', { rewind_id })).rewind,
  undo: async (rewind_id: string) => (await call<{ rewind: T.Rewind }>('firefly/rewind/undo', { rewind_id })).rewind,
  list: async () => (await call<{ rewinds: T.Rewind[] }>('firefly/rewind/list', {})).rewinds,
};

const argument = (value: unknown) => encodeURIComponent(JSON.stringify(value));

/** The address of a file's bytes, or of a folder as an archive, saved by the browser. */
export function downloadUrl(path: string, folder = false): string {
  return `/2/files/${folder ? 'download_zip' : 'download'}?arg=${argument({ path })}&dl=1`;
}

/** The address of the bytes of what lies inside a file. */
export function memberUrl(path: string, member: string): string {
  return `/2/firefly/member/download?arg=${argument({ path, member })}&dl=1`;
}

/** The address of several files and folders as one archive. */
export function zipUrl(paths: readonly string[], name: string): string {
  return `/2/firefly/zip?arg=${argument({ paths, name })}`;
}

/** The address of a picture's small form; `rev` makes a new version a new address. */
export function thumbnailUrl(path: string, rev: string, size: 'w64h64' | 'w256h256' | 'w1024h768'): string {
  return `/2/firefly/thumbnail?arg=${argument({ path, size })}&rev=${encodeURIComponent(rev)}`;
}

/** The address that shows a file, or what lies inside it at `member`, in the page; `rev` only makes a new version a new address. */
export function previewUrl(path: string, rev: string, member = ''): string {
  const route = member ? 'member/preview' : 'preview';
  return `/2/firefly/${route}?arg=${argument(member ? { path, member } : { path })}&rev=${encodeURIComponent(rev)}`;
}

const editor = { '.tag': 'editor' };
const viewer = { '.tag': 'viewer' };

/** Waits for a sharing job that the server finishes later. */
async function finish<R>(launch: T.Launch<R>, check: string): Promise<void> {
  if (launch['.tag'] !== 'async_job_id') return;
  for (let tries = 0; tries < 60; tries += 1) {
    await new Promise((wake) => setTimeout(wake, 500));
    const status = await call<{ '.tag': string }>(check, { async_job_id: launch.async_job_id });
    if (status['.tag'] === 'complete') return;
    if (status['.tag'] === 'failed') throw new ApiError(409, 'failed', t('That could not be finished.'));
  }
  throw new ApiError(0, '', t('That takes unusually long. Look again in a minute.'));
}

export const sharing = {
  async share(path: string): Promise<string> {
    const launch = await call<T.Launch<T.SharedFolder>>('sharing/share_folder', { path, force_async: false });
    if (launch['.tag'] === 'complete') return launch.shared_folder_id;
    await finish(launch, 'sharing/check_share_job_status');
    const folder = await files.metadata(path);
    return folder.sharing_info?.shared_folder_id ?? '';
  },
  async unshare(shared_folder_id: string): Promise<void> {
    const launch = await call<T.Launch<unknown>>('sharing/unshare_folder', { shared_folder_id });
    await finish(launch, 'sharing/check_job_status');
  },
  addMember: (shared_folder_id: string, member: object, canEdit: boolean) =>
    call<null>('sharing/add_folder_member', {
      shared_folder_id,
      members: [{ member, access_level: canEdit ? editor : viewer }],
      quiet: false,
    }),
  setRole: (shared_folder_id: string, member: object, canEdit: boolean) =>
    call<unknown>('sharing/update_folder_member', { shared_folder_id, member, access_level: canEdit ? editor : viewer }),
  async removeMember(shared_folder_id: string, member: object): Promise<void> {
    const launch = await call<T.Launch<unknown>>('sharing/remove_folder_member', {
      shared_folder_id,
      member,
      leave_a_copy: false,
    });
    await finish(launch, 'sharing/check_remove_member_job_status');
  },
  async leave(shared_folder_id: string): Promise<void> {
    const launch = await call<T.Launch<unknown>>('sharing/relinquish_folder_membership', { shared_folder_id });
    await finish(launch, 'sharing/check_job_status');
  },
  async members(shared_folder_id: string): Promise<T.Members> {
    const members = await call<T.Members>('sharing/list_folder_members', { shared_folder_id, limit: 200 });
    while (members.cursor) {
      const more = await call<T.Members>('sharing/list_folder_members/continue', { cursor: members.cursor });
      members.users.push(...more.users);
      members.groups.push(...more.groups);
      members.invitees.push(...more.invitees);
      members.cursor = more.cursor;
    }
    return members;
  },
  folders: () => call<{ entries: T.SharedFolder[]; cursor?: string }>('sharing/list_folders', { limit: 1000 }),
  mountable: () =>
    call<{ entries: T.SharedFolder[]; cursor?: string }>('sharing/list_mountable_folders', { limit: 1000 }),
  mount: (shared_folder_id: string) => call<T.SharedFolder>('sharing/mount_folder', { shared_folder_id }),
  links: (path?: string) =>
    call<{ links: T.SharedLink[]; has_more: boolean; cursor?: string }>(
      'sharing/list_shared_links',
      path ? { path, direct_only: true } : {},
    ),
  createLink: (path: string, settings: T.LinkSettings = {}) =>
    call<T.SharedLink>('sharing/create_shared_link_with_settings', { path, settings }),
  changeLink: (url: string, settings: T.LinkSettings, remove_expiration = false) =>
    call<T.SharedLink>('sharing/modify_shared_link_settings', { url, settings, remove_expiration }),
  revokeLink: (url: string) => call<null>('sharing/revoke_shared_link', { url }),
};

export const account = {
  /** What the account's files, its trash and its old versions take. */
  space: () => call<T.Space>('firefly/space', {}),
  changePassword: (old_password: string, new_password: string) =>
    call<null>('firefly/account/change_password', { old_password, new_password }),
  create: (email: string, name: string) => call<T.CreatedAccount>('firefly/account/create', { email, name }),
  tokens: () => call<{ tokens: T.Token[] }>('firefly/token/list', null),
  createToken: (name: string) => call<{ token: string; id?: string }>('firefly/token/create', { name }),
  revokeToken: (id: string) => call<null>('firefly/token/revoke', { id }),
};
