/** The routes of administrators, typed. */

import { call } from './call';

type Signal = AbortSignal | undefined;

export interface ShardStatus {
  shard: number;
  documents: number;
  segments: number;
  /** Log entries that are not in the index yet. */
  lag: number;
  /** False while it goes through everything for the first time. */
  complete: boolean;
  rebuilding: boolean;
  /** Whether making it anew rests. */
  paused: boolean;
  commits: number;
  commit_ms: number;
  error: string | null;
}

export interface TargetStatus {
  name: string;
  folder: string;
  zone: string;
  online: boolean;
  failing: boolean;
  reason: string | null;
  draining: boolean;
  extents: number;
  bytes: number;
  free_bytes: number | null;
}

export interface StorageStatus {
  targets: TargetStatus[];
  replicas: number;
  min_replicas: number;
  replicas_now: number;
  short_extents: number;
  short_bytes: number;
  draining_extents: number;
}

export interface QueueStatus {
  broker: string;
  queues: { queue: string; messages: number; consumers: number }[];
  error: string | null;
  connections: Record<string, string>;
}

export interface Overview {
  index: { shards: ShardStatus[]; extracting: number; extracted: number };
  storage: StorageStatus;
  /** Null without a broker. */
  queue: QueueStatus | null;
}

export interface AccountSpace {
  email: string;
  used_bytes: number;
  trashed: number;
  trash_bytes: number;
  versions: number;
  version_bytes: number;
}

export interface Retention {
  days: number;
  set_by: string;
  accounts: AccountSpace[];
  is_complete: boolean;
}

export interface AuditFilter {
  actor?: string;
  actions?: string[];
  since_ms?: number;
  until_ms?: number;
  subject?: string;
  address?: string;
}

export interface AuditEvent {
  sequence: number;
  at: string;
  actor: string | null;
  action: string;
  subject: string;
  address: string | null;
}

export interface AuditPage {
  events: AuditEvent[];
  /** Where the next page begins; null at the end. */
  next: number | null;
}

export interface AuditReport {
  events: number;
  head: string;
  problems: string[];
}

const run = <R>(operation: string, argument: object = {}, signal?: Signal) => call<R>(`firefly/admin/${operation}`, argument, { signal });

export const admin = {
  overview: (signal?: Signal) => run<Overview>('overview', {}, signal),
  retention: () => run<Retention>('retention/get'),
  /** Null: as the configuration says. */
  setRetention: (days: number | null) => run<object>('retention/set', { days }),
  reindex: () => run<{ message: string }>('reindex'),
  /** Has the indexes that are made anew rest, or go on; says how many there are. */
  restIndex: (rests: boolean) => run<{ shards: number }>(rests ? 'index/pause' : 'index/resume'),
  audit: (filter: AuditFilter, before: number | null, limit: number, signal?: Signal) =>
    run<AuditPage>('audit/list', { ...filter, newest_first: true, ...(before === null ? {} : { before }), limit }, signal),
  auditFrom: (filter: AuditFilter, after: number) => run<AuditPage>('audit/list', { ...filter, after, limit: 1000 }),
  verifyAudit: () => run<AuditReport>('audit/verify'),
};
