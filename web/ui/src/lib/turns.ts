/** Runs `work` on every item, a few at a time; when some fail, throws the first failure after all have run. */
export async function inTurn<I>(items: readonly I[], work: (item: I) => Promise<void>, atOnce = 4): Promise<void> {
  const failures: unknown[] = [];
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const item = items[next] as I;
      next += 1;
      try {
        await work(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  if (failures.length) throw failures[0];
}
