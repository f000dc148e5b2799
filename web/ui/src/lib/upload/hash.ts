/** Dropbox's content hash, so that damage on the way is noticed. */

const BLOCK_BYTES = 4 * 1024 * 1024;

/** The content hash of `body`, or nothing where the browser does not offer SHA-256 (plain http from another machine). */
export async function contentHash(body: Blob): Promise<string | undefined> {
  if (!globalThis.crypto?.subtle) return undefined;
  const digests: ArrayBuffer[] = [];
  for (let at = 0; at < body.size; at += BLOCK_BYTES) {
    const block = await body.slice(at, at + BLOCK_BYTES).arrayBuffer();
    digests.push(await crypto.subtle.digest('SHA-256', block));
  }
  const all = await new Blob(digests).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
