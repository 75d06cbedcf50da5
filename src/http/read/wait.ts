/** Waits until there is something to be read in one of several partitions, or nobody wants it any more. */

import type { Clock } from "../../base/clock.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import type { Partition, PartitionReader } from "../../broker/partition.ts";

/** Resolves when a high watermark has moved, a partition has gone away, the time is over, or the peer has left. */
export async function waitForRecords(
  partitions: readonly Partition[],
  isBehind: () => boolean,
  waitMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  if (isBehind() || signal.aborted || waitMs <= 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const reader: PartitionReader = { wake: resolve };
  const timer = clock.after(waitMs, () => {
    loopTurns.enter("http");
    resolve();
  });
  const left = () => resolve();
  signal.addEventListener("abort", left);
  for (const partition of partitions) partition.addReader(reader);
  try {
    await promise;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", left);
    for (const partition of partitions) partition.removeReader(reader);
  }
}
