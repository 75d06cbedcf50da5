/**
 * Checks one partition against everything that is known about it, without changing a byte.
 *
 *   log        every byte belongs to a valid batch or to a known hole (scan.ts); offsets go on without gaps, except after
 *              damage, where recovery recorded one, and where it began a new leader epoch; every record is opened, and one that
 *              does not decode although the CRC matches is a note: it came so from its producer
 *   indexes    agree with the log (index-check.ts); a sealed segment has both
 *   snapshot   decodes, and its checkpoint is not ahead of the log
 *   start      what lies wholly below the snapshot's start offset was deleted, and waits for the next start to go: it is not checked
 *   strays     log files that are no segments (stray-segments.ts) are reported, and the rest is checked as if they were not there
 *
 * `knownGap`: a hole of zero bytes in the snapshot says that offsets are missing before the batch at its position.
 */

import { ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { systemReason } from "../../base/system-error.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  batchBaseOffset,
  batchBytes,
  batchLastOffset,
  batchMaxTimestamp,
  batchRecordCount,
  MAGIC,
} from "../../protocol/record/batch.ts";
import { validateRecords } from "../../protocol/record/records.ts";
import type { BatchFault } from "../../protocol/record/validate.ts";
import { segmentName, UNINDEXED_BYTES_MAX } from "../file/segment.ts";
import { decodeSnapshot, type Hole, SNAPSHOT_FILE, type Snapshot } from "../file/snapshot.ts";
import { SNAPSHOT_JOURNAL } from "../file/snapshot-journal-format.ts";
import type { JournaledSnapshots } from "../journaled-snapshots.ts";
import { droppedCount, type PartitionLayout } from "../layout.ts";
import type { Refusal } from "../page-reads.ts";
import { scanBatches } from "../scan.ts";
import { BATCH_BYTES_MAX, type ScanRange } from "../scan-range.ts";
import { findStraySegments, openerOfReadable } from "../stray-segments.ts";
import { largestTimestamp } from "../timestamps.ts";
import { EpochCheck } from "./epoch-check.ts";
import { SegmentIndexCheck } from "./index-check.ts";
import type { VerifySink } from "./sink.ts";

export interface DirectoryCondition {
  /** A server owns the directory: the end of the log may be half written. */
  isLive: boolean;
  /** The last owner shut down cleanly, so nothing is left to do for recovery. */
  isClean: boolean;
}

export interface PartitionCondition extends DirectoryCondition {
  snapshots: JournaledSnapshots;
}

export function verifyPartition(
  files: Files,
  root: string,
  layout: PartitionLayout,
  condition: PartitionCondition,
  sink: VerifySink,
): void {
  new PartitionCheck(files, root, layout, condition, sink).run();
}

class PartitionCheck {
  readonly #files: Files;
  readonly #root: string;
  #layout: PartitionLayout;
  readonly #condition: PartitionCondition;
  readonly #sink: VerifySink;
  #snapshot: Snapshot | null = null;
  #epochs: EpochCheck | null = null;
  /** What the next batch should start with; -1 until the first segment says. */
  #expected = -1;
  /** Damage or a hole lies between the last batch and the next. */
  #isAfterDamage = false;

  constructor(
    files: Files,
    root: string,
    layout: PartitionLayout,
    condition: PartitionCondition,
    sink: VerifySink,
  ) {
    this.#files = files;
    this.#root = root;
    this.#layout = layout;
    this.#condition = condition;
    this.#sink = sink;
  }

