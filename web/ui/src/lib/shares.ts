/** Percentages that amounts take of a whole; of their sum when that is more, or when there is no whole. */
export function sharesOf(amounts: readonly number[], whole = 0): number[] {
  const sum = amounts.reduce((total, amount) => total + amount, 0);
  const all = Math.max(sum, whole);
  return amounts.map((amount) => (all ? (100 * amount) / all : 0));
}
