/** The disk, what is on it, and what it has refused. */

import { counter, type Family, gauge } from "../family.ts";

export const STORAGE_FAMILIES: readonly Family[] = [
  gauge(
    "obelisk_log_bytes",
    "Bytes of records that are kept, of all topics.",
    ({ topics }) => topics.all.bytes,
  ),
  gauge("obelisk_offline_partitions", "Partitions offline after a disk error.", ({ health }) =>
    Number(health.components.storage.details["offline_partitions"]),
  ),
  gauge(
    "obelisk_recovery_findings",
    "Findings of recovery since the start.",
    ({ parts }) => parts.broker.engine.findingCount,
  ),
  gauge(
    "obelisk_disk_free_bytes",
    "Bytes free for the data directory.",
    ({ space }) => space?.freeBytes ?? null,
  ),
  gauge(
    "obelisk_disk_total_bytes",
    "Bytes of the file system of the data directory.",
    ({ space }) => space?.totalBytes ?? null,
  ),
  gauge(
    "obelisk_disk_free_files",
    "Files that there is still room for.",
    ({ space }) => space?.freeFiles ?? null,
  ),
  gauge(
    "obelisk_disk_reserved_bytes",
    "Bytes kept for a start on a full disk; 0 while some are missing.",
    ({ space }) => space?.reservedBytes ?? null,
  ),
  gauge(
    "obelisk_disk_full",
    "1 while an append was refused because the disk is full, and there is no room yet.",
    ({ health }) => (health.components.storage.details["disk_full"] === true ? 1 : 0),
  ),
  counter(
    "obelisk_disk_refusals_total",
    "Batches that the disk did not take: it was full, or failed.",
    ({ parts }) => parts.broker.counters.diskRefusals,
  ),
  gauge("obelisk_open_files", "Files of logs that are open.", ({ parts }) => parts.broker.engine.openFiles),
  gauge(
    "obelisk_files_to_write",
    "Small files that wait to be written.",
    ({ parts }) => parts.broker.engine.filesToWrite,
  ),
];
