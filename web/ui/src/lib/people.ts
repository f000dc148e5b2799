/** People as administrators see them, invitations and groups: typed routes. */

import { call } from './call';
import type { AccessLevel, Session } from './types';

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

/** Who may invite people without an account. */
export type WhoInvites = 'everybody' | 'approval' | 'admins';

export interface Inviter {
  account_id: string;
  name: string;
  email: string;
}

export interface PendingInvitation {
  invitation_id: string;
  email: string;
  invited_by: Inviter;
  created: string;
  expires: string;
  state: 'pending' | 'awaiting_approval';
}

export interface FolderInvitation extends PendingInvitation {
  shared_folder_id: string;
  access_level: { '.tag': AccessLevel };
}

/** What came of inviting an address to a folder: a member at once, or a link to pass on. */
export type Invited =
  | { state: 'member'; account_id: string }
  | { state: 'pending' | 'awaiting_approval'; invitation: FolderInvitation; url: string };

/** What somebody who opened an invitation is told. */
export interface InvitationSeen {
  email: string;
  folder: string;
  invited_by: string;
  access_level: { '.tag': AccessLevel };
  expires: string;
  state: 'pending' | 'awaiting_approval';
  has_account: boolean;
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
  team: () => admin<{ invitations: WhoInvites }>('team/get'),
  setTeam: (invitations: WhoInvites) => admin<{ invitations: WhoInvites }>('team/set', { invitations }),
  pending: async () => (await admin<{ invitations: PendingInvitation[] }>('invitations/list')).invitations,
  approve: (invitation_id: string) => admin<object>('invitations/approve', { invitation_id }),
  withdrawInvitation: (invitation_id: string) => admin<object>('invitations/withdraw', { invitation_id }),
};

/** Invitations to shared folders, of people who may have no account. */
export const invitations = {
  create: (shared_folder_id: string, email: string, access_level: 'editor' | 'viewer') =>
    call<Invited>('firefly/invitations/create', { shared_folder_id, email, access_level }),
  list: async (shared_folder_id: string) => (await call<{ invitations: FolderInvitation[] }>('firefly/invitations/list', { shared_folder_id })).invitations,
  withdraw: (invitation_id: string) => call<null>('firefly/invitations/withdraw', { invitation_id }),
  look: (code: string) => call<InvitationSeen>('firefly/invitations/look', { code }, { quiet401: true }),
  accept: (code: string) => call<{ shared_folder_id: string; path_display: string }>('firefly/invitations/accept', { code }),
  claim: (code: string, password: string, name: string) =>
    call<Session>('firefly/invitations/claim', { code, password, ...(name ? { name } : {}) }, { quiet401: true }),
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
