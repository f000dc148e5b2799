/** What can be taken back: every move, rename, deletion and restoration, the last one first. */

import { t } from './i18n.svelte';
import { done } from './toast.svelte';

const AT_MOST = 30;

interface Step {
  run: () => Promise<void>;
}

class Undo {
  #steps: Step[] = [];

  /** Says what was done, and offers to take it back. */
  offer(said: string, run: () => Promise<void>): void {
    const step = { run };
    this.#steps = [...this.#steps, step].slice(-AT_MOST);
    done(said, { label: t('Undo'), run: () => this.#take(step) });
  }

  /** Takes the last step back; false when there is none. */
  last(): boolean {
    const step = this.#steps.at(-1);
    if (step) void this.#take(step);
    return Boolean(step);
  }

  async #take(step: Step): Promise<void> {
    if (!this.#steps.includes(step)) return;
    this.#steps = this.#steps.filter((other) => other !== step);
    await step.run();
  }
}

export const undo = new Undo();
