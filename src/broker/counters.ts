/**
 * What the broker counts, as plain fields: bumped once per batch, read by whoever exposes metrics.
 * Messages are records; bytes are record batches as stored.
 */

import type { Clock } from "../base/clock.ts";
import { Histogram } from "../base/histogram.ts";
import { OutcomeWindow } from "../base/outcome-window.ts";

const BATCH_RECORDS_BOUNDS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
const FLUSH_SECONDS_BOUNDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];

export class BrokerCounters {
  messagesReceived = 0;
  messagesStored = 0;
  messagesFailed = 0;
  batchesStored = 0;
  bytesStored = 0;
  bytesRead = 0;
  duplicateBatches = 0;
  /** Deleted because their topics do not keep them any longer; with the bytes of their segments. */
  retentionRecords = 0;
  retentionBytes = 0;
  /** Syncs that ended, well or not. */
  syncs = 0;
  syncFailures = 0;
  /** Records in each stored batch. */
  readonly batchRecords = new Histogram(BATCH_RECORDS_BOUNDS);
  /** Seconds of each sync. */
  readonly flushSeconds = new Histogram(FLUSH_SECONDS_BOUNDS);
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
