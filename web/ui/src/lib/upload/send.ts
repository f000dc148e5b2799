/** Sends one file: bytes up, progress back. */

import { ApiError, asciiJson, refusal, sessionHeaders, signedOut } from '../call';
import { t } from '../i18n.svelte';
import type { FileEntry } from '../types';
import { contentHash } from './hash';
import { needsSession, nextPart } from './plan';

export type OnConflict = 'ask' | 'replace' | 'keep_both';

/** How far a file's upload is; kept over pauses and retries. */
export interface Progress {
  session: string;
  offset: number;
}

interface Job {
  file: File;
  path: string;
  onConflict: OnConflict;
  progress: Progress;
  signal: AbortSignal;
  /** `progress` has changed: worth keeping. */
  reached: () => void;
  /** Bytes of the file that have left, so far. */
  sent: (bytes: number) => void;
}

/** Sends the file from where `job.progress` says; returns what the server made of it. */
export async function send(job: Job): Promise<FileEntry> {
  if (!needsSession(job.file.size)) {
    return post<FileEntry>('files/upload', { ...commit(job), ...(await hashed(job.file)) }, job.file, job, 0);
  }
  if (!job.progress.session) {
    const started = await post<{ session_id: string }>('files/upload_session/start', { close: false }, new Blob([]), job, 0);
    job.progress.session = started.session_id;
    job.progress.offset = 0;
    job.reached();
  }
  await appendAll(job);
  const cursor = { session_id: job.progress.session, offset: job.progress.offset };
  return post<FileEntry>('files/upload_session/finish', { cursor, commit: commit(job) }, new Blob([]), job, job.file.size);
}

async function appendAll(job: Job): Promise<void> {
  const { file, progress } = job;
  while (progress.offset < file.size) {
    const part = nextPart(file.size, progress.offset);
    const body = file.slice(part.start, part.end);
    const cursor = { session_id: progress.session, offset: part.start };
    try {
      await post('files/upload_session/append_v2', { cursor, close: false, ...(await hashed(body)) }, body, job, part.start);
      progress.offset = part.end;
    } catch (error) {
      progress.offset = resumeOffset(error, file.size);
    }
    job.reached();
  }
}

/** Where the server wants the next byte; throws what cannot be mended so. */
function resumeOffset(error: unknown, size: number): number {
  const detail = error instanceof ApiError ? (error.detail as { correct_offset?: number } | undefined) : undefined;
  const offset = detail?.correct_offset;
  if (offset === undefined || offset < 0 || offset > size) throw error;
  return offset;
}

function commit(job: Job) {
  return {
    path: job.path,
    mode: job.onConflict === 'replace' ? 'overwrite' : 'add',
    autorename: job.onConflict === 'keep_both',
    strict_conflict: false,
    client_modified: `${new Date(job.file.lastModified).toISOString().slice(0, 19)}Z`,
  };
}

async function hashed(body: Blob): Promise<{ content_hash?: string }> {
  const content_hash = await contentHash(body);
  return content_hash ? { content_hash } : {};
}

/** Posts bytes. XMLHttpRequest, because fetch does not tell how much has left. */
function post<A>(route: string, argument: object, body: Blob, job: Job, base: number): Promise<A> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const settle = (then: () => void) => {
      job.signal.removeEventListener('abort', stop);
      then();
    };
    request.open('POST', `/2/${route}`);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.setRequestHeader('Dropbox-API-Arg', asciiJson(argument));
    for (const [name, value] of Object.entries(sessionHeaders())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => job.sent(base + event.loaded);
    request.onabort = () => settle(() => reject(new DOMException('stopped', 'AbortError')));
    request.onerror = () => settle(() => reject(new ApiError(0, '', t('The connection broke.'))));
    request.onload = () => settle(() => answer(request, resolve, reject));
    if (job.signal.aborted) return settle(() => reject(new DOMException('stopped', 'AbortError')));
    job.signal.addEventListener('abort', stop);
    request.send(body);
  });
}

function answer<A>(request: XMLHttpRequest, resolve: (value: A) => void, reject: (error: unknown) => void): void {
  if (request.status >= 200 && request.status < 300) {
    resolve((request.responseText ? JSON.parse(request.responseText) : null) as A);
    return;
  }
  if (request.status === 401) signedOut();
  reject(refusal(request.status, request.responseText));
}
