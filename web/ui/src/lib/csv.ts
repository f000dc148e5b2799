/** A line of a CSV file. A value that a spreadsheet would take for a formula gets an apostrophe in front. */
export function csvLine(values: readonly (string | number | null)[]): string {
  const quoted = values.map((value) => {
    const text = value === null ? '' : String(value);
    const plain = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  });
  return `${quoted.join(',')}\r\n`;
}
