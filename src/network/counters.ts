/** What one listener has counted since it started. Plain numbers, read by whoever publishes them. */

import type { RefusalCause } from "../base/descriptors/descriptor-budget.ts";

export class NetworkCounters {
  accepted = 0;
  /** Refused because there was no place for them. */
  readonly refused: Record<RefusalCause, number> = { "connections-max": 0, descriptors: 0 };
  /** Connections now. */
  open = 0;
  bytesIn = 0;
  bytesOut = 0;
  frames = 0;
  violations = 0;
  /** Cut off: no whole frame and no progress within the idle timeout. */
  cutIdle = 0;
  /** Cut off: the peer did not read, and its output passed the limit. */
  cutSlow = 0;
  /** Cut off: others waited for memory that it held without moving. */
  cutForMemory = 0;
  /** Cut off: the handler threw. */
  faults = 0;
}
