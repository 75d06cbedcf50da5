/**
 * Keeps every core busy while tests run, so that a test which relies on being alone shows itself: one shell for each core
 * that counts, at the usual priority. Each looks once in a round whether its owner still lives, so none outlives a run that
 * was killed.
 */

import { availableParallelism } from "node:os";

const COUNT_WHILE_ALIVE =
  'while kill -0 "$1" 2>/dev/null; do i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; done';

/** Starts the load; what it gives back ends it, and resolves when every shell has ended. */
export function startLoad(owner = process.pid): () => Promise<void> {
  const shells = Array.from({ length: availableParallelism() }, () =>
    Bun.spawn(["sh", "-c", COUNT_WHILE_ALIVE, "busy", String(owner)], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    }),
  );
  return async () => {
    for (const shell of shells) shell.kill();
    await Promise.all(shells.map(({ exited }) => exited));
  };
}
