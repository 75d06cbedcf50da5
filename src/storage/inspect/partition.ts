/** What a partition's files hold, counted batch by batch. One pass over the log; records stay closed. */

import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { systemReason } from "../../base/system-error.ts";
import {
  batchBaseSequence,
  batchBaseTimestamp,
  batchCodec,
  batchLastOffsetDelta,
  batchProducerEpoch,
  batchProducerId,
  batchRecordCount,
} from "../../protocol/record/batch.ts";
import { CODECS } from "../../protocol/record/compression.ts";
import { segmentName } from "../file/segment.ts";
import { OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES } from "../file/segment-index.ts";
import { decodeSnapshot, SNAPSHOT_FILE, type Snapshot } from "../file/snapshot.ts";
import { SNAPSHOT_JOURNAL } from "../file/snapshot-journal-format.ts";
import type { JournaledSnapshots } from "../journaled-snapshots.ts";
import { droppedCount, type PartitionLayout, type Strays } from "../layout.ts";
import { scanBatches } from "../scan.ts";
import { largestTimestamp } from "../timestamps.ts";

/** A partition that many producers wrote to shows the first of them; the rest is a number. */
const PRODUCERS_MAX = 1000;

export interface ContentInfo {
  bytes: number;
  batches: number;
  records: number;
  /** Smallest and largest; -1 when there are none. */
  firstTimestampMs: number;
  lastTimestampMs: number;
  /** Batches by codec, only those that occur. */
  codecs: Record<string, number>;
  /** Bytes that are no valid batch, wherever they are. */
  damagedBytes: number;
}

export interface SegmentInfo extends ContentInfo {
  file: string;
  baseOffset: number;
  nextOffset: number;
  indexEntries: number;
  timeIndexEntries: number;
}

export interface ProducerInfo {
  producerId: number;
  producerEpoch: number;
  lastSequence: number;
  batches: number;
}

export interface PartitionInfo extends ContentInfo {
  topic: string;
  partition: number;
  directory: string;
  startOffset: number;
  nextOffset: number;
  /** Offset up to which the snapshot is true; -1 when there is none. */
  checkpointOffset: number;
  leaderEpochs: { epoch: number; startOffset: number }[];
  /** Known damage that readers skip. */
  holes: { segment: number; position: number; bytes: number }[];
  producers: ProducerInfo[];
  producersOmitted: number;
  segments: SegmentInfo[];
}

/** What the system refuses to show is left out, and named in `unreadable`. */
export function inspectPartition(
  files: Files,
  root: string,
  layout: PartitionLayout,
  snapshots: JournaledSnapshots,
  unreadable: Strays["unreadable"],
): PartitionInfo {
  const snapshot = readSnapshot(files, root, layout, snapshots, unreadable);
  const producers = new Map<number, ProducerInfo>();
  const omitted = new Set<number>();
  const segments: SegmentInfo[] = [];
  for (const baseOffset of layout.segments.slice(droppedCount(layout.segments, snapshot?.startOffset ?? 0))) {
    const file = `${layout.directory}/${segmentName(baseOffset)}.log`;
    const segment = orUnreadable(file, unreadable, () =>
      inspectSegment(files, root, layout, baseOffset, producers, omitted, unreadable),
    );
    if (segment !== null) segments.push(segment);
  }
  const first = segments[0]?.baseOffset ?? 0;
  return {
    ...sum(segments),
    topic: layout.topic,
    partition: layout.partition,
    directory: layout.directory,
    startOffset: Math.max(first, snapshot?.startOffset ?? 0),
    nextOffset: segments.at(-1)?.nextOffset ?? first,
    checkpointOffset: snapshot?.checkpoint?.offset ?? -1,
    leaderEpochs: [...(snapshot?.epochs ?? [])],
    holes: [...(snapshot?.holes ?? [])],
    producers: [...producers.values()],
    producersOmitted: omitted.size,
    segments,
  };
}

/** Adds up what several parts hold. */
export function sum(parts: readonly ContentInfo[]): ContentInfo {
  const total = emptyContent();
  for (const part of parts) {
    total.bytes += part.bytes;
    total.batches += part.batches;
    total.records += part.records;
    total.damagedBytes += part.damagedBytes;
    recordTime(total, part.firstTimestampMs, part.lastTimestampMs);
    for (const [codec, count] of Object.entries(part.codecs))
      total.codecs[codec] = (total.codecs[codec] ?? 0) + count;
  }
  return total;
}

function orUnreadable<Result>(
  path: string,
  unreadable: Strays["unreadable"],
  work: () => Result,
): Result | null {
  try {
    return work();
  } catch (thrown) {
    if (errnoOf(thrown) === undefined || thrown instanceof ObeliskError || !(thrown instanceof Error)) {
      throw thrown;
    }
    // What is gone was removed by a running server.
    if (errnoOf(thrown) !== "ENOENT") unreadable.push({ path, reason: systemReason(thrown) });
    return null;
  }
}

