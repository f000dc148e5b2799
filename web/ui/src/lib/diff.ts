/** Two texts compared line by line. */

import { diffLines } from 'diff';

export interface Line {
  kind: 'same' | 'added' | 'removed' | 'left_out';
  text: string;
}

/** Unchanged lines shown around a change. */
const AROUND = 3;
/** How long the comparison may take, milliseconds. */
const MOST_MS = 2_000;

/** The lines of both, changes in their place; nothing where they are too different to compare in time. */
export function compare(before: string, after: string): Line[] | undefined {
  const parts = diffLines(before, after, { timeout: MOST_MS });
  if (!parts) return undefined;
  const lines: Line[] = [];
  parts.forEach((part, at) => {
    const texts = part.value.replace(/\n$/, '').split('\n');
    const kind = part.added ? 'added' : part.removed ? 'removed' : 'same';
    if (kind !== 'same') return void lines.push(...texts.map((text) => ({ kind, text }) as const));
    const head = at === 0 ? 0 : AROUND;
    const tail = at === parts.length - 1 ? 0 : AROUND;
    const same = (some: string[]) => some.map((text) => ({ kind: 'same', text }) as const);
    if (texts.length <= head + tail + 1) return void lines.push(...same(texts));
    lines.push(...same(texts.slice(0, head)));
    lines.push({ kind: 'left_out', text: String(texts.length - head - tail) });
    if (tail) lines.push(...same(texts.slice(-tail)));
  });
  return lines;
}
