/** Which files cannot be found by their words, and why: typed routes. */

import { call } from './call';
import type { Entry, Outcome } from './types';

export interface Reason {
  reason: Outcome;
  files: number;
}

export interface RestEntry {
  metadata: Entry;
  reason: Outcome;
  advice?: string;
  detail?: string;
}

export interface RestPage {
  entries: RestEntry[];
  cursor: string | null;
  has_more: boolean;
}

export const rest = {
  reasons: async () => (await call<{ reasons: Reason[] }>('firefly/index/reasons', {})).reasons,
  /** Over everybody's files, for administrators: counts alone. */
  allReasons: async () => (await call<{ reasons: Reason[] }>('firefly/admin/index/reasons', {})).reasons,
  list: (reason: string, cursor: string | null) => call<RestPage>('firefly/index/rest', { ...(reason ? { reason } : {}), ...(cursor ? { cursor } : {}), limit: 100 }),
};
