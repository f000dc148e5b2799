import { ApiError } from './call';
import { t } from './i18n.svelte';

/** Why a password is not taken, in words; '' for any other refusal. */
export function weakness(error: unknown): string {
  const why = error instanceof ApiError ? (error.detail as { weak_password?: string } | undefined)?.weak_password : undefined;
  return why ? t('Not that one: {why}.', { why }) : '';
}
