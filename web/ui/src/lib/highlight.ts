import type { Span } from './types';

/** A stretch of text, marked or not. */
export interface Segment {
  text: string;
  marked: boolean;
}

/** Splits `text` at spans of Unicode code points; overlapping, unordered and out-of-range spans are put right. */
export function segments(text: string, spans: readonly Span[]): Segment[] {
  const points = Array.from(text);
  const merged = mergeSpans(spans, points.length);
  const out: Segment[] = [];
  const push = (from: number, to: number, marked: boolean) => {
    if (to > from) out.push({ text: points.slice(from, to).join(''), marked });
  };
  let at = 0;
  for (const [start, end] of merged) {
    push(at, start, false);
    push(start, end, true);
    at = end;
  }
  push(at, points.length, false);
  return out;
}

/** Spans in order, clipped to `length`, touching ones joined. */
export function mergeSpans(spans: readonly Span[], length: number): Span[] {
  const inside = spans
    .map(([start, end]): Span => [Math.max(0, start), Math.min(length, end)])
    .filter(([start, end]) => end > start)
    .sort((a, b) => a[0] - b[0]);
  const out: Span[] = [];
  for (const span of inside) {
    const last = out.at(-1);
    if (last && span[0] <= last[1]) last[1] = Math.max(last[1], span[1]);
    else out.push([...span]);
  }
  return out;
}

/** The plain words of a query: what a preview can mark. Operators, negated words and filters are left out. */
export function wordsToMark(query: string): string[] {
  const words: string[] = [];
  for (const match of query.matchAll(/(-?)(?:(\w+):)?(?:"([^"]*)"|(\S+))/gu)) {
    const [, minus, field, phrase, word] = match;
    if (minus || (field && field !== 'name')) continue;
    if (word === 'OR' || word === 'AND') continue;
    words.push(...(phrase ?? word ?? '').split(/[^\p{L}\p{N}]+/u).filter(Boolean));
  }
  return [...new Set(words.map((word) => word.toLowerCase()))];
}

/** Splits `text` at the beginnings of words that start with one of `words`, ignoring case and accents. */
export function markWords(text: string, words: readonly string[]): Segment[] {
  if (!words.length) return text ? [{ text, marked: false }] : [];
  const wanted = words.map(fold);
  const out: Segment[] = [];
  let at = 0;
  for (const match of text.matchAll(/[\p{L}\p{N}\p{M}]+/gu)) {
    const folded = fold(match[0]);
    if (!wanted.some((word) => folded.startsWith(word))) continue;
    if (match.index > at) out.push({ text: text.slice(at, match.index), marked: false });
    at = match.index + match[0].length;
    out.push({ text: text.slice(match.index, at), marked: true });
  }
  if (at < text.length) out.push({ text: text.slice(at), marked: false });
  return out;
}

/** Lower case without accents. */
function fold(word: string): string {
  return word.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}
