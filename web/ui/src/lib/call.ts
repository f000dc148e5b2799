/** One way to call the server: JSON in, JSON out, errors as `ApiError`. */

import { later, t } from './i18n.svelte';

/** What the server refused or failed to do; `message` is fit to be shown. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly summary: string,
    message: string,
    readonly detail: unknown = undefined,
    readonly retryAfter = 0,
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** Whether the error's tags include this one, as in `path/not_found/`. */
  has(tag: string): boolean {
    return this.summary.split('/').includes(tag);
  }

  /** Whether trying again later can help. */
  get retryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Words for the errors people meet. */
const SENTENCES: Record<string, string> = {
  invalid_credentials: later('That email and password do not match.'),
  too_many_saved: later('There are a hundred saved searches already. Forget one first.'),
  invalid_search: later('That search cannot be kept.'),
  too_large: later('That is too much for one archive.'),
  invalid_code: later('This link was used before or has expired. Ask for a new one.'),
  weak_password: later('That password is too easy to guess. Use at least 12 characters, and no words that many people use.'),
  not_found: later('It is not there any more. Someone may have moved or deleted it.'),
  conflict: later('Something with that name is already there.'),
  insufficient_space: later('There is not enough space left for this.'),
  malformed_path: later('That name cannot be used. Avoid / and \\, and keep it under 255 bytes.'),
  disallowed_name: later('That name cannot be used.'),
  no_write_permission: later('You may look at this folder but not change it.'),
  no_permission: later('You do not have permission for that.'),
  access_denied: later('You do not have permission for that.'),
  restricted_content: later('You do not have permission for that.'),
  too_many_write_operations: later('Too many changes at once. Try again in a moment.'),
  too_many_files: later('That is too many files at once.'),
  cant_move_folder_into_itself: later('A folder cannot be moved into itself.'),
  cant_copy_shared_folder: later('A shared folder cannot be copied.'),
  cant_nest_shared_folder: later('A shared folder cannot be put into another one.'),
  cant_move_shared_folder: later('This shared folder cannot be moved there.'),
  duplicated_or_nested_paths: later('Some of these are inside each other.'),
  content_hash_mismatch: later('The file was damaged on its way. Try again.'),
  already_shared: later('This folder is shared already.'),
  inside_shared_folder: later('This folder is inside a shared folder.'),
  contains_shared_folder: later('This folder contains a shared folder.'),
  is_file: later('Only folders can be shared with people. Share a link to the file instead.'),
  invalid_dropbox_id: later('No account here has that address.'),
  bad_member: later('No account here has that address.'),
  unverified_dropbox_id: later('No account here has that address.'),
  email_not_found: later('No account here has that address.'),
  already_exists: later('That exists already.'),
  email_taken: later('There is an account with that address already.'),
  invalid_email: later('That is no email address.'),
  insufficient_quota: later('There is not enough space left for this.'),
  member_error: later('That person is not a member any more.'),
  not_a_member: later('You are not a member of this folder any more.'),
  not_mountable: later('This folder cannot be added to your files.'),
  already_mounted: later('This folder is among your files already.'),
  folder_owner: later('The owner cannot leave: stop sharing instead.'),
  shared_link_not_found: later('This link is gone already.'),
  history_too_short: later('What happened that long ago is not known any more. Choose a later moment.'),
  rewind_runs: later('This folder is on its way back to an earlier moment already.'),
  invalid_challenge: later('That took too long. Sign in once more.'),
  last_admin: later('That is the last administrator: make somebody else one first.'),
  not_suspended: later('Suspend the account first.'),
  suspended: later('This account is suspended. Let it in again first.'),
  has_files: later('There are still files in it. Hand them over first.'),
  same_account: later('Choose somebody else.'),
  too_many_members: later('That would be too many people.'),
  too_many_groups: later('There are too many groups already.'),
  name_taken: later('There is one with that name already.'),
  invalid_name: later('That name cannot be used.'),
  no_account: later('No account here has that address.'),
  group_not_found: later('That group is gone.'),
  admins_only: later('Only administrators may invite people who have no account.'),
  too_many_invitations: later('There are too many open invitations to this folder.'),
  awaiting_approval: later('An administrator has to let them in first.'),
  no_explicit_access: later('This person is in by a group: change the group.'),
  group_access: later('You are in by a group: whoever looks after the group can take you out.'),
  not_allowed: later('That folder may not be imported.'),
  busy: later('An import runs already. Wait until it is done.'),
  bad_pattern: later('One of the patterns cannot be understood.'),
  payload_too_large: later('That is too large for one request.'),
};

