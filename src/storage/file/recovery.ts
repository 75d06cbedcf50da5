/**
 * Opens a partition's directory: finds its segments, reads what the log holds behind the last checkpoint, and mends what a
 * crash or a disk has left. Damage is reported and never stops the start.
 *
 *     snapshot says: true up to here
 *            v
 *     [sealed][.....|== scanned with CRC, replayed to the owner ==]
 *
 *   what is found                               what is done
 *   bytes at the end that are no batch          copied to quarantine, cut off, leader epoch bumped
 *   bytes in the middle that are no batch       copied to quarantine, noted as a hole, passed over by readers
 *   the log ends before its checkpoint          a new segment begins at the checkpoint's offset: none is given out twice
 *   snapshot missing or damaged                 the whole log is scanned
 *   a log file that is no segment               moved to quarantine (strangers.ts)
 *   a segment between others, or the first,     the missing offsets are noted, as a hole of 0 bytes
 *   is gone
 *   nothing at all where a partition was        told, and the partition begins anew
 *   the disk refuses to open or read            the partition is offline, the others are not
 *
 * Sealed segments before the checkpoint were synced and are not read: opening takes as long as the data behind the
 * checkpoint, not as the log. Damage in them is met by readers (reader.ts) and by `verify`.
 *
 * After a shutdown that was not clean the leader epoch is bumped also when nothing was cut: bytes that were never synced may be
 * gone without a trace, and clients that had read further must find out (KIP-320).
 */

import { TEMPORARY_SUFFIX } from "../../base/disk.ts";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import { systemReason } from "../../base/system-error.ts";
import { batchBaseOffset, batchLeaderEpoch } from "../../protocol/record/batch.ts";
import type { RecoveryListener } from "../contract.ts";
import { LeaderEpochs } from "../leader-epochs.ts";
import { scanBatches } from "../scan.ts";
import { findStrangers } from "../strangers.ts";
import { findGaps } from "./gaps.ts";
import { type IndexFiles, noteBatch } from "./index-files.ts";
import { PooledFile } from "./pool.ts";
import { logPathOf, parseSegmentName, removeSegmentFiles, Segment, segmentName } from "./segment.ts";
import { SegmentIndex } from "./segment-index.ts";
import { setAsideFile } from "./set-aside.ts";
import { type Checkpoint, decodeSnapshot, SNAPSHOT_FILE, type Snapshot } from "./snapshot.ts";
import type { Store } from "./store.ts";

/** Behind the checkpoint a power cut can take the end of a segment and leave the next one. */
const NEVER_SYNCED = "a power cut took them before they were synced, or a segment is gone";
/** An epoch in a batch that is further ahead than this is damage: the field lies outside the CRC. */
const EPOCH_STEP_MAX = 1000;

export interface Recovered {
  directory: string;
  /** At least one; the last is the active one. */
  segments: Segment[];
  epochs: LeaderEpochs;
  startOffset: number;
  /** What lies below is on disk. */
  durableOffset: number;
  checkpoint: Checkpoint | null;
  bytesSinceCheckpoint: number;
  activeSinceMs: number;
  isOffline: boolean;
  needsSnapshot: boolean;
  /** Directories whose names may not be on disk yet. */
  namesToSync: string[];
}

/**
 * Opens what lies in `directory`, or makes it. `wasClean`: the last owner stopped in order. `mustExist`: the partition was there
 * before, so that it is a loss when nothing is.
 * @throws what `listener` throws
 */
export function recoverPartition(
  store: Store,
  indexes: IndexFiles,
  directory: string,
  condition: { wasClean: boolean; mustExist: boolean },
  listener: RecoveryListener,
): Recovered {
  const recovery = new Recovery(store, indexes, directory, condition);
  return recovery.run(listener);
}

class Recovery {
  readonly #store: Store;
  readonly #indexes: IndexFiles;
  readonly #directory: string;
  readonly #wasClean: boolean;
  readonly #mustExist: boolean;
  #segments: Segment[] = [];
  #epochs = new LeaderEpochs();
  #snapshot: Snapshot | null = null;
  #bytesScanned = 0;
  #hasLost = false;
  #hasChanged = false;
  #isOffline = false;
  /** The offset behind the last batch of each segment that was scanned; -1 behind damage. */
  readonly #ends = new Map<Segment, number>();