/** Null when a running server has removed the segment meanwhile. */
function inspectSegment(
  files: Files,
  root: string,
  layout: PartitionLayout,
  baseOffset: number,
  producers: Map<number, ProducerInfo>,
  omitted: Set<number>,
  unreadable: Strays["unreadable"],
): SegmentInfo | null {
  const file = `${layout.directory}/${segmentName(baseOffset)}.log`;
  const descriptor = openIfThere(files, `${root}/${file}`);
  if (descriptor === null) return null;
  const info: SegmentInfo = {
    ...emptyContent(),
    file,
    baseOffset,
    nextOffset: baseOffset,
    indexEntries: countEntries(files, `${root}/${layout.directory}`, baseOffset, "index", OFFSET_ENTRY_BYTES),
    timeIndexEntries: countEntries(
      files,
      `${root}/${layout.directory}`,
      baseOffset,
      "timeindex",
      TIME_ENTRY_BYTES,
    ),
  };
  try {
    info.bytes = files.size(descriptor);
    const range = {
      start: 0,
      end: info.bytes,
      offset: baseOffset,
      offsetLimit: Number.POSITIVE_INFINITY,
      allowsGaps: true,
    };
    info.nextOffset = scanBatches(files, descriptor, range, {
      batch: (buffer, position) => {
        countBatch(info, buffer, position);
        recordProducer(producers, omitted, buffer, position);
        return true;
      },
      damage: (_, bytes) => {
        info.damagedBytes += bytes;
      },
      unreadable: (_position, _bytes, refusals) => {
        for (const { position, bytes, error } of refusals)
          unreadable.push({ path: file, reason: `at ${position}, ${bytes} bytes: ${systemReason(error)}` });
      },
    });
    return info;
  } finally {
    files.close(descriptor);
  }
}

function countBatch(info: ContentInfo, buffer: Buffer, position: number): void {
  const codec = CODECS[batchCodec(buffer, position)] ?? "unknown";
  info.batches += 1;
  info.records += batchRecordCount(buffer, position);
  info.codecs[codec] = (info.codecs[codec] ?? 0) + 1;
  const lastMs = largestTimestamp(buffer, position);
  const baseMs = batchBaseTimestamp(buffer, position);
  recordTime(info, baseMs >= 0 ? Math.min(baseMs, lastMs) : lastMs, lastMs);
}

function recordTime(info: ContentInfo, firstMs: number, lastMs: number): void {
  if (firstMs >= 0 && (info.firstTimestampMs < 0 || firstMs < info.firstTimestampMs))
    info.firstTimestampMs = firstMs;
  if (lastMs > info.lastTimestampMs) info.lastTimestampMs = lastMs;
}

function recordProducer(
  producers: Map<number, ProducerInfo>,
  omitted: Set<number>,
  buffer: Buffer,
  position: number,
): void {
  const producerId = batchProducerId(buffer, position);
  if (producerId < 0) return;
  let producer = producers.get(producerId);
  if (producer === undefined) {
    if (producers.size === PRODUCERS_MAX) {
      if (omitted.size < PRODUCERS_MAX) omitted.add(producerId);
      return;
    }
    producer = { producerId, producerEpoch: -1, lastSequence: -1, batches: 0 };
    producers.set(producerId, producer);
  }
  producer.producerEpoch = batchProducerEpoch(buffer, position);
  producer.lastSequence =
    (batchBaseSequence(buffer, position) + batchLastOffsetDelta(buffer, position)) & 0x7fff_ffff;
  producer.batches += 1;
}

/** Null when there is none that can be read, or it does not decode: a partition is shown without it. */
function readSnapshot(
  files: Files,
  root: string,
  layout: PartitionLayout,
  snapshots: JournaledSnapshots,
  unreadable: Strays["unreadable"],
): Snapshot | null {
  const { topic, partition, directory, hasSnapshot } = layout;
  const journaled = orUnreadable(SNAPSHOT_JOURNAL, unreadable, () => snapshots.snapshotOf(topic, partition));
  if (journaled == null && !hasSnapshot) return null;
  const path = `${directory}/${SNAPSHOT_FILE}`;
  const content = journaled ?? orUnreadable(path, unreadable, () => files.readFile(`${root}/${path}`));
  try {
    return content === null ? null : decodeSnapshot(content);
  } catch (error) {
    if (error instanceof ObeliskError) return null;
    throw error;
  }
}

function countEntries(
  files: Files,
  directory: string,
  baseOffset: number,
  suffix: string,
  entryBytes: number,
): number {
  const path = `${directory}/${segmentName(baseOffset)}.${suffix}`;
  return files.exists(path) ? Math.floor(files.fileSize(path) / entryBytes) : 0;
}

function openIfThere(files: Files, path: string): number | null {
  try {
    return files.open(path, "read");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw error;
  }
}

function emptyContent(): ContentInfo {
  return {
    bytes: 0,
    batches: 0,
    records: 0,
    firstTimestampMs: -1,
    lastTimestampMs: -1,
    codecs: {},
    damagedBytes: 0,
  };
}
