/**
 * One partition on disk: appends, syncs, rolls, checkpoints, cuts. Reading is reader.ts, opening is recovery.ts.
 *
 *     segments   [ sealed ][ sealed ][ rolled, waits for a sync ][ active ]
 *                                                        ^durableOffset  ^endOffset
 *
 *   - One writer, synchronous: `append` is a stamp, a pwrite and a note in the index.
 *   - A sync has three steps, so that one can serve many partitions (syncer.ts): `startSync` names the dirty segments
 *     and remembers the end; the disk works; `finishSync` moves `durableOffset` there, or `fail` takes the log offline.
 *   - A rolled segment is sealed (its indexes written) once it is synced. A checkpoint is written once the log is synced
 *     up to it, so that the snapshot never runs ahead.
 *   - A write that fails is cut off again. If even that fails, the log goes offline: nobody knows what its end is.
 */

import { fail } from "../../base/assert.ts";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { SyncThread } from "../../base/files.ts";
import { batchLastOffsetDelta, batchMaxTimestamp, stampBatch } from "../../protocol/record/batch.ts";
import type { PartitionLog, TimestampedOffset } from "../contract.ts";
import { lastOffsetFrom } from "../last-offset.ts";
import type { LeaderEpochs } from "../leader-epochs.ts";
import { BATCH_BYTES_MAX } from "../scan.ts";
import type { IndexFiles } from "./index-files.ts";
import { LogLocator } from "./locator.ts";
import { LogReader } from "./reader.ts";
import type { Recovered } from "./recovery.ts";
import { logPathOf, RELATIVE_OFFSET_MAX, removeSegmentFiles, Segment } from "./segment.ts";
import { SegmentIndex } from "./segment-index.ts";
import type { Checkpoint, Snapshot } from "./snapshot.ts";
import { SnapshotWriter } from "./snapshot-writer.ts";
import { type Store, storageError } from "./store.ts";
import { findMaxTimestamp, findTimestamp } from "./time-search.ts";

const NOTHING = Buffer.alloc(0);

export const REMOVED_DETAIL = "the segment file was removed while it was in use";

export class FileLog implements PartitionLog {
  readonly topic: string;
  readonly partition: number;
  startOffset: number;
  durableOffset: number;
  onDurable: (() => void) | null = null;
  endOffset: number;
  leaderEpoch: number;
  bytes = 0;
  bytesSinceCheckpoint: number;
  isOffline: boolean;
  readonly isReadable: boolean;
  /** Closed or removed: what a sync that is still under way meets says nothing about the disk. */
  isDiscarded = false;
  /** Directories whose names the sync that is under way must make durable. */
  namesSyncing: readonly string[] = [];
  /** Directories with new names, for the next sync that has bytes to sync. */
  #namesToSync: string[];
  readonly #store: Store;
  readonly #indexes: IndexFiles;
  readonly #directory: string;
  readonly #segments: Segment[];
  readonly #epochs: LeaderEpochs;
  readonly #locator: LogLocator;
  readonly #reader: LogReader;
  readonly #snapshots: SnapshotWriter;
  #active: Segment;
  #activeSinceMs: number;
  /** Segments that were rolled and not yet sealed. */
  #rolled: Segment[] = [];
  #syncing: Segment[] = [];
  #syncTarget = 0;
  #lookedOffset = -1;
  /** True on disk, and what waits to become so. */
  /** The segment that a thread keeps synced, and that thread. */
  #streamed: Segment | null = null;
  #thread: SyncThread | null = null;
  #checkpoint: Checkpoint | null;
  #checkpointWaiting: Checkpoint | null = null;

