/** Short words at the edge of the page, with one thing to do about them. */

export interface Toast {
  id: number;
  text: string;
  kind: 'done' | 'problem';
  action?: { label: string; run: () => void | Promise<void> };
}

const SHORT_MS = 5_000;
const LONG_MS = 10_000;
const AT_MOST = 4;

class Toasts {
  shown = $state.raw<Toast[]>([]);
  #next = 1;

  add(toast: Omit<Toast, 'id'>): number {
    const id = this.#next;
    this.#next += 1;
    // What is done is news once: only what can be acted on, or went wrong, stays beside it.
    const others = toast.kind === 'done' ? this.shown.filter((other) => other.action || other.kind === 'problem') : this.shown;
    this.shown = [...others, { ...toast, id }].slice(-AT_MOST);
    setTimeout(() => this.close(id), toast.action || toast.kind === 'problem' ? LONG_MS : SHORT_MS);
    return id;
  }

  close(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();

/** Says that something is done; returns what closes it. */
export function done(text: string, action?: Toast['action']): number {
  return toasts.add({ text, kind: 'done', action });
}

/** Says what went wrong. */
export function problem(text: string): void {
  toasts.add({ text, kind: 'problem' });
}
