/** Waits for a condition instead of for time. */

const LIMIT_MS = 10_000;

/** Resolves as soon as `condition` holds; looks once in each turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  const startedAtMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedAtMs > LIMIT_MS) throw new Error(`waited too long for ${condition}`);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
