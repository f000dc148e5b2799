/** Lines of small pictures. */

/** A round number at or above `n`, for the top of a scale: 1, 2 or 5 times a power of ten. */
export function topOf(n: number): number {
  if (n <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(n));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= n) ?? 10;
  return step * power;
}

/** The path of a line through values in a box, the last value at its right edge; `room` is how many values fill it. */
export function lineOf(values: readonly number[], room: number, width: number, height: number, top: number): string {
  const step = width / Math.max(1, room - 1);
  const start = width - (values.length - 1) * step;
  return values
    .map((value, at) => `${at ? 'L' : 'M'}${(start + at * step).toFixed(1)} ${(height - (height * Math.min(value, top)) / top).toFixed(1)}`)
    .join('');
}

/** The same line, closed along the bottom. */
export function areaOf(values: readonly number[], room: number, width: number, height: number, top: number): string {
  if (!values.length) return '';
  const start = width - ((values.length - 1) * width) / Math.max(1, room - 1);
  return `${lineOf(values, room, width, height, top)}L${width} ${height}L${start.toFixed(1)} ${height}Z`;
}