  constructor(
    store: Store,
    indexes: IndexFiles,
    directory: string,
    { wasClean, mustExist }: { wasClean: boolean; mustExist: boolean },
  ) {
    this.#store = store;
    this.#indexes = indexes;
    this.#directory = directory;
    this.#wasClean = wasClean;
    this.#mustExist = mustExist;
  }

  run(listener: RecoveryListener): Recovered {
    try {
      const isNew = !this.#store.files.exists(this.#directory);
      if (isNew) this.#refuseDanglingLink();
      if (isNew) this.#store.files.makeDirectory(this.#directory);
      this.#find();
      this.#readSnapshot();
      this.#finishDrop();
      if (this.#segments.length > 0) {
        this.#scan(listener);
        this.#noteGaps();
      } else if (this.#snapshot === null && this.#mustExist && (isNew || this.#wasClean)) {
        this.#reportMissing(isNew);
      }
      this.#settleEnd();
    } catch (thrown) {
      this.#goOffline(thrown);
    }
    return this.#result();
  }

  /** The disk that it leads to may come back: nothing is made in its place. */
  #refuseDanglingLink(): void {
    const { files, root } = this.#store;
    for (let path = this.#directory; path.length > root.length; path = path.slice(0, path.lastIndexOf("/"))) {
      if (!files.isLink(path) || files.exists(path)) continue;
      const detail = `${this.#store.relative(path)} is a link that leads nowhere`;
      throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail });
    }
  }

  /** Lists the segments, and sets log files aside that are none. */
  #find(): void {
    const { files } = this.#store;
    const found = this.#list();
    const strangers = findStrangers(files, this.#directory, found);
    for (const { baseOffset, bytes, reason } of strangers) {
      const fate = this.#setAsideStranger(baseOffset, reason);
      this.#store.report(logPathOf(this.#directory, baseOffset), 0, bytes, "unknown-file", reason + fate);
    }
    const bases = found.filter((base) => !strangers.some(({ baseOffset }) => baseOffset === base));
    for (const [slot, base] of bases.entries()) {
      const path = logPathOf(this.#directory, base);
      const isLast = slot === bases.length - 1;
      const segment = new Segment(
        this.#directory,
        base,
        new PooledFile(path, isLast ? "update" : "read"),
        null,
      );
      segment.bytes = files.fileSize(path);
      segment.endOffset = bases[slot + 1] ?? base;
      segment.forgetVerified();
      this.#segments.push(segment);
    }
  }

  /** The base offsets of the log files, ascending; removes what an interrupted replacement of ours has left. */
  #list(): number[] {
    const { files } = this.#store;
    const bases: number[] = [];
    for (const name of files.list(this.#directory)) {
      if (name.endsWith(TEMPORARY_SUFFIX)) files.removeFile(`${this.#directory}/${name}`);
      const parsed = parseSegmentName(name);
      if (parsed?.suffix === "log") bases.push(parsed.baseOffset);
      else if (parsed === null && name !== SNAPSHOT_FILE && !name.endsWith(TEMPORARY_SUFFIX)) {
        this.#store.report(
          `${this.#directory}/${name}`,
          0,
          0,
          "unknown-file",
          "not a file of a partition; left alone",
        );
      }
    }
    return bases.sort((left, right) => left - right);
  }

  /** Moves the files of that name, the log last. What cannot be moved stays, and is no segment all the same. */
  #setAsideStranger(baseOffset: number, reason: string): string {
    const { files, root } = this.#store;
    let target = "";
    try {
      for (const suffix of ["index", "timeindex", "log"]) {
        const path = `${this.#directory}/${segmentName(baseOffset)}.${suffix}`;
        if (files.exists(path)) target = setAsideFile(files, root, this.#store.relative(path), reason);
      }
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === undefined && !(thrown instanceof ObeliskError)) throw thrown;
      return `; it could not be moved to quarantine (${errno ?? "refused"}) and is left alone`;
    }
    return `; moved to ${target}`;
  }

  #readSnapshot(): void {
    const { files } = this.#store;
    const path = `${this.#directory}/${SNAPSHOT_FILE}`;
    if (!files.exists(path)) return;
    try {
      this.#snapshot = decodeSnapshot(files.readFile(path));
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      const bytes = files.fileSize(path);
      const target = setAsideFile(files, this.#store.root, this.#store.relative(path), thrown.message);
      this.#store.report(
        path,
        0,
        bytes,
        "damaged-snapshot",
        `${thrown.message}; moved to ${target}, the log is read instead`,
      );
      return;
    }
    this.#epochs = new LeaderEpochs(this.#snapshot.epochs);
    for (const segment of this.#segments) segment.hasOldTimes = segment.baseOffset < this.#snapshot.timesFrom;
    for (const { segment: base, position, bytes } of this.#snapshot.holes) {
      const segment = this.#segments.find((candidate) => candidate.baseOffset === base);
      if (segment !== undefined && (position < segment.bytes || bytes === 0)) {
        segment.addHole({ position, bytes });
      }
    }
  }

  /** Deletes segments that had been dropped when the power went: the snapshot says that the log starts behind them. */
  #finishDrop(): void {
    const startOffset = this.#snapshot?.startOffset ?? 0;
    while (this.#segments.length > 1 && this.#segments[0]!.endOffset <= startOffset) {
      removeSegmentFiles(this.#store.files, this.#segments.shift()!);
    }
  }

  /** Reads everything behind the checkpoint. */
  #scan(listener: RecoveryListener): void {
    const checkpoint = this.#snapshot?.checkpoint ?? null;
    if (checkpoint !== null) listener.restore(checkpoint.state);
    const replayFrom = checkpoint?.offset ?? 0;
    let slot = checkpoint === null ? 0 : this.#slotOf(checkpoint);
    let position = 0;
    let offset = this.#segments[slot]!.baseOffset;
    const first = this.#segments[slot]!;
    if (
      checkpoint !== null &&
      first.baseOffset === checkpoint.segment &&
      first.bytes >= checkpoint.position
    ) {
      position = checkpoint.position;
      offset = checkpoint.offset;
    }
    for (; slot < this.#segments.length; slot += 1) {
      const segment = this.#segments[slot]!;
      segment.index = SegmentIndex.growing(this.#store.limits.indexIntervalBytes);
      if (position > 0) this.#restoreIndex(segment, position, checkpoint!);
      segment.hasOldTimes = false;
      this.#scanSegment(segment, position, offset, replayFrom, listener);
      position = 0;
      offset = this.#segments[slot + 1]?.baseOffset ?? 0;
    }
  }

  /** The checkpoint's segment, or the last one that begins at or before its offset. */
  #slotOf(checkpoint: Checkpoint): number {
    const slot = this.#segments.findLastIndex((segment) => segment.baseOffset <= checkpoint.segment);
    return Math.max(slot, 0);
  }

  #restoreIndex(segment: Segment, position: number, checkpoint: Checkpoint): void {
    const index = SegmentIndex.growing(this.#store.limits.indexIntervalBytes);
    const stored = segment.hasOldTimes ? null : this.#indexes.readActive(segment, position);
    if (stored !== null) {
      const { maxTimestamp, maxTimestampOffset } = checkpoint;
      index.restore(stored.offsets, stored.times, position, maxTimestamp, maxTimestampOffset);
      segment.index = index;
      return;
    }
    this.#forgetIndexFiles(segment);
    segment.index = index;
    const range = {
      start: 0,
      end: position,
      offset: segment.baseOffset,
      offsetLimit: checkpoint.offset,
      allowsGaps: true,
    };
    scanBatches(this.#store.files, this.#store.pool.use(segment.file), range, {
      batch: (buffer, at, end, filePosition) => {
        noteBatch(index, segment.baseOffset, buffer, at, end, filePosition);
        return true;
      },
      damage: (at, bytes, reason) => this.#noteHole(segment, at, bytes, reason),
    });
    if (segment.hasOldTimes) return;
    this.#store.report(segment.indexPath, 0, index.offsets.length, "missing-index", "rebuilt from the log");
  }

  #scanSegment(
    segment: Segment,
    start: number,
    offset: number,
    replayFrom: number,
    listener: RecoveryListener,
  ): void {
    const isLast = segment === this.#segments.at(-1);
    if (start === segment.bytes) {
      this.#ends.set(segment, offset);
      if (isLast) segment.endOffset = offset;
      else this.#sealScanned(segment);
      return;
    }
    const index = segment.index!;
    const range = {
      start,
      end: segment.bytes,
      offset,
      offsetLimit: isLast ? Number.POSITIVE_INFINITY : segment.endOffset,
      allowsGaps: !isLast,
    };
    let cutAt = -1;
    let isBehindDamage = false;
    const descriptor = this.#store.pool.use(segment.file);
    const end = scanBatches(this.#store.files, descriptor, range, {
      batch: (buffer, at, batchEnd, filePosition) => {
        noteBatch(index, segment.baseOffset, buffer, at, batchEnd, filePosition);
        this.#bytesScanned += batchEnd - at;
        const baseOffset = batchBaseOffset(buffer, at);
        this.#noteEpoch(batchLeaderEpoch(buffer, at), baseOffset);
        if (baseOffset >= replayFrom) listener.replay(buffer, at, batchEnd);
        return true;
      },
      damage: (position, bytes, reason, isTail) => {
        isBehindDamage = isTail;
        if (isTail && isLast) {
          this.#keepTail(segment, descriptor, position, bytes, reason);
          cutAt = position;
        } else this.#noteHole(segment, position, bytes, reason);
      },
    });
    this.#ends.set(segment, isBehindDamage ? -1 : end);
    if (cutAt >= 0) this.#cut(segment, descriptor, cutAt);
    segment.verifiedStart = start;
    segment.verifiedEnd = segment.bytes;
    if (isLast) segment.endOffset = end;
    this.#store.files.syncNow(descriptor); // what was read may still be in memory only
    if (!isLast) this.#sealScanned(segment);
  }

  /** Told once: as holes of 0 bytes they are known. */
  #noteGaps(): void {
    const checkpointOffset = this.#snapshot?.checkpoint?.offset ?? 0;
    for (const { segment, start } of findGaps(
      this.#store,
      this.#segments,
      this.#ends,
      this.#snapshot,
      this.#epochs,
    )) {
      const { baseOffset, logPath } = segment;
      const detail = `the offsets ${start} to ${baseOffset - 1} are missing`;
      if (this.#wasClean || baseOffset <= checkpointOffset)
        this.#store.report(logPath, 0, 0, "offset-gap", `${detail}, as if a segment were gone`);
      else this.#store.report(logPath, 0, 0, "torn-tail", `${detail}: ${NEVER_SYNCED}`);
      segment.addHole({ position: 0, bytes: 0 });
      this.#hasChanged = true;
    }
  }

  #reportMissing(isNew: boolean): void {
    const what = isNew ? "its directory is gone" : "there is nothing in its directory";
    const detail = `the partition was there before, and ${what}: what it held is lost, and it begins anew, empty`;
    this.#store.report(this.#directory, 0, 0, "missing-partition", detail);
  }

  #noteEpoch(epoch: number, offset: number): void {
    if (epoch - this.#epochs.current <= EPOCH_STEP_MAX) this.#epochs.note(epoch, offset);
  }

  #noteHole(segment: Segment, position: number, bytes: number, reason: string): void {
    const known = segment.holeFrom(position);
    if (known?.position === position && known.bytes === bytes) return;
    const descriptor = this.#store.pool.use(segment.file);
    const fate = this.#store.setAside(segment.logPath, descriptor, position, bytes, reason);
    this.#store.report(segment.logPath, position, bytes, "damaged-batch", reason + fate);
    segment.addHole({ position, bytes });
    this.#hasChanged = true;
  }

  #keepTail(segment: Segment, descriptor: number, position: number, bytes: number, reason: string): void {
    const fate = this.#store.setAside(segment.logPath, descriptor, position, bytes, reason);
    this.#store.report(segment.logPath, position, bytes, "torn-tail", `${reason}; cut off${fate}`);
  }

  #cut(segment: Segment, descriptor: number, position: number): void {
    this.#store.files.truncate(descriptor, position);
    segment.bytes = position;
    this.#forgetIndexFiles(segment);
    this.#hasLost = true;
  }

  #forgetIndexFiles(segment: Segment): void {
    const { files } = this.#store;
    for (const path of [segment.indexPath, segment.timeIndexPath])
      if (files.exists(path)) files.removeFile(path);
  }

  /** A segment behind the checkpoint that is not the last one was rolled before the crash; what was left to do is done now. */
  #sealScanned(segment: Segment): void {
    try {
      this.#indexes.sealNow(segment);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown; // the index stays in memory
    }
  }

  /** Makes sure that there is an active segment whose next offset was never given out. */
  #settleEnd(): void {
    const checkpoint = this.#snapshot?.checkpoint ?? null;
    const last = this.#segments.at(-1);
    const endOffset = last?.endOffset ?? 0;
    const floor = Math.max(checkpoint?.offset ?? 0, this.#snapshot?.startOffset ?? 0);
    if (last === undefined || endOffset < floor) {
      if (floor > 0) this.#reportLoss(last, endOffset, floor);
      this.#begin(Math.max(endOffset, floor));
    }
    if (this.#epochs.starts.length === 0) this.#epochs.note(0, this.#segments[0]!.baseOffset);
    const hasData = this.#segments.some((segment) => segment.bytes > 0);
    if (this.#hasLost || (hasData && !this.#wasClean)) {
      this.#epochs.bump(this.#segments.at(-1)!.endOffset);
      this.#hasChanged = true;
    }
  }

  #reportLoss(last: Segment | undefined, endOffset: number, floor: number): void {
    const path = last?.logPath ?? this.#directory;
    const detail = `the log ends at offset ${endOffset}, but was synced up to ${floor}; those offsets are lost`;
    this.#store.report(path, last?.bytes ?? 0, 0, "offset-gap", detail);
    this.#hasLost = true;
  }

  #begin(baseOffset: number): void {
    const old = this.#segments.at(-1);
    if (old !== undefined && old.bytes > 0 && old.index !== null) this.#sealScanned(old);
    if (old !== undefined) old.endOffset = baseOffset;
    const file = this.#store.pool.create(logPathOf(this.#directory, baseOffset));
    this.#segments.push(
      new Segment(
        this.#directory,
        baseOffset,
        file,
        SegmentIndex.growing(this.#store.limits.indexIntervalBytes),
      ),
    );
  }

  #goOffline(thrown: unknown): void {
    const errno = errnoOf(thrown);
    if (errno === undefined && !(thrown instanceof ObeliskError)) throw thrown;
    const reason = thrown instanceof Error ? systemReason(thrown) : String(thrown);
    this.#store.report(this.#directory, 0, 0, "unreadable", `the partition is offline: ${reason}`);
    this.#isOffline = true;
    if (this.#segments.length > 0) return;
    const path = logPathOf(this.#directory, 0);
    this.#segments.push(
      new Segment(
        this.#directory,
        0,
        new PooledFile(path, "read"),
        SegmentIndex.growing(this.#store.limits.indexIntervalBytes),
      ),
    );
  }

  #result(): Recovered {
    const active = this.#segments.at(-1)!;
    for (const segment of this.#segments) segment.syncedBytes = segment.bytes;
    active.index ??= SegmentIndex.growing(this.#store.limits.indexIntervalBytes);
    const first = this.#segments[0]!;
    const parent = this.#directory.slice(0, this.#directory.lastIndexOf("/"));
    const grandparent = parent.slice(0, parent.lastIndexOf("/"));
    const nowMs = this.#store.clock.steadyMs();
    return {
      directory: this.#directory,
      segments: this.#segments,
      epochs: this.#epochs,
      startOffset: Math.max(this.#snapshot?.startOffset ?? 0, first.baseOffset),
      durableOffset: active.endOffset,
      checkpoint: this.#snapshot?.checkpoint ?? null,
      bytesSinceCheckpoint: this.#bytesScanned,
      // Never ahead, though the clock may have been set back since.
      activeSinceMs: Math.min(this.#snapshot?.activeSinceMs ?? nowMs, nowMs),
      isOffline: this.#isOffline,
      needsSnapshot: this.#hasChanged && !this.#isOffline,
      namesToSync: this.#wasClean && active.bytes > 0 ? [] : [this.#directory, parent, grandparent],
    };
  }
}
