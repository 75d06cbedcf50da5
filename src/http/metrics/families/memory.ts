/** The memory that connections share, by what it is for, and the ceiling over everything. */

import { counterBy, type Family, gauge, gaugeBy } from "../family.ts";
import type { MemoryActivity } from "../parts.ts";
import type { Reading } from "../readings.ts";

const of = (read: (memory: MemoryActivity) => number) =>
  function* ({ activity }: Reading): Generator<readonly [string, number]> {
    for (const [use, memory] of activity.memory) yield [use, read(memory)];
  };

export const MEMORY_FAMILIES: readonly Family[] = [
  gauge(
    "obelisk_memory_max_bytes",
    "What all buffers together may take: the setting memory.",
    ({ parts }) => parts.memoryBytesMax,
  ),
  gaugeBy(
    "use",
    "obelisk_memory_limit_bytes",
    "What may be held of the memory that connections share.",
    of(({ limitBytes }) => limitBytes),
  ),
  gaugeBy(
    "use",
    "obelisk_memory_held_bytes",
    "Bytes held of the memory that connections share.",
    of(({ usedBytes }) => usedBytes),
  ),
  gaugeBy(
    "use",
    "obelisk_memory_waiting",
    "Requests and responses that wait for memory.",
    of(({ waitingCount }) => waitingCount),
  ),
  counterBy(
    "use",
    "obelisk_memory_waits_total",
    "Times that memory was waited for.",
    of(({ waitedCount }) => waitedCount),
  ),
  counterBy(
    "use",
    "obelisk_memory_evictions_total",
    "Connections cut because they held memory without moving while others waited.",
    of(({ evictedCount }) => evictedCount),
  ),
  gauge(
    "obelisk_recent_bytes",
    "Bytes of recent batches kept in memory.",
    ({ parts }) => parts.broker.recent.bytes,
  ),
];
