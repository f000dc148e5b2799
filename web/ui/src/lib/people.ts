/** People as administrators see them, and groups: typed routes. */

import { call } from './call';

export interface PersonRow {
  account_id: string;
  email: string;
  name: string;
  state: 'active' | 'invited' | 'suspended';
  is_admin: boolean;
  created: string;
  last_seen: string | null;
  used: number;
  quota: number;
  two_factor: boolean;
  groups: number;
  invitation: { expires: string } | null;
}

export interface Group {
  group_id: string;
  name: string;
  member_count: number;
  is_member: boolean;
  is_owner: boolean;
  shared_folder_count?: number;
}

export interface GroupPerson {
  account_id: string;
  email: string;
  name: string;
  is_owner: boolean;
  is_suspended: boolean;
}

const admin = <R>(operation: string, argument: object = {}) => call<R>(`firefly/admin/${operation}`, argument);
type Invitation = { invite_url: string; expires: string };

/** The administration of accounts. `whom` is an account id. */
export const people = {
  async list(): Promise<PersonRow[]> {
    const all: PersonRow[] = [];
    let cursor: string | undefined;
    do {
      const page: { accounts: PersonRow[]; cursor?: string } = await admin('account/list', cursor ? { cursor } : {});
      all.push(...page.accounts);
      cursor = page.cursor;
    } while (cursor);
    return all;
  },
  invite: (email: string, name: string, is_admin: boolean) => admin<Invitation>('account/invite', { email, name, is_admin }),
  inviteAgain: (account_id: string) => admin<Invitation>('account/invite', { account_id }),
  withdraw: (account_id: string) => admin<object>('account/withdraw', { account_id }),
  suspend: (account_id: string, suspended: boolean) => admin<object>('account/suspend', { account_id, suspended }),
  resetPassword: (account_id: string) => admin<Invitation>('account/reset_password', { account_id }),
  resetTwoFactor: (account_id: string) => admin<object>('account/reset_two_factor', { account_id }),
  setQuota: (account_id: string, quota: number) => admin<object>('account/set_quota', { account_id, quota }),
  setAdmin: (account_id: string, is_admin: boolean) => admin<object>('account/set_admin', { account_id, is_admin }),
  rename: (account_id: string, name: string) => admin<object>('account/rename', { account_id, name }),
  handOver: (account_id: string, to: string) => admin<{ folder: string; bytes: number; shared_folders: number }>('account/hand_over', { account_id, to }),
  remove: (account_id: string) => admin<object>('account/delete', { account_id }),
};

/** Groups of people. */
export const groups = {
  list: async () => (await call<{ groups: Group[] }>('firefly/groups/list', null)).groups,
  members: (group_id: string) => call<{ group: Group; members: GroupPerson[] }>('firefly/groups/members', { group_id }),
  create: (name: string) => call<Group>('firefly/groups/create', { name }),
  rename: (group_id: string, name: string) => call<Group>('firefly/groups/rename', { group_id, name }),
  remove: (group_id: string) => call<null>('firefly/groups/delete', { group_id }),
  add: (group_id: string, email: string, is_owner: boolean) => call<null>('firefly/groups/add', { group_id, email, is_owner }),
  removeMember: (group_id: string, account_id: string) => call<null>('firefly/groups/remove', { group_id, account_id }),
};
