/** The second factor: typed routes, and the picture of its secret. */

import { call } from './call';

export interface TwoFactorStatus {
  enabled: boolean;
  since: string | null;
  recovery_codes_left: number;
  password_set: boolean;
}

export interface TwoFactorSecret {
  secret: string;
  uri: string;
  qr_svg: string;
}

export const twoFactor = {
  status: () => call<TwoFactorStatus>('firefly/two_factor/status', null),
  begin: (password: string) => call<TwoFactorSecret>('firefly/two_factor/begin', { password }),
  confirm: (code: string) => call<{ recovery_codes: string[] }>('firefly/two_factor/confirm', { code }),
  recoveryCodes: (password: string, code: string) => call<{ recovery_codes: string[] }>('firefly/two_factor/recovery_codes', { password, code }),
  disable: (password: string, code: string) => call<null>('firefly/two_factor/disable', { password, code }),
};

/** The size and the uppermost path of a picture that is made of digits: the dark squares. Nothing else of it is taken. */
export function pathOf(svg: string): { viewBox: string; d: string } | undefined {
  const viewBox = /\sviewBox="([\d\s.-]+)"/.exec(svg)?.[1];
  const d = [...svg.matchAll(/<path[^>]*\sd="([MmHhVvLlZz\d\s.,-]+)"/g)].at(-1)?.[1];
  return viewBox && d ? { viewBox, d } : undefined;
}

/** A secret in groups of four, as people type it. */
export const grouped = (secret: string) => secret.replace(/(.{4})(?=.)/g, '$1 ');
