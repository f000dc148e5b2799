/** Moments that people choose: as a field has them, and as the server wants them. */

const MINUTE_MS = 60_000;

/** The value of a `datetime-local` field, in the browser's time zone. */
export function fieldOf(at: Date): string {
  return new Date(at.getTime() - at.getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 16);
}

/** The moment that such a field has, or none. */
export function momentOf(field: string): Date | undefined {
  const at = new Date(field);
  return field && !Number.isNaN(at.getTime()) ? at : undefined;
}

/** So many hours before `now`. */
export function hoursAgo(hours: number, now = new Date()): Date {
  return new Date(now.getTime() - hours * 60 * MINUTE_MS);
}
