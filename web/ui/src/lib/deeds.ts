/** What the audit log has, in words. */

import { later, t } from './i18n.svelte';

/** The kinds of deeds, in the order of the choice. */
export const DEEDS: { title: string; deeds: Record<string, string> }[] = [
  {
    title: later('Signing in'),
    deeds: {
      sign_in: later('signed in'),
      sign_in_failed: later('failed to sign in'),
      sign_out: later('signed out'),
      password_set: later('set a password'),
      token_created: later('made a token'),
      token_revoked: later('revoked a token'),
      second_factor_set: later('turned on two-step sign-in'),
      second_factor_removed: later('turned off two-step sign-in'),
      recovery_code_used: later('signed in with a recovery code'),
    },
  },
  {
    title: later('Files'),
    deeds: {
      search: later('searched'),
      download: later('downloaded'),
      deleted: later('deleted'),
      restored: later('restored'),
      purged: later('removed for good'),
    },
  },
  {
    title: later('Sharing'),
    deeds: {
      folder_shared: later('shared a folder'),
      folder_unshared: later('stopped sharing a folder'),
      member_added: later('added a person'),
      member_changed: later('changed what a person may do'),
      member_removed: later('removed a person'),
      invitation_created: later('invited somebody'),
      invitation_accepted: later('accepted an invitation'),
      invitation_withdrawn: later('withdrew an invitation'),
      owner_changed: later('gave a folder to another'),
      policy_changed: later('changed a folder’s rules'),
      link_created: later('made a link'),
      link_opened: later('opened a link'),
      link_changed: later('changed a link'),
      link_revoked: later('revoked a link'),
    },
  },
  {
    title: later('Administration'),
    deeds: {
      account_created: later('made an account'),
      account_changed: later('changed an account'),
      group_changed: later('changed a group'),
      group_member_added: later('put somebody into a group'),
      group_member_removed: later('took somebody out of a group'),
      admin: later('administered'),
    },
  },
];

const WORDS = Object.assign({}, ...DEEDS.map(({ deeds }) => deeds)) as Record<string, string>;

/** A deed in words; one that a newer server knows is shown by its name. */
export function deedWords(action: string): string {
  const words = WORDS[action];
  return words ? t(words) : action.replaceAll('_', ' ');
}

/** Deeds that somebody may want to look at twice. */
export const isNotable = (action: string) => ['sign_in_failed', 'purged'].includes(action);