  run(): void {
    this.#readSnapshot();
    this.#passDropped();
    const { directory } = this.#layout;
    if (this.#tolerating(directory, () => this.#passStraySegments()) === null) return;
    this.#epochs = new EpochCheck(this.#snapshot, this.#sink);
    const { segments } = this.#layout;
    if (this.#snapshot !== null && segments.length > 0)
      this.#expected = Math.min(this.#snapshot.startOffset, segments[0]!);
    for (const slot of segments.keys()) this.#segment(slot);
    this.#checkStrayIndexes();
    this.#checkEnd();
  }

  /** A deletion may have ended anywhere: in the middle of a file, or between a log and its indexes. */
  #passDropped(): void {
    const { segments, directory } = this.#layout;
    const count = droppedCount(segments, this.#snapshot?.startOffset ?? 0);
    for (const baseOffset of segments.slice(0, count)) {
      const size = () => this.#files.fileSize(`${this.#root}/${this.#fileOf(baseOffset, "log")}`);
      this.#sink.advance(this.#tolerating(directory, size) ?? 0);
    }
    this.#layout = { ...this.#layout, segments: segments.slice(count) };
  }

  /** Their indexes are then found to be without a log. @throws system errors: then nothing here can be judged */
  #passStraySegments(): boolean {
    const { segments, directory } = this.#layout;
    const straySegments = findStraySegments(
      this.#files,
      openerOfReadable(this.#files),
      `${this.#root}/${directory}`,
      segments,
    );
    for (const { baseOffset, bytes, reason } of straySegments) {
      this.#sink.advance(bytes);
      this.#sink.report(this.#fileOf(baseOffset, "log"), 0, bytes, "unknown-file", reason);
    }
    const isOwn = (base: number) => !straySegments.some(({ baseOffset }) => baseOffset === base);
    this.#layout = { ...this.#layout, segments: segments.filter(isOwn) };
    return true;
  }

  #readSnapshot(): void {
    const { topic, partition, hasSnapshot, directory } = this.#layout;
    const journaled = this.#tolerating(SNAPSHOT_JOURNAL, () =>
      this.#condition.snapshots.snapshotOf(topic, partition),
    );
    const file = journaled == null ? `${directory}/${SNAPSHOT_FILE}` : SNAPSHOT_JOURNAL;
    if (journaled == null && !hasSnapshot) return;
    const content = journaled ?? this.#contentOf(file);
    if (content === null) return;
    if (hasSnapshot) this.#sink.advance(content.length);
    try {
      this.#snapshot = decodeSnapshot(content);
    } catch (error) {
      if (!(error instanceof ObeliskError)) throw error;
      this.#sink.report(file, 0, content.length, "damaged-snapshot", error.message);
    }
  }

