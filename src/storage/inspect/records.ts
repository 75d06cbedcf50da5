/**
 * The records themselves, one after the other, in the order of topics, partitions and offsets. Memory is bounded by
 * `CHUNK_BYTES`, or one batch. Damaged places and batches that do not decode are skipped and reported to the caller's listener:
 * a producer's garbage, whose CRC matches, is told apart from the disk's damage.
 */

import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { systemReason } from "../../base/system-error.ts";
import { MiB } from "../../base/units.ts";
import {
  batchBaseOffset,
  batchBaseSequence,
  batchCodec,
  batchLastOffset,
  batchLeaderEpoch,
  batchProducerEpoch,
  batchProducerId,
  batchRecordCount,
  isControlBatch,
  isTransactional,
} from "../../protocol/record/batch.ts";
import type { RecordHeader } from "../../protocol/record/builder.ts";
import { CODECS } from "../../protocol/record/compression.ts";
import { RecordCursor } from "../../protocol/record/records.ts";
import type { Finding } from "../contract.ts";
import { scanGoLog } from "../file/import/go-files.ts";
import { segmentName } from "../file/segment.ts";
import type { PartitionLayout } from "../layout.ts";
import { type ScanVisitor, scanBatches } from "../scan.ts";
import { resolveTarget } from "./target.ts";

/** Batches copied at once. */
const CHUNK_BYTES = 1 * MiB;

/** The batch around a record. */
export interface BatchInfo {
  file: string;
  /** Where the batch starts in the file, and how long it is. */
  position: number;
  bytes: number;
  baseOffset: number;
  lastOffset: number;
  records: number;
  codec: string;
  leaderEpoch: number;
  /** -1 without an idempotent producer; so the next two. */
  producerId: number;
  producerEpoch: number;
  baseSequence: number;
  isTransactional: boolean;
  isControl: boolean;
}

export interface InspectedRecord {
  topic: string;
  /** -1 for a message of a Go Obelisk. */
  partition: number;
  /** For a message of a Go Obelisk, its number. */
  offset: number;
  timestampMs: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: RecordHeader[];
  /** Null for a message of a Go Obelisk. */
  batch: BatchInfo | null;
}

/** Called for what is skipped: damage, what the system refuses, and batches that do not open although they are valid. */
export type OmissionListener = (omission: Finding) => void;

/** Every record below a path that `inspect` understands. @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, system errors */
export async function* inspectRecords(
  files: Files,
  path: string,
  omitted: OmissionListener = () => undefined,
): AsyncGenerator<InspectedRecord> {
  const target = resolveTarget(files, path);
  for (const { path: file, reason } of target.unreadable) {
    omitted({ file, position: 0, bytes: 0, kind: "unreadable", detail: reason });
  }
  for (const topic of target.topics) {
    for (const partition of topic.partitions) {
      for (const baseOffset of partition.segments)
        yield* segmentRecords(files, target.root, partition, baseOffset, omitted);
    }
  }
  for (const { file, topic } of target.goLogs) yield* goRecords(files, `${target.root}/${file}`, file, topic);
}

async function* segmentRecords(
  files: Files,
  root: string,
  partition: PartitionLayout,
  baseOffset: number,
  omitted: OmissionListener,
): AsyncGenerator<InspectedRecord> {
  const file = `${partition.directory}/${segmentName(baseOffset)}.log`;
  const descriptor = openIfPossible(files, root, file, omitted);
  if (descriptor === null) return;
  const cursor = new RecordCursor();
  try {
    const end = files.size(descriptor);
    let place = { position: 0, offset: baseOffset };
    while (place.position < end) {
      const { chunk, next } = readChunk(files, descriptor, place, end, {
        damage: (position, bytes, detail) =>
          omitted({ file, position, bytes, kind: "damaged-batch", detail }),
        unreadable: (_position, _bytes, refusals) => {
          for (const { position, bytes, error } of refusals)
            omitted({ file, position, bytes, kind: "unreadable", detail: systemReason(error) });
        },
      });
      for (const { bytes, position } of chunk) {
        yield* batchRecords(cursor, bytes, partition, describeBatch(bytes, file, position), omitted);
      }
      place = next;
    }
  } finally {
    files.close(descriptor);
  }
}

