/** What can be taken back: every move, rename, deletion and restoration, the last one first. */

import { t } from './i18n.svelte';
import { done, toasts } from './toast.svelte';

const AT_MOST = 30;

interface Step {
  run: () => Promise<void>;
  toast: number;
}

class Undo {
  #steps: Step[] = [];

  /** Says what was done, and offers to take it back. */
  offer(said: string, run: () => Promise<void>): void {
    const before = this.#steps.at(-1);
    if (before) toasts.close(before.toast);
    const step: Step = { run, toast: 0 };
    step.toast = done(said, { label: t('Undo'), run: () => this.#take(step) });
    this.#steps = [...this.#steps, step].slice(-AT_MOST);
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
    toasts.close(step.toast);
    await step.run();
  }
}

export const undo = new Undo();