function sentence(status: number, summary: string, user: unknown): string {
  if (typeof user === 'string' && user) return user;
  if (user && typeof user === 'object' && 'text' in user) return String(user.text);
  const known = summary.split('/').reverse().find((tag) => tag in SENTENCES);
  if (known) return t(SENTENCES[known] ?? '');
  if (status === 0) return t('The server cannot be reached. Check the connection.');
  if (status === 401) return t('Please sign in again.');
  if (status === 429) return t('That was a little fast. Try again in a moment.');
  if (status >= 500) return t('The server had a problem. Try again in a moment.');
  if (status === 404) return t('This server does not offer that.');
  return summary ? t('The server refused ({why}).', { why: summary.replace(/[/.]+$/, '') }) : t('The server refused.');
}

/** Makes an `ApiError` of a refusing answer. */
export function refusal(status: number, body: string): ApiError {
  let parsed: { error_summary?: string; error?: { reason?: unknown; retry_after?: number }; user_message?: unknown } = {};
  try {
    parsed = JSON.parse(body) ?? {};
  } catch {
    // Dropbox answers 400 with plain text.
    parsed = { error_summary: status === 400 ? body.slice(0, 200) : '' };
  }
  const summary = parsed.error_summary ?? '';
  const message = sentence(status, summary, parsed.user_message);
  return new ApiError(status, summary, message, parsed.error, parsed.error?.retry_after ?? 0);
}

let csrf = '';
let whenSignedOut: () => void = () => {};

/** Sets the token that every POST carries. */
export function setCsrf(token: string): void {
  csrf = token;
}

/** Calls `then` whenever the server says that nobody is signed in. */
export function onSignedOut(then: () => void): void {
  whenSignedOut = then;
}

/** The headers of a signed-in POST. */
export function sessionHeaders(): Record<string, string> {
  return csrf ? { 'X-Firefly-Csrf': csrf } : {};
}

/** Reports a 401 met outside `call`. */
export function signedOut(): void {
  whenSignedOut();
}

/** JSON in ASCII, as headers need it. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

interface CallOptions {
  signal?: AbortSignal;
  /** Whether a 401 is an answer here and does not lead to the sign-in page. */
  quiet401?: boolean;
  /** GET takes no argument, and no CSRF token. */
  method?: 'GET';
}

function posted(argument: unknown): RequestInit {
  return { headers: { 'Content-Type': 'application/json', ...sessionHeaders() }, body: JSON.stringify(argument) };
}

/** Sends `argument` to `/2/route`; throws `ApiError`, or an `AbortError` when aborted. */
export async function call<T>(route: string, argument: unknown, options: CallOptions = {}): Promise<T> {
  let response: Response;
  let body: string;
  try {
    response = await fetch(`/2/${route}`, {
      method: options.method ?? 'POST',
      credentials: 'same-origin',
      ...(options.method === 'GET' ? {} : posted(argument)),
      signal: options.signal,
    });
    body = await response.text();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, '', sentence(0, '', undefined));
  }
  if (response.ok) return (body ? JSON.parse(body) : null) as T;
  if (response.status === 401 && !options.quiet401) whenSignedOut();
  throw refusal(response.status, body);
}

/** Whether this is the trace of our own abort, to be passed over. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** Words to show for any error. */
export function wordsOf(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return error instanceof Error ? error.message : String(error);
}