interface CopiedBatch {
  bytes: Buffer;
  position: number;
}

interface Place {
  position: number;
  offset: number;
}

function readChunk(
  files: Files,
  descriptor: number,
  place: Place,
  end: number,
  others: Omit<ScanVisitor, "batch">,
): { chunk: CopiedBatch[]; next: Place } {
  const chunk: CopiedBatch[] = [];
  let chunkBytes = 0;
  let position = end;
  const range = {
    start: place.position,
    end,
    offset: place.offset,
    offsetLimit: Number.POSITIVE_INFINITY,
    allowsGaps: true,
  };
  const offset = scanBatches(files, descriptor, range, {
    batch: (buffer, start, batchEnd, filePosition) => {
      chunk.push({ bytes: Buffer.from(buffer.subarray(start, batchEnd)), position: filePosition });
      chunkBytes += batchEnd - start;
      if (chunkBytes < CHUNK_BYTES) return true;
      position = filePosition + batchEnd - start;
      return false;
    },
    ...others,
  });
  return { chunk, next: { position, offset } };
}

function* batchRecords(
  cursor: RecordCursor,
  bytes: Buffer,
  partition: PartitionLayout,
  batch: BatchInfo,
  omitted: OmissionListener,
): Generator<InspectedRecord> {
  const { topic, partition: number } = partition;
  try {
    cursor.open(bytes, 0);
    while (cursor.next()) yield { topic, partition: number, ...cursor.record(), batch };
  } catch (error) {
    if (!(error instanceof ObeliskError)) throw error;
    const { file, position, baseOffset, lastOffset } = batch;
    const kind = error.code === "GARBLED_RECORDS" ? "garbled-records" : "unopened-records";
    const detail = `the offsets ${baseOffset} to ${lastOffset}, as they were acknowledged: ${error.message}`;
    omitted({ file, position, bytes: bytes.length, kind, detail });
  } finally {
    cursor.close();
  }
}

function describeBatch(bytes: Buffer, file: string, position: number): BatchInfo {
  return {
    file,
    position,
    bytes: bytes.length,
    baseOffset: batchBaseOffset(bytes, 0),
    lastOffset: batchLastOffset(bytes, 0),
    records: batchRecordCount(bytes, 0),
    codec: CODECS[batchCodec(bytes, 0)] ?? "unknown",
    leaderEpoch: batchLeaderEpoch(bytes, 0),
    producerId: batchProducerId(bytes, 0),
    producerEpoch: batchProducerEpoch(bytes, 0),
    baseSequence: batchBaseSequence(bytes, 0),
    isTransactional: isTransactional(bytes, 0),
    isControl: isControlBatch(bytes, 0),
  };
}

async function* goRecords(
  files: Files,
  path: string,
  file: string,
  topic: string,
): AsyncGenerator<InspectedRecord> {
  for (const { frame } of scanGoLog(files, path, file, topic)) {
    if (frame === null) continue;
    const { number, timestampMs, buffer, keyStart, keyEnd, valueStart, valueEnd } = frame;
    yield {
      topic,
      partition: -1,
      offset: number,
      timestampMs,
      key: keyEnd > keyStart ? Buffer.from(buffer.subarray(keyStart, keyEnd)) : null,
      value: Buffer.from(buffer.subarray(valueStart, valueEnd)),
      headers: [],
      batch: null,
    };
  }
}

function openIfPossible(files: Files, root: string, file: string, omitted: OmissionListener): number | null {
  try {
    return files.open(`${root}/${file}`, "read");
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined || !(error instanceof Error)) throw error;
    if (errno === "ENOENT" && !files.isLink(`${root}/${file}`)) return null; // a running server has removed it
    omitted({ file, position: 0, bytes: 0, kind: "unreadable", detail: systemReason(error) });
    return null;
  }
}
