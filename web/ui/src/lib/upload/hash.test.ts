import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { contentHash } from './hash';

const sha256 = (...parts: Uint8Array[]) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

test('nothing hashes to the hash of nothing', async () => {
  expect(await contentHash(new Blob([]))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});

test('blocks of 4 MiB are hashed, then their digests', async () => {
  const bytes = new Uint8Array(5 * 1024 * 1024).fill(7);
  const [first, rest] = [bytes.subarray(0, 4 * 1024 * 1024), bytes.subarray(4 * 1024 * 1024)];
  expect(await contentHash(new Blob([bytes]))).toBe(sha256(sha256(first), sha256(rest)).toString('hex'));
});