  constructor(store: Store, indexes: IndexFiles, topic: string, partition: number, recovered: Recovered) {
    this.topic = topic;
    this.partition = partition;
    this.#store = store;
    this.#indexes = indexes;
    this.#directory = recovered.directory;
    this.#segments = recovered.segments;
    this.#active = recovered.segments.at(-1) ?? fail("a partition has at least one segment");
    this.#epochs = recovered.epochs;
    this.#activeSinceMs = recovered.activeSinceMs;
    this.#checkpoint = recovered.checkpoint;
    this.#locator = new LogLocator(store, indexes, this.#segments, () => this.#snapshots.request());
    this.#reader = new LogReader(store, this.#locator);
    this.#snapshots = new SnapshotWriter(store, this.#directory, () => this.#snapshot());
    this.startOffset = recovered.startOffset;
    this.endOffset = this.#active.endOffset;
    this.durableOffset = this.endOffset;
    this.leaderEpoch = this.#epochs.current;
    this.isOffline = recovered.isOffline;
    this.isReadable = !recovered.isOffline;
    this.#namesToSync = recovered.namesToSync;
    this.bytesSinceCheckpoint = recovered.bytesSinceCheckpoint;
    for (const segment of this.#segments) this.bytes += segment.bytes;
    if (recovered.needsSnapshot) this.#snapshots.request();
  }

  append(buffer: Buffer, position: number, end: number): number {
    if (this.isOffline) throw this.#refusal("the partition is offline since its disk failed");
    const bytes = end - position;
    if (bytes > BATCH_BYTES_MAX)
      throw new ObeliskError("MESSAGE_TOO_LARGE", { bytes, limit: BATCH_BYTES_MAX });
    const lastOffsetDelta = batchLastOffsetDelta(buffer, position);
    const isAdmitted = lastOffsetDelta >= 0 && lastOffsetDelta <= RELATIVE_OFFSET_MAX;
    if (!isAdmitted) fail("a batch spans offsets that none may claim");
    const baseOffset = this.endOffset;
    const lastOffset = lastOffsetFrom(this, lastOffsetDelta);
    if (this.#mustRoll(bytes, lastOffset)) this.#roll();
    const segment = this.#active;
    stampBatch(buffer, position, baseOffset, this.leaderEpoch);
    this.#write(segment, buffer, position, end);
    if (!segment.isDirty) segment.markDirty();
    const index = segment.index ?? fail("the active segment has its index in memory");
    index.note(lastOffset - segment.baseOffset, segment.bytes, bytes, batchMaxTimestamp(buffer, position));
    if (segment.verifiedEnd === segment.bytes) segment.verifiedEnd = segment.bytes + bytes;
    segment.bytes += bytes;
    segment.endOffset = lastOffset + 1;
    if (segment === this.#streamed) {
      this.#thread!.setMark(segment.endOffset - segment.baseOffset);
      this.#thread!.wake();
    }
    this.endOffset = lastOffset + 1;
    this.bytes += bytes;
    this.bytesSinceCheckpoint += bytes;
    return baseOffset;
  }

  read(offset: number, limitOffset: number, bytesMax: number, atLeastOne: boolean): Buffer | Promise<Buffer> {
    this.#checkRange(offset);
    if (offset >= limitOffset || offset === this.endOffset) return NOTHING;
    try {
      const answer = this.#reader.read(offset, limitOffset, bytesMax, atLeastOne);
      return answer instanceof Promise ? answer.catch((thrown) => this.#refuse(thrown)) : answer;
    } catch (thrown) {
      return this.#refuse(thrown);
    }
  }

  async offsetForTimestamp(timestampMs: number, limitOffset: number): Promise<TimestampedOffset | null> {
    return this.#search(() =>
      findTimestamp(this.#segments, this.#indexes, this.#reader, timestampMs, this.startOffset, limitOffset),
    );
  }

  async offsetOfMaxTimestamp(limitOffset: number): Promise<TimestampedOffset | null> {
    return this.#search(() =>
      findMaxTimestamp(this.#segments, this.#indexes, this.#reader, this.startOffset, limitOffset),
    );
  }

  epochAt(offset: number): number {
    return this.#epochs.at(offset);
  }

  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number } | null {
    return this.#epochs.endOffset(epoch, this.endOffset);
  }

  checkpoint(state: Buffer): void {
    if (this.isOffline) return;
    const index = this.#active.index ?? fail("the active segment has its index in memory");
    this.#checkpointWaiting = {
      offset: this.endOffset,
      segment: this.#active.baseOffset,
      position: this.#active.bytes,
      maxTimestamp: index.maxTimestamp,
      maxTimestampOffset: index.maxTimestampOffset,
      state: Buffer.from(state),
    };
    this.bytesSinceCheckpoint = 0;
    this.#settleCheckpoint();
  }

  truncate(offset: number): void {
    this.#checkRange(offset);
    if (this.#syncing.length > 0 || this.#streamed !== null)
      fail("a log cannot be truncated while it is being synced");
    const place = this.#locator.locate(offset);
    if (offset < this.endOffset && place.offset !== offset)
      fail("a log can be truncated only at a batch boundary");
    this.#cutAt(offset === this.endOffset ? this.#active : place.segment, place.position, offset);
  }

  dropBefore(offset: number): void {
    if (offset > this.endOffset) this.#checkRange(offset);
    if (offset <= this.startOffset) return;
    this.startOffset = offset;
    this.#epochs.dropBefore(offset);
    const dropped: Segment[] = [];
    while (this.#segments.length > 1 && this.#segments[0]!.endOffset <= offset) {
      const segment = this.#segments.shift()!;
      this.#detach(segment);
      dropped.push(segment);
    }
    // The files go only when the new start is on disk: otherwise a power cut could leave a log with a gap in it.
    this.#snapshots.requestThen(() => {
      for (const segment of dropped) removeSegmentFiles(this.#store.files, segment);
    });
  }

  /** Adds the segments that wait for a sync to `dirty`. Answered by exactly one `finishSync` or `fail`. */
  startSync(dirty: Segment[]): void {
    this.#syncTarget = this.endOffset;
    this.#syncing = [];
    for (const segment of this.#rolled) this.#startSegment(segment, dirty);
    this.#startSegment(this.#active, dirty);
    if (this.#syncing.length === 0) return;
    this.namesSyncing = this.#namesToSync;
    this.#namesToSync = [];
  }

  /** The segment to sync when that is all there is to do, else null. */
  get onlyDirtySegment(): Segment | null {
    if (!this.#active.isDirty || this.#rolled.length > 0 || this.#namesToSync.length > 0) return null;
    return this.#active;
  }

  /** @throws ObeliskError KAFKA_STORAGE_ERROR when the log is offline by now, or a file that was synced has lost its name */
  finishSync(): void {
    if (this.isOffline) throw this.#refusal("the partition went offline while it was synced");
    for (const segment of this.#syncing) {
      if (this.isRemoved(segment)) throw this.#refusal(REMOVED_DETAIL, segment.logPath);
    }
    this.#unpin();
    this.durableOffset = this.#syncTarget;
    const sealable = this.#rolled.filter((segment) => !segment.isDirty);
    if (sealable.length > 0) this.#seal(sealable);
    this.#settleCheckpoint();
  }

  /** A thread syncs the segment from now on, whenever its mark moves. */
  startStream(segment: Segment, thread: SyncThread): void {
    this.#streamed = segment;
    this.#thread = thread;
    thread.setMark(segment.endOffset - segment.baseOffset);
  }

  /** The thread has made everything below `offset` durable. */
  streamedTo(offset: number): void {
    if (this.isOffline || offset <= this.durableOffset) return;
    this.durableOffset = offset;
    this.#settleCheckpoint();
    this.onDurable?.();
  }

  /** The thread has let go: the segment is clean if all of it was covered. */
  endStream(): void {
    const segment = this.#streamed;
    this.#streamed = null;
    this.#thread = null;
    if (segment === null || !segment.isDirty || this.durableOffset < segment.endOffset) return;
    segment.isDirty = false;
    segment.syncedBytes = segment.bytes;
    segment.unpin(this.#store.pool);
  }

  /** Whether the segment's open file has no name any more, so that what was synced into it is gone with this process. */
  isRemoved(segment: Segment): boolean {
    const { descriptor } = segment.file;
    return descriptor >= 0 && this.#store.files.identityOf(descriptor) === null;
  }

  /** Whether something was appended since `look`. */
  get hasGrown(): boolean {
    return this.endOffset !== this.#lookedOffset;
  }

  /** Why the next append would go astray: the active segment's name does not lead to its file. Null when it does. */
  look(): string | null {
    this.#lookedOffset = this.endOffset;
    const { file } = this.#active;
    const there = this.#store.files.identity(file.path);
    if (there === null) return REMOVED_DETAIL;
    if (file.descriptor < 0 || there === this.#store.files.identityOf(file.descriptor)) return null;
    return "the segment file was replaced by another while it was in use";
  }

  /** The path of the segment that takes the next append. */
  get activePath(): string {
    return this.#active.logPath;
  }

  /** Takes the log offline for good: what its file holds is not known any more. */
  fail(): void {
    this.#unpin();
    this.isOffline = true;
  }

  /** As `fail`, and nothing more is written beside the log: what lies at its path may be somebody else's. */
  lose(): void {
    this.fail();
    this.#snapshots.stop();
  }

  /** Rolls a segment that has become too old; on demand forgets what was verified. Called every now and then. */
  tick(mustForgetVerified: boolean): void {
    if (mustForgetVerified) for (const segment of this.#segments) segment.forgetVerified();
    this.#sealRest();
    const ageMs = this.#store.clock.steadyMs() - this.#activeSinceMs;
    if (this.isOffline || this.#active.bytes === 0 || ageMs < this.#store.limits.segmentAgeMsMax) return;
    try {
      this.#roll();
    } catch (thrown) {
      // A roll that the disk refuses is tried again at the next call.
      if (!(thrown instanceof ObeliskError)) throw thrown;
    }
  }

  /** Waits for what is written in the background, and lets go of the files. Sync first. */
  async close(): Promise<void> {
    if (!this.isOffline) {
      this.#sealRest();
      this.#appendIndex();
      this.#snapshots.request();
      await this.#snapshots.idle();
    }
    await this.discard();
  }

  /** Its files are being taken away: nothing more is written. `discard` follows. */
  abandon(): void {
    this.isDiscarded = true;
    this.isOffline = true;
    this.#snapshots.stop();
  }

  /** Lets go of the files without writing anything more; the log must not be used afterwards. */
  async discard(): Promise<void> {
    this.abandon();
    await this.#snapshots.idle();
    for (const segment of this.#segments) {
      this.#indexes.forget(segment);
      segment.release(this.#store.pool);
    }
  }

  #mustRoll(bytes: number, lastOffset: number): boolean {
    const { bytes: used, baseOffset } = this.#active;
    if (used === 0) return false;
    if (used + bytes > this.#store.limits.segmentBytesMax) return true;
    return lastOffset - baseOffset > RELATIVE_OFFSET_MAX;
  }

  #roll(): void {
    const path = logPathOf(this.#directory, this.endOffset);
    let next: Segment;
    try {
      this.#syncNames();
      const file = this.#store.pool.create(path);
      next = new Segment(
        this.#directory,
        this.endOffset,
        file,
        SegmentIndex.growing(this.#store.limits.indexIntervalBytes),
      );
    } catch (thrown) {
      throw storageError(thrown, { topic: this.topic, partition: this.partition, file: path });
    }
    const old = this.#active;
    this.#segments.push(next);
    this.#rolled.push(old);
    this.#active = next;
    this.#activeSinceMs = this.#store.clock.steadyMs();
    if (!this.#namesToSync.includes(this.#directory)) this.#namesToSync.push(this.#directory);
    if (!old.isDirty && this.#syncing.length === 0) this.#seal([old]);
  }

  /** A segment's name is on disk before the next one is made, so that a power cut cannot leave the later one alone. */
  #syncNames(): void {
    const { files, pool } = this.#store;
    for (const path of [...this.namesSyncing, ...this.#namesToSync]) {
      pool.withRoom(path, () => files.syncDirectory(path));
    }
    this.#namesToSync = [];
  }

  #write(segment: Segment, buffer: Buffer, position: number, end: number): void {
    const descriptor = this.#descriptorOf(segment);
    try {
      this.#store.files.write(descriptor, buffer, position, end, segment.bytes);
      return;
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      this.#cutBack(descriptor, segment);
      throw storageError(thrown, this.#facts(segment.logPath));
    }
  }

  #descriptorOf(segment: Segment): number {
    if (segment.file.descriptor >= 0 && segment.isDirty) return segment.file.descriptor;
    try {
      return this.#store.pool.use(segment.file);
    } catch (thrown) {
      throw storageError(thrown, this.#facts(segment.logPath));
    }
  }

  /** Takes away what a failed write may have left behind the last whole batch. */
  #cutBack(descriptor: number, segment: Segment): void {
    try {
      this.#store.files.truncate(descriptor, segment.bytes);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      this.isOffline = true;
    }
  }

  #startSegment(segment: Segment, dirty: Segment[]): void {
    if (!segment.isDirty) return;
    segment.isDirty = false;
    segment.startSync();
    this.#syncing.push(segment);
    dirty.push(segment);
  }

  #unpin(): void {
    for (const segment of this.#syncing) segment.unpin(this.#store.pool);
    this.#syncing = [];
    this.namesSyncing = [];
  }

  #seal(segments: readonly Segment[]): void {
    this.#rolled = this.#rolled.filter((segment) => !segments.includes(segment));
    this.#snapshots.later(async () => {
      for (const segment of segments) await this.#indexes.seal(segment);
    });
  }

  /** What the disk refused to take when it was full. */
  #sealRest(): void {
    if (this.isOffline) return;
    const rest = this.#segments.filter(
      (segment) => segment.index !== null && segment !== this.#active && !this.#rolled.includes(segment),
    );
    if (rest.length > 0) this.#seal(rest);
  }

  #settleCheckpoint(): void {
    const waiting = this.#checkpointWaiting;
    if (waiting === null || waiting.offset > this.durableOffset) return;
    this.#checkpointWaiting = null;
    this.#snapshots.later(async () => {
      this.#checkpoint = waiting;
      this.#appendIndex();
      this.#snapshots.request();
    });
  }

  /** The copy of the active index on disk is a help for the next start and nothing more, so a refusal changes nothing. */
  #appendIndex(): void {
    try {
      this.#indexes.append(this.#active);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined && !(thrown instanceof ObeliskError)) throw thrown;
    }
  }

  #snapshot(): Snapshot {
    const lastOld = this.#segments.findLastIndex((segment) => segment.hasOldTimes);
    return {
      startOffset: this.startOffset,
      checkpoint: this.#checkpoint,
      activeSinceMs: this.#activeSinceMs,
      timesFrom: lastOld === -1 ? 0 : this.#segments[lastOld]!.endOffset,
      epochs: this.#epochs.starts,
      holes: this.#segments.flatMap((segment) =>
        segment.holes.map((hole) => ({ segment: segment.baseOffset, ...hole })),
      ),
    };
  }

  #cutAt(segment: Segment, position: number, offset: number): void {
    while (this.#segments.at(-1) !== segment) this.#removeLast();
    const end = offset === this.endOffset ? segment.bytes : position;
    const { files, pool } = this.#store;
    const descriptor = pool.use(segment.file);
    const index = this.#indexes.of(segment);
    const shorter = SegmentIndex.growing(this.#store.limits.indexIntervalBytes);
    shorter.restore(index.offsets, index.times, end, index.maxTimestamp, index.maxTimestampOffset);
    for (const path of [segment.indexPath, segment.timeIndexPath])
      if (files.exists(path)) files.removeFile(path);
    this.#indexes.forget(segment);
    files.truncate(descriptor, end);
    files.syncNow(descriptor);
    this.bytes -= segment.bytes - end;
    segment.index = shorter;
    segment.bytes = end;
    segment.endOffset = offset;
    segment.holes = segment.holes.filter((hole) => hole.position < end);
    segment.forgetVerified();
    this.#active = segment;
    this.#rolled = this.#rolled.filter((rolled) => rolled !== segment && this.#segments.includes(rolled));
    this.endOffset = offset;
    this.durableOffset = Math.min(this.durableOffset, offset);
    this.#epochs.truncate(offset);
    if (this.#checkpoint !== null && this.#checkpoint.offset > offset) this.#checkpoint = null;
    this.#checkpointWaiting = null;
    this.#reader.reset();
    this.#snapshots.request();
  }

  #removeLast(): void {
    const segment = this.#segments.pop()!;
    this.#detach(segment);
    removeSegmentFiles(this.#store.files, segment);
  }

  #detach(segment: Segment): void {
    this.#rolled = this.#rolled.filter((rolled) => rolled !== segment);
    this.#indexes.forget(segment);
    this.bytes -= segment.bytes;
    segment.release(this.#store.pool);
  }

  async #search(work: () => Promise<TimestampedOffset | null>): Promise<TimestampedOffset | null> {
    try {
      return await work();
    } catch (thrown) {
      throw storageError(thrown, this.#facts());
    }
  }

  #checkRange(offset: number): void {
    if (offset >= this.startOffset && offset <= this.endOffset) return;
    throw new ObeliskError("OFFSET_OUT_OF_RANGE", { topic: this.topic, partition: this.partition, offset });
  }

  #refuse(thrown: unknown): never {
    throw storageError(thrown, this.#facts());
  }

  #refusal(detail: string, file?: string): ObeliskError {
    return new ObeliskError("KAFKA_STORAGE_ERROR", { detail, ...this.#facts(file) });
  }

  #facts(file?: string): { topic: string; partition: number; file?: string } {
    const facts = { topic: this.topic, partition: this.partition };
    return file === undefined ? facts : { ...facts, file: this.#store.relative(file) };
  }
}
