/** Entries that are dragged inside the page. */

import type { Entry } from './types';

class Drag {
  entries = $state.raw<Entry[]>([]);

  /** Begins to drag `entries`. */
  start(event: DragEvent, entries: Entry[]): void {
    this.entries = entries;
    event.dataTransfer?.setData('text/plain', entries.map((entry) => entry.path_display).join('\n'));
    if (event.dataTransfer) event.dataTransfer.effectAllowed = 'move';
  }

  end = () => {
    this.entries = [];
  };
}

export const drag = new Drag();

/** Whether files from outside the page are dragged. */
export function carriesFiles(event: DragEvent): boolean {
  return Boolean(event.dataTransfer?.types.includes('Files'));
}
