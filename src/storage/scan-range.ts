/** What a scan goes through, and what it accepts there (scan.ts, batch-search.ts). */

import { MiB } from "../base/units.ts";

/** More than any limit that a topic can set; a length above it is damage, and no memory is allocated for it. */
export const BATCH_BYTES_MAX = 128 * MiB;
/** How far a gap in offsets may reach. Beyond it an offset is damage, not a hole. */
export const OFFSET_GAP_MAX = 2 ** 31;

export interface ScanRange {
  /** File positions; `end` is where whole batches should end. */
  start: number;
  end: number;
  /** The offset that the first batch should have. */
  offset: number;
  /** Offsets at or above it belong to the next segment; Infinity for the last one. */
  offsetLimit: number;
  /** Whether gaps may be there without damage (they are, after compaction; never in an active segment). */
  allowsGaps: boolean;
}
