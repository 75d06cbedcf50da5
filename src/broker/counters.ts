/**
 * What the broker counts, as plain fields: bumped once per batch, read by whoever exposes metrics.
 * Messages are records; bytes are record batches as stored.
 */

import type { Clock } from "../base/clock.ts";
import { Histogram, SECONDS_BOUNDS } from "../base/histogram.ts";
import { OutcomeWindow } from "../base/outcome-window.ts";
import { KiB, MiB } from "../base/units.ts";
import { Traffic } from "./traffic.ts";

const BATCH_RECORDS_BOUNDS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
/** From a single small record to the largest batch that there may be. */
const BATCH_BYTES_BOUNDS = [
  128,
  512,
  2 * KiB,
  8 * KiB,
  16 * KiB,
  32 * KiB,
  64 * KiB,
  128 * KiB,
  512 * KiB,
  MiB,
  4 * MiB,
  16 * MiB,
  64 * MiB,
];

export class BrokerCounters {
  messagesReceived = 0;
  messagesStored = 0;
  messagesFailed = 0;
  batchesStored = 0;
  bytesStored = 0;
  duplicateBatches = 0;
  /** Deleted because their topics do not keep them any longer; with the bytes of their segments. */
  retentionRecords = 0;
  retentionBytes = 0;
  /** What all partitions have taken in and given out, also those that are gone. */
  readonly traffic = new Traffic();
  /** Batches that the disk did not take: it was full, or failed. */
  diskRefusals = 0;
  /** Syncs that ended, well or not. */
  syncs = 0;
  syncFailures = 0;
  /** Records in each stored batch. */
  readonly batchRecords = new Histogram(BATCH_RECORDS_BOUNDS);
  /** Bytes of each stored batch. */
  readonly batchBytes = new Histogram(BATCH_BYTES_BOUNDS);
  /** Seconds of each sync. */
  readonly flushSeconds = new Histogram(SECONDS_BOUNDS);
  /** Appends to the log and to the ring of recent batches. */
  readonly appendOutcomes: OutcomeWindow;
  /** Syncs, and the batches that single messages were gathered into. */
  readonly flushOutcomes: OutcomeWindow;

  /** `windowOperations`: how many operations the success rates look back at. */
  constructor(windowOperations: number, clock: Clock) {
    this.appendOutcomes = new OutcomeWindow(windowOperations, clock);
    this.flushOutcomes = new OutcomeWindow(windowOperations, clock);
  }
}
