import { describe, expect, test } from 'vitest';
import { isLitter, needsSession, nextPart, PART_BYTES, SINGLE_MOST_BYTES, Speed, targetPath, waitBeforeRetry } from './plan';

const MIB = 1024 * 1024;

test('only files over the limit need a session', () => {
  expect([0, 1, SINGLE_MOST_BYTES, SINGLE_MOST_BYTES + 1].map(needsSession)).toEqual([false, false, false, true]);
});

describe('parts', () => {
  test('are whole blocks', () => expect(PART_BYTES % (4 * MIB)).toBe(0));

  test.each([0, 1, 8 * MIB, 20 * MIB, 64 * MIB + 7])('cover a file of %d bytes once', (size) => {
    let offset = 0;
    let parts = 0;
    while (offset < size) {
      const part = nextPart(size, offset);
      expect(part.start).toBe(offset);
      expect(part.end).toBeGreaterThan(offset);
      expect(part.end === size || part.end % (4 * MIB) === 0).toBe(true);
      offset = part.end;
      parts += 1;
    }
    expect(parts).toBe(Math.ceil(size / PART_BYTES));
  });

  test('fall in step again after a broken one', () => {
    expect(nextPart(30 * MIB, 9 * MIB)).toEqual({ start: 9 * MIB, end: 16 * MIB });
  });
});

test('waiting grows, heeds the server, and ends', () => {
  expect([1, 2, 3].map((n) => waitBeforeRetry(n))).toEqual([1000, 2000, 4000]);
  expect(waitBeforeRetry(1, 9)).toBe(9000);
  expect(waitBeforeRetry(7)).toBeUndefined();
  expect(waitBeforeRetry(700, 0, true)).toBe(30_000);
});

test('speed is of the last moments only', () => {
  const speed = new Speed(1000);
  expect(speed.bytesPerSecond).toBe(0);
  for (const [ms, bytes] of [[0, 0], [500, 50], [1000, 1000], [2000, 3000]] as const) speed.add(ms, bytes);
  expect(speed.bytesPerSecond).toBe(2000);
});

test('targets stay below their folder', () => {
  expect(targetPath('/Team', 'photos/a.jpg')).toBe('/Team/photos/a.jpg');
  expect(targetPath('', '../../etc/./x')).toBe('/etc/x');
  expect(isLitter('.DS_Store')).toBe(true);
});