  #segment(slot: number): void {
    const baseOffset = this.#layout.segments[slot]!;
    const file = this.#fileOf(baseOffset, "log");
    const descriptor = this.#open(file);
    if (descriptor === null) {
      this.#isAfterDamage = true; // what it holds is not known, so what follows is no gap
      return;
    }
    try {
      this.#sink.summary.segments += 1;
      this.#checkBoundary(file, baseOffset);
      const isDone = this.#tolerating(file, () => this.#scan(slot, file, descriptor));
      if (isDone === null) this.#isAfterDamage = true;
    } finally {
      this.#files.close(descriptor);
    }
  }

  #checkBoundary(file: string, baseOffset: number): void {
    this.#checkGap(file, 0, baseOffset, baseOffset);
    this.#expected = baseOffset;
  }

  #scan(slot: number, file: string, descriptor: number): boolean {
    const baseOffset = this.#layout.segments[slot]!;
    const next = this.#layout.segments[slot + 1];
    const bytes = this.#files.size(descriptor);
    const indexes = new SegmentIndexCheck(
      this.#indexOf(baseOffset, "index"),
      this.#indexOf(baseOffset, "timeindex"),
    );
    let start = 0;
    for (const hole of [...this.#holesOf(baseOffset, bytes), { position: bytes, bytes: 0 }]) {
      const isLast = next === undefined && hole.position === bytes;
      const range = {
        start,
        end: hole.position,
        offset: this.#expected,
        offsetLimit: next ?? Number.POSITIVE_INFINITY,
        allowsGaps: !isLast || start > 0,
      };
      if (range.end > range.start) this.#scanStretch(range, isLast, file, baseOffset, descriptor, indexes);
      if (hole.bytes > 0) this.#passHole(hole, indexes);
      start = hole.position + hole.bytes;
    }
    const isSealed = this.#isSealed(slot);
    indexes.finish(isSealed, this.#sink);
    if (isSealed && bytes > 0) this.#checkMissing(baseOffset, bytes);
    return true;
  }

  #scanStretch(
    range: ScanRange,
    isLast: boolean,
    file: string,
    baseOffset: number,
    descriptor: number,
    indexes: SegmentIndexCheck,
  ): void {
    scanBatches(this.#files, descriptor, range, {
      batch: (buffer, position, end, filePosition) => {
        this.#batch(file, baseOffset, buffer, position, end, filePosition, indexes);
        return true;
      },
      damage: (filePosition, bytes, reason, isTail) => {
        this.#sink.advance(bytes);
        this.#isAfterDamage = true;
        indexes.unknown(filePosition + bytes);
        if (!(isTail && isLast && filePosition >= this.#checkpointIn(baseOffset))) {
          this.#sink.report(file, filePosition, bytes, "damaged-batch", reason);
        } else if (!this.#condition.isLive) this.#reportTail(descriptor, file, filePosition, bytes, reason);
      },
      unreadable: (filePosition, bytes, refusals) => {
        this.#sink.advance(bytes);
        this.#isAfterDamage = true;
        indexes.unknown(filePosition + bytes);
        this.#reportRefusals(file, filePosition, bytes, refusals);
      },
    });
  }

  /** Nobody knows what lies there, so it is neither called damage nor repaired. */
  #reportRefusals(file: string, position: number, bytes: number, refusals: readonly Refusal[]): void {
    const around = `what lies at ${position} to ${position + bytes - 1} is not judged`;
    for (const refusal of refusals) {
      const detail = `${systemReason(refusal.error)}; ${around}`;
      this.#sink.report(file, refusal.position, refusal.bytes, "unreadable", detail);
    }
  }

  /** A write that a crash cut short was acknowledged to nobody, and the next start cuts it off. A whole batch may have been. */
  #reportTail(descriptor: number, file: string, position: number, bytes: number, reason: string): void {
    const isCrash = !this.#condition.isClean && isCutShort(this.#files, descriptor, position, bytes);
    if (isCrash)
      this.#sink.reportNote(file, position, bytes, "torn-tail", `${reason}; the next start cuts it off`);
    else this.#sink.report(file, position, bytes, "torn-tail", reason);
  }

  #batch(
    file: string,
    segmentBase: number,
    buffer: Buffer,
    position: number,
    end: number,
    filePosition: number,
    indexes: SegmentIndexCheck,
  ): void {
    const { summary } = this.#sink;
    const baseOffset = batchBaseOffset(buffer, position);
    const lastOffset = batchLastOffset(buffer, position);
    this.#checkGap(file, filePosition, baseOffset, segmentBase);
    this.#epochs?.batch(file, filePosition, buffer, position);
    this.#isAfterDamage = false;
    this.#expected = lastOffset + 1;
    const timestamp = largestTimestamp(buffer, position);
    const headerTimestamp = batchMaxTimestamp(buffer, position);
    indexes.batch(
      filePosition,
      baseOffset - segmentBase,
      lastOffset - segmentBase,
      timestamp,
      headerTimestamp,
    );
    const fault = validateRecords(buffer, position, false);
    if (fault !== null) this.#reportFault(file, filePosition, end - position, fault);
    summary.batches += 1;
    summary.records += batchRecordCount(buffer, position);
    this.#sink.advance(end - position);
  }

  /** The CRC matches, so this is what was acknowledged: reported, and left as it is. */
  #reportFault(file: string, position: number, bytes: number, { code, detail }: BatchFault): void {
    if (code === "GARBLED_RECORDS") {
      const story = `as it was acknowledged, but its records do not decode: ${detail}`;
      this.#sink.reportNote(file, position, bytes, "garbled-records", story);
    } else
      this.#sink.reportNote(file, position, bytes, "unopened-records", `valid, but not opened: ${detail}`);
  }

  #checkGap(file: string, position: number, baseOffset: number, segmentBase: number): void {
    if (this.#expected === -1 || baseOffset <= this.#expected || this.#isAfterDamage) return;
    const isKnown =
      this.#snapshot?.holes.some(
        (hole) => hole.segment === segmentBase && hole.position === position && hole.bytes === 0,
      ) === true || this.#snapshot?.epochs.some(({ startOffset }) => startOffset === baseOffset) === true;
    if (isKnown) return;
    const detail = `the offsets ${this.#expected} to ${baseOffset - 1} are missing`;
    this.#sink.report(file, position, 0, "offset-gap", detail);
  }

  #passHole(hole: Hole, indexes: SegmentIndexCheck): void {
    this.#sink.summary.holes += 1;
    this.#sink.summary.holeBytes += hole.bytes;
    this.#isAfterDamage = true;
    indexes.unknown(hole.position + hole.bytes);
  }

  /** A rolled segment gets its indexes after a sync. Those after the checkpoint may be waiting for it, or for recovery. */
  #isSealed(slot: number): boolean {
    const { segments } = this.#layout;
    if (slot === segments.length - 1) return false;
    const checkpoint = this.#snapshot?.checkpoint ?? null;
    const isBeforeCheckpoint = checkpoint !== null && segments[slot]! < checkpoint.segment;
    return isBeforeCheckpoint || (this.#condition.isClean && !this.#condition.isLive);
  }

  /** A small segment may be without both. */
  #checkMissing(baseOffset: number, bytes: number): void {
    const { indexes, timeIndexes } = this.#layout;
    const isUnindexed =
      bytes <= UNINDEXED_BYTES_MAX && !indexes.has(baseOffset) && !timeIndexes.has(baseOffset);
    if (isUnindexed) return;
    for (const [suffix, present] of [
      ["index", indexes],
      ["timeindex", timeIndexes],
    ] as const) {
      if (present.has(baseOffset)) continue;
      const file = this.#fileOf(baseOffset, suffix);
      this.#sink.report(file, 0, 0, "missing-index", "a sealed segment has no such index");
    }
  }

  #checkStrayIndexes(): void {
    const { segments, indexes, timeIndexes } = this.#layout;
    for (const [suffix, present] of [
      ["index", indexes],
      ["timeindex", timeIndexes],
    ] as const) {
      for (const baseOffset of present) {
        if (segments.includes(baseOffset) || baseOffset < (this.#snapshot?.startOffset ?? 0)) continue;
        const file = this.#fileOf(baseOffset, suffix);
        this.#sink.report(
          file,
          0,
          this.#contentOf(file)?.length ?? 0,
          "unknown-file",
          "an index without a log",
        );
      }
    }
  }

  #checkEnd(): void {
    const checkpoint = this.#snapshot?.checkpoint ?? null;
    if (checkpoint === null || this.#isAfterDamage || this.#condition.isLive) return;
    const end = Math.max(this.#expected, 0);
    if (end >= checkpoint.offset) return;
    const last = this.#layout.segments.at(-1);
    const file =
      last === undefined ? `${this.#layout.directory}/${SNAPSHOT_FILE}` : this.#fileOf(last, "log");
    const size = () => this.#files.fileSize(`${this.#root}/${file}`);
    const position = last === undefined ? 0 : (this.#tolerating(file, size) ?? 0);
    const detail = `the log ends at offset ${end}, and it was synced up to ${checkpoint.offset}`;
    this.#sink.report(file, position, 0, "offset-gap", detail);
  }

  /** Up to where the segment is known to have been synced: damage before it is no torn tail. */
  #checkpointIn(baseOffset: number): number {
    const checkpoint = this.#snapshot?.checkpoint ?? null;
    if (checkpoint === null || checkpoint.segment < baseOffset) return 0;
    return checkpoint.segment === baseOffset ? checkpoint.position : Number.POSITIVE_INFINITY;
  }

  #holesOf(baseOffset: number, bytes: number): Hole[] {
    const holes = this.#snapshot?.holes ?? [];
    return holes
      .filter((hole) => hole.segment === baseOffset && hole.bytes > 0 && hole.position < bytes)
      .map((hole) => ({ position: hole.position, bytes: Math.min(hole.bytes, bytes - hole.position) }))
      .sort((left, right) => left.position - right.position);
  }

  #indexOf(baseOffset: number, suffix: "index" | "timeindex"): { file: string; content: Buffer } | null {
    const present = suffix === "index" ? this.#layout.indexes : this.#layout.timeIndexes;
    if (!present.has(baseOffset)) return null;
    const file = this.#fileOf(baseOffset, suffix);
    const content = this.#contentOf(file);
    if (content === null) return null;
    this.#sink.advance(content.length);
    return { file, content };
  }

  #contentOf(file: string): Buffer | null {
    return this.#tolerating(file, () => this.#files.readFile(`${this.#root}/${file}`));
  }

  #open(file: string): number | null {
    return this.#tolerating(file, () => this.#files.open(`${this.#root}/${file}`, "read"));
  }

  #tolerating<Result>(file: string, work: () => Result): Result | null {
    return this.#sink.tolerating(this.#files, this.#root, file, work);
  }

  #fileOf(baseOffset: number, suffix: string): string {
    return `${this.#layout.directory}/${segmentName(baseOffset)}.${suffix}`;
  }
}

/** Whether the bytes are the front of a batch whose rest never came. */
function isCutShort(files: Files, descriptor: number, position: number, bytes: number): boolean {
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  const got = files.read(descriptor, header, 0, Math.min(bytes, header.length), position);
  if (got < BATCH_HEADER_BYTES) return true;
  return (
    header[BATCH_MAGIC] === MAGIC && batchBytes(header, 0) > bytes && batchBytes(header, 0) <= BATCH_BYTES_MAX
  );
}
