/** Messages, batches and syncs of all topics together. */

import { counter, type Family, histogram } from "../family.ts";
import type { Reading } from "../readings.ts";

const counters = ({ parts }: Reading) => parts.broker.counters;

export const MESSAGE_FAMILIES: readonly Family[] = [
  counter(
    "obelisk_messages_received_total",
    "Messages that arrived.",
    (reading) => counters(reading).messagesReceived,
  ),
  counter(
    "obelisk_messages_stored_total",
    "Messages that were committed.",
    (reading) => counters(reading).messagesStored,
  ),
  counter(
    "obelisk_messages_failed_total",
    "Messages that were refused.",
    (reading) => counters(reading).messagesFailed,
  ),
  histogram(
    "obelisk_batch_size",
    "Messages in each stored batch.",
    (reading) => counters(reading).batchRecords,
  ),
  histogram("obelisk_batch_bytes", "Bytes of each stored batch.", (reading) => counters(reading).batchBytes),
  histogram(
    "obelisk_flush_duration_seconds",
    "Seconds of each sync to disk.",
    (reading) => counters(reading).flushSeconds,
  ),
  counter(
    "obelisk_messages_read_total",
    "Messages that went out to readers.",
    (reading) => counters(reading).traffic.recordsOut,
  ),
  counter(
    "obelisk_bytes_stored_total",
    "Bytes of record batches written.",
    (reading) => counters(reading).bytesStored,
  ),
  counter(
    "obelisk_bytes_read_total",
    "Bytes of record batches that went out to readers.",
    (reading) => counters(reading).traffic.bytesOut,
  ),
  counter(
    "obelisk_duplicate_batches_total",
    "Batches that an idempotent producer sent again.",
    (reading) => counters(reading).duplicateBatches,
  ),
  counter(
    "obelisk_retention_records_total",
    "Records deleted because their topics do not keep them any longer.",
    (reading) => counters(reading).retentionRecords,
  ),
  counter(
    "obelisk_retention_bytes_total",
    "Bytes of record batches deleted so.",
    (reading) => counters(reading).retentionBytes,
  ),
  counter("obelisk_sync_failures_total", "Syncs that failed.", (reading) => counters(reading).syncFailures),
];
