/**
 * `obelisk inspect`: describes what lies at a path, from a whole data directory down to one file, the files of a Go Obelisk too.
 * It never writes, never locks, needs no write permission and may run beside a server: a batch that is just being written counts
 * as bytes that are not valid yet. It judges nothing; that is `verify`.
 *
 * Memory is bounded by the number of segments, and by what lies in one index file. Records come from `inspectRecords`.
 */

import { readInt64 } from "../base/bytes.ts";
import { errnoOf, ObeliskError } from "../base/errors.ts";
import type { Files } from "../base/files.ts";
import { decodeIdentity, IDENTITY_FILE, type Identity } from "./file/identity.ts";
import { readGoOffsets, scanGoLog } from "./file/import/go-files.ts";
import { parseSegmentName } from "./file/segment.ts";
import { OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES } from "./file/segment-index.ts";
import { decodeSnapshot, type Snapshot } from "./file/snapshot.ts";
import { type ContentInfo, inspectPartition, type PartitionInfo, sum } from "./inspect/partition.ts";
import { resolveTarget, type Target, type TargetKind } from "./inspect/target.ts";
import { JournaledSnapshots } from "./journaled-snapshots.ts";

export interface TopicInfo extends ContentInfo {
  name: string;
  partitions: PartitionInfo[];
}

/** A log of a Go Obelisk. */
export interface GoTopicInfo {
  topic: string;
  file: string;
  bytes: number;
  messages: number;
  firstTimestampMs: number;
  lastTimestampMs: number;
  damagedBytes: number;
}

/** Saved offsets of a consumer of a Go Obelisk; `fault` says why they cannot be read. */
export interface GoOffsetsInfo {
  file: string;
  offsets: Record<string, number>;
  fault: string | null;
}

/** An entry of an index file; what the kind of file does not have is -1. */
export interface IndexEntry {
  offset: number;
  position: number;
  timestampMs: number;
}

export interface Inspection extends ContentInfo {
  path: string;
  kind: TargetKind;
  /** Of a data directory; null when there is none that can be read. */
  identity: Identity | null;
  topics: TopicInfo[];
  goTopics: GoTopicInfo[];
  goOffsets: GoOffsetsInfo[];
  /** Of an index file. */
  entries: IndexEntry[];
  /** Of a snapshot file; the owner's state by its size only. */
  snapshot: (Omit<Snapshot, "checkpoint"> & { checkpoint: SnapshotCheckpoint | null }) | null;
  /** What the system refuses to show, and why: it is missing in the rest. */
  unreadable: { path: string; reason: string }[];
}

export interface SnapshotCheckpoint {
  offset: number;
  segment: number;
  position: number;
  maxTimestampMs: number;
  stateBytes: number;
}

/** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION (nothing there), DAMAGED_DATA (a snapshot that does not decode), system errors */
export function inspectPath(files: Files, path: string): Inspection {
  const target = resolveTarget(files, path);
  const { unreadable } = target;
  const snapshots = new JournaledSnapshots(files, dataDirectoryOf(target));
  const topics = target.topics.map((topic) => {
    const partitions = topic.partitions.map((partition) =>
      inspectPartition(files, target.root, partition, snapshots, unreadable),
    );
    return { name: topic.name, ...sum(partitions), partitions };
  });
  return {
    path,
    kind: target.kind,
    ...sum(topics),
    identity: target.kind === "data" ? readIdentity(files, target.root) : null,
    topics,
    goTopics: target.goLogs.map(({ file, topic }) => inspectGoLog(files, target.root, file, topic)),
    goOffsets: target.goOffsets.map((file) => inspectGoOffsets(files, target.root, file)),
    entries: readEntries(files, target),
    snapshot: target.kind === "snapshot" ? readSnapshot(files, target) : null,
    unreadable,
  };
}

/** Where the data directory is, when the target is a part of one. */
function dataDirectoryOf({ kind, root }: Target): string {
  if (kind === "partition") return parentOf(parentOf(parentOf(root)));
  return kind === "topic" || kind === "topics" ? parentOf(root) : root;
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash > 0 && !path.endsWith("..") ? path.slice(0, slash) : `${path}/..`;
}

function readIdentity(files: Files, root: string): Identity | null {
  try {
    const decoded = decodeIdentity(files.readFile(`${root}/${IDENTITY_FILE}`));
    return decoded.kind === "valid" ? decoded.identity : null;
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    return null;
  }
}

function inspectGoLog(files: Files, root: string, file: string, topic: string): GoTopicInfo {
  const path = `${root}/${file}`;
  const bytes = files.fileSize(path);
  const info = {
    topic,
    file,
    bytes,
    messages: 0,
    firstTimestampMs: -1,
    lastTimestampMs: -1,
    damagedBytes: 0,
  };
  for (const { frame, finding } of scanGoLog(files, path, file, topic)) {
    if (finding !== null) {
      if (finding.file === file) info.damagedBytes += finding.bytes;
      continue;
    }
    info.messages += 1;
    if (info.firstTimestampMs < 0 || frame.timestampMs < info.firstTimestampMs)
      info.firstTimestampMs = frame.timestampMs;
    if (frame.timestampMs > info.lastTimestampMs) info.lastTimestampMs = frame.timestampMs;
  }
  return info;
}

function inspectGoOffsets(files: Files, root: string, file: string): GoOffsetsInfo {
  const read = readGoOffsets(files, `${root}/${file}`);
  if ("fault" in read) return { file, offsets: {}, fault: read.fault };
  return { file, offsets: Object.fromEntries(read.offsets), fault: null };
}

function readEntries(files: Files, { kind, root, file }: Target): IndexEntry[] {
  const decode = { index: decodeOffsets, timeindex: decodeTimes, "go-index": decodeGoPositions }[
    kind as string
  ];
  if (decode === undefined) return [];
  return decode(files.readFile(`${root}/${file}`), parseSegmentName(file)?.baseOffset ?? 0);
}

function decodeOffsets(content: Buffer, baseOffset: number): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (let at = 0; at + OFFSET_ENTRY_BYTES <= content.length; at += OFFSET_ENTRY_BYTES) {
    const offset = baseOffset + content.readInt32BE(at);
    entries.push({ offset, position: content.readInt32BE(at + 4), timestampMs: -1 });
  }
  return entries;
}

function decodeTimes(content: Buffer, baseOffset: number): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (let at = 0; at + TIME_ENTRY_BYTES <= content.length; at += TIME_ENTRY_BYTES) {
    const timestampMs = readInt64OrNone(content, at);
    entries.push({ offset: baseOffset + content.readInt32BE(at + 8), position: -1, timestampMs });
  }
  return entries;
}

function decodeGoPositions(content: Buffer): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (let at = 0; at + 8 <= content.length; at += 8) {
    entries.push({ offset: at / 8, position: Number(content.readBigInt64LE(at)), timestampMs: -1 });
  }
  return entries;
}

function readInt64OrNone(content: Buffer, position: number): number {
  try {
    return readInt64(content, position);
  } catch (error) {
    if (error instanceof ObeliskError) return -1;
    throw error;
  }
}

function readSnapshot(files: Files, { root, file }: Target): Inspection["snapshot"] {
  const { checkpoint, ...rest } = decodeSnapshot(files.readFile(`${root}/${file}`));
  if (checkpoint === null) return { ...rest, checkpoint: null };
  const { offset, segment, position, maxTimestamp, state } = checkpoint;
  return {
    ...rest,
    checkpoint: { offset, segment, position, maxTimestampMs: maxTimestamp, stateBytes: state.length },
  };
}
