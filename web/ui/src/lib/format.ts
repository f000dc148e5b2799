/** Numbers and times for people. */

import { t, tn, tongue } from './i18n.svelte';

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** One formatter of a kind and language: making them is slow. */
const made = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();
function number(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = tongue.code + JSON.stringify(options);
  const known = made.get(key) ?? new Intl.NumberFormat(tongue.code, options);
  made.set(key, known);
  return known as Intl.NumberFormat;
}
function date(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `at${tongue.code}${JSON.stringify(options)}`;
  // English speakers differ in how they write dates: theirs is the browser's.
  const known = made.get(key) ?? new Intl.DateTimeFormat(tongue.code === 'en' ? undefined : tongue.code, options);
  made.set(key, known);
  return known as Intl.DateTimeFormat;
}

/** `1,204`. */
export function count(n: number): string {
  return number({}).format(n);
}

/** `1 item`, `1,204 items`. */
export function items(n: number): string {
  return tn(n, '{n} item', '{n} items');
}

/** `0 bytes`, `12.3 MB`: units of 1024. */
export function bytes(n: number): string {
  let unit = 0;
  let value = n;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  if (unit === 0) return tn(n, '{n} byte', '{n} bytes');
  const digits = value >= 100 ? 0 : 1;
  return `${number({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)} ${UNITS[unit]}`;
}

/** How long a search took. */
export function took(ms: number): string {
  if (ms < 1) return t('under 1 ms');
  return ms < 1000 ? `${Math.round(ms)} ms` : `${number({ maximumFractionDigits: 1 }).format(ms / 1000)} s`;
}

/** `3 min left`. */
export function remaining(seconds: number): string {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 60) return t('{n} s left', { n: Math.max(1, Math.round(seconds)) });
  if (seconds < 3600) return t('{n} min left', { n: Math.round(seconds / 60) });
  return t('{n} h left', { n: number({ maximumFractionDigits: 1 }).format(seconds / 3600) });
}

/** A time as briefly as it stays clear: `14:05` today, `3 Mar` this year, `3 Mar 2023` before. */
export function when(iso: string | null | undefined, now = new Date()): string {
  const at = iso ? new Date(iso) : undefined;
  if (!at || Number.isNaN(at.getTime())) return '';
  if (at.toDateString() === now.toDateString()) return date({ hour: '2-digit', minute: '2-digit' }).format(at);
  const sameYear = at.getFullYear() === now.getFullYear();
  return date({ day: 'numeric', month: 'short', ...(sameYear ? {} : { year: 'numeric' }) }).format(at);
}

/** A time in full. */
export function whenInFull(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? '' : date({ dateStyle: 'long', timeStyle: 'short' }).format(at);
}
