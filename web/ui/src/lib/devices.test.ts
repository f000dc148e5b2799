import { expect, test } from 'vitest';
import { deviceWords, isHandheld } from './devices';

test('devices are told in words', () => {
  expect(deviceWords('Firefox on Windows')).toBe('Firefox on Windows');
  expect(deviceWords('curl')).toBe('curl');
  expect(deviceWords('browser')).toBe('A browser');
  expect(isHandheld('Safari on iPhone')).toBe(true);
  expect(isHandheld('Safari on Mac')).toBe(false);
});
