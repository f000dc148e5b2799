/** Folders that others shared with the account and that are not among its files yet. */

import { sharing } from './api';
import { wordsOf } from './call';
import { t } from './i18n.svelte';
import { live } from './live.svelte';
import { done, problem } from './toast.svelte';
import type { SharedFolder } from './types';

/** The event stream tells of files that are there already: an offer is looked for, while somebody looks. */
const LOOK_MS = 30_000;

class Offers {
  all = $state.raw<SharedFolder[]>([]);

  look = async (): Promise<void> => {
    try {
      const { entries } = await sharing.mountable();
      this.all = entries.filter((folder) => !(folder.path_display ?? folder.path_lower));
    } catch (error) {
      // The places that need the list say so themselves.
      console.info('offers', error);
    }
  };

  /** Keeps the list right until the returned function is called. */
  follow(): () => void {
    const seen = () => document.hidden || void this.look();
    seen();
    const timer = setInterval(seen, LOOK_MS);
    document.addEventListener('visibilitychange', seen);
    const deaf = live.listen((told) => told === 'anew' && seen());
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', seen);
      deaf();
      this.all = [];
    };
  }

  async take(folder: SharedFolder): Promise<void> {
    try {
      await sharing.mount(folder.shared_folder_id);
      done(t('Added “{name}”', { name: folder.name }));
    } catch (error) {
      problem(wordsOf(error));
    }
    await this.look();
  }
}

export const offers = new Offers();
