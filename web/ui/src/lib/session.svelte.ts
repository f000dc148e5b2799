/** Who is signed in. */

import { session as api } from './api';
import { onSignedOut, setCsrf, wordsOf } from './call';
import type { Account, Session } from './types';

class SignIn {
  /** `asking` until the server has said who this is. */
  state = $state<'asking' | 'in' | 'out' | 'unreachable'>('asking');
  account = $state<Account | null>(null);
  problem = $state('');

  /** Asks the server who this is. */
  async resume(): Promise<void> {
    if (this.state !== 'unreachable') this.state = 'asking';
    try {
      const found = await api.current();
      if (found) this.accept(found);
      else this.state = 'out';
    } catch (error) {
      this.problem = wordsOf(error);
      this.state = 'unreachable';
    }
  }

  /** Takes the server's answer to a sign-in. */
  accept(session: Session): void {
    setCsrf(session.csrf_token);
    this.account = session.account;
    this.state = 'in';
  }

  /** Forgets who this was; the address stays. */
  forget = () => {
    setCsrf('');
    this.account = null;
    this.state = 'out';
  };

  async signOut(): Promise<void> {
    await api.signOut();
    this.forget();
  }
}

export const session = new SignIn();
onSignedOut(session.forget);
