/**
 * One partition on disk: appends, rolls, cuts. The segments are in log-segments.ts. Opening is recovery.ts, reading log-reads.ts,
 * syncing log-syncer.ts with what unsynced.ts keeps, the small files beside the log log-upkeep.ts.
 *
 *     segments   [ sealed ][ sealed ][ rolled, waits for a sync ][ active ]
 *                                                        ^durableOffset  ^endOffset
 *
 *   - One writer, synchronous: `append` is a stamp, a pwrite and an index entry.
 *   - A sync has three steps, so that one can serve many partitions: `beginSync` takes the dirty segments and the log's end;
 *     the disk works; `endSync` moves `durableOffset` there, or `dropSync` and `failSync` take the log offline.
 *   - A write that fails is cut off again. If even that fails, the log goes offline: its end is unknown.
 *   - Offline is for good: nothing is written, synced or called durable any more.
 */

import { fail } from "../../base/assert.ts";
import { ObeliskError } from "../../base/errors.ts";
import { KiB } from "../../base/units.ts";
import { batchLastOffsetDelta, batchMaxTimestamp, stampBatch } from "../../protocol/record/batch.ts";
import type {
  LogSegmentFacts,
  PartitionLog,
  RecordSpan,
  SegmentLimits,
  TimestampedOffset,
} from "../contract.ts";
import { lastOffsetFrom } from "../last-offset.ts";
import type { LeaderEpochs } from "../leader-epochs.ts";
import { BATCH_BYTES_MAX } from "../scan-range.ts";
import type { IndexFiles } from "./index-files.ts";
import { LogLocator } from "./locator.ts";
import { LogReads } from "./log-reads.ts";
import { LogSegments } from "./log-segments.ts";
import { LogStart } from "./log-start.ts";
import { LogUpkeep } from "./log-upkeep.ts";
import type { PooledFile } from "./pool.ts";
import type { Recovered } from "./recovery/recovery.ts";
import { RELATIVE_OFFSET_MAX, SEGMENT_BYTES_LIMIT, type Segment, UNINDEXED_BYTES_MAX } from "./segment.ts";
import { SegmentWriter } from "./segment-writer.ts";
import type { Snapshot } from "./snapshot.ts";
import { type Store, storageError } from "./store.ts";
import { type SyncTask, Unsynced } from "./sync/unsynced.ts";
import { writeOff } from "./sync/write-off.ts";

export const REMOVED_DETAIL = "the segment file was removed while it was in use";

/** What a start reads in less time than a stop takes to replace a small file: about 0.02 ms. */
const STOP_UNREAD_BYTES_MAX = 16 * KiB;

export class FileLog implements PartitionLog {
  readonly topic: string;
  readonly partition: number;
  onDurable: (() => void) | null = null;
  segmentLimits: SegmentLimits | null = null;
  onRoll: (() => void) | null = null;
  endOffset: number;
  leaderEpoch: number;
  bytesSinceCheckpoint: number;
  isOffline: boolean;
  readonly isReadable: boolean;
  /** Closed or removed: an error of a sync that is still in flight says nothing about the disk. */
  isDiscarded = false;
  readonly unsynced: Unsynced;
  readonly #store: Store;
  readonly #directory: string;
  readonly #segments: LogSegments;
  readonly #epochs: LeaderEpochs;
  readonly #locator: LogLocator;
  readonly #reads: LogReads;
  readonly #writer: SegmentWriter;
  readonly #upkeep: LogUpkeep;
  readonly #start: LogStart;
  /** No snapshot holds the leader epoch yet. */
  #isEpochNew: boolean;
  #writtenOff: Promise<void> | null = null;
  /** `isOffline` before it was abandoned. */
  #wasOffline = false;
  /** `firstAtMs` of the active segment in the last snapshot. */
  #storedFirstAtMs: number;

  constructor(store: Store, indexes: IndexFiles, topic: string, partition: number, recovered: Recovered) {
    this.topic = topic;
    this.partition = partition;
    this.#store = store;
    this.#directory = recovered.directory;
    const { segments } = recovered;
    const rolled = segments.filter((segment) => segment.isDirty && segment !== segments.at(-1));
    this.unsynced = new Unsynced(store.pool, recovered.durableOffset, rolled, recovered.directoriesToSync);
    this.#segments = new LogSegments(store, indexes, this.#directory, segments, this.unsynced);
    this.#epochs = recovered.epochs;
    this.#upkeep = new LogUpkeep(
      store,
      indexes,
      this.#directory,
      recovered.checkpoint,
      () => this.#facts(),
      ({ bytes }) => this.segmentLimits?.areShortLived === true && bytes <= UNINDEXED_BYTES_MAX,
    );
    this.#start = new LogStart(recovered.startOffset, this.#segments, this.#epochs, this.#upkeep);
    this.#writer = new SegmentWriter(store, indexes, this.#place(), (detail) => this.#goOffline(detail));
    this.#locator = new LogLocator(store, indexes, segments, () => this.#upkeep.requestSnapshot());
    this.#reads = new LogReads(store, indexes, this.#directory, segments, this.#locator, this);
    this.endOffset = this.#segments.active.endOffset;
    this.leaderEpoch = this.#epochs.current;
    this.isOffline = recovered.isUnreadable;
    this.isReadable = !recovered.isUnreadable;
    this.bytesSinceCheckpoint = recovered.bytesSinceCheckpoint;
    // The small files of a log that could not be opened stay as they are: they may be whole.
    if (!this.isReadable) this.#upkeep.stop();
    else {
      this.#sealRest();
      this.#start.resume();
    }
    this.#isEpochNew = recovered.isEpochNew;
    this.#storedFirstAtMs = recovered.storedFirstAtMs;
    if (recovered.needsSnapshot) this.#upkeep.oweSnapshot();
    else if (recovered.isEpochNew) this.#upkeep.oweSnapshotLater();
  }

  get bytes(): number {
    return this.#segments.bytes;
  }

  get startOffset(): number {
    return this.#start.offset;
  }

  get durableOffset(): number {
    return this.unsynced.durableOffset;
  }

  append(buffer: Buffer, position: number, end: number): number {
    if (this.isOffline) throw this.#refusal("the partition is offline after a storage error");
    const bytes = end - position;
    if (bytes > BATCH_BYTES_MAX)
      throw new ObeliskError("MESSAGE_TOO_LARGE", { bytes, limit: BATCH_BYTES_MAX });
    const lastOffsetDelta = batchLastOffsetDelta(buffer, position);
    if (!(lastOffsetDelta <= RELATIVE_OFFSET_MAX)) fail("a batch spans more offsets than a segment may");
    const baseOffset = this.endOffset;
    const lastOffset = lastOffsetFrom(this, lastOffsetDelta);
    if (
      this.#segments.mustRoll(bytes, lastOffset, this.segmentLimits?.segmentBytesMax ?? SEGMENT_BYTES_LIMIT)
    )
      this.#roll();
    const segment = this.#segments.active;
    stampBatch(buffer, position, baseOffset, this.leaderEpoch);
    this.#writer.write(segment, buffer, position, end);
    if (this.#isEpochNew) this.#recordEpoch();
    const index = segment.index ?? fail("the active segment has its index in memory");
    index.record(lastOffset - segment.baseOffset, segment.bytes, bytes, batchMaxTimestamp(buffer, position));
    if (segment.verifiedEnd === segment.bytes) segment.verifiedEnd = segment.bytes + bytes;
    if (segment.bytes === 0) segment.firstAtMs = this.#store.clock.steadyMs();
    segment.bytes += bytes;
    segment.endOffset = lastOffset + 1;
    this.unsynced.written(segment);
    this.endOffset = lastOffset + 1;
    this.#segments.bytes += bytes;
    this.bytesSinceCheckpoint += bytes;
    return baseOffset;
  }

  span(
    offset: number,
    limitOffset: number,
    bytesMax: number,
    atLeastOne: boolean,
  ): RecordSpan | Promise<RecordSpan> {
    return this.#reads.span(offset, limitOffset, bytesMax, atLeastOne);
  }

  offsetForTimestamp(
    timestampMs: number,
    limitOffset: number,
    isWanted?: () => boolean,
  ): Promise<TimestampedOffset | null> {
    return this.#reads.offsetForTimestamp(timestampMs, limitOffset, isWanted);
  }

  offsetOfMaxTimestamp(limitOffset: number, isWanted?: () => boolean): Promise<TimestampedOffset | null> {
    return this.#reads.offsetOfMaxTimestamp(limitOffset, isWanted);
  }

  epochAt(offset: number): number {
    return this.isReadable ? this.#epochs.at(offset) : -1;
  }

  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number } | null {
    return this.isReadable ? this.#epochs.endOffset(epoch, this.endOffset) : null;
  }

  get needsCheckpoint(): boolean {
    const isAgeStored = this.#storedFirstAtMs === this.#segments.active.firstAtMs;
    return this.bytesSinceCheckpoint > (isAgeStored ? STOP_UNREAD_BYTES_MAX : 0);
  }

  checkpoint(state: Buffer, offset: number): void {
    if (this.isOffline) return;
    if (offset !== this.endOffset) fail("a checkpoint tells of another place than the end of the log");
    this.#upkeep.checkpoint({ offset, ...this.#segments.end(), state: Buffer.from(state) });
    this.bytesSinceCheckpoint = 0;
    this.#advance();
  }

  truncate(offset: number): void {
    this.#reads.checkRange(offset);
    if (this.unsynced.isBusy) fail("a log cannot be truncated while it is being synced");
    const place = this.#locator.locateNow(offset);
    if (offset < this.endOffset && place.offset !== offset)
      fail("a log can be truncated only at a batch boundary");
    this.#cutAt(offset === this.endOffset ? this.#segments.active : place.segment, place.position, offset);
  }

  segmentAt(slot: number): LogSegmentFacts | null {
    return this.#segments.all[slot] ?? null;
  }

  largestTimestampAt(slot: number): number | Promise<number> {
    return this.#reads.largestTimestampOf(this.#segments.all[slot] ?? fail("there is no such segment"));
  }

  roll(): void {
    if (this.isOffline) throw this.#refusal("the partition is offline after a storage error");
    if (this.#segments.active.bytes > 0) this.#roll();
  }

  rollIfOld(): void {
    if (this.isOffline) return;
    const { bytes, firstAtMs } = this.#segments.active;
    if (bytes === 0) return;
    const limitMs = Math.min(
      this.#store.limits.segmentAgeMsMax,
      this.segmentLimits?.segmentAgeMsMax ?? Number.POSITIVE_INFINITY,
    );
    if (this.#store.clock.steadyMs() - firstAtMs < limitMs) return;
    try {
      this.#roll();
    } catch (thrown) {
      // A roll that failed is tried again at the next tick.
      if (!(thrown instanceof ObeliskError)) throw thrown;
    }
  }

  async dropBefore(offset: number): Promise<number> {
    this.#reads.checkReadable();
    if (this.isOffline) throw this.#refusal("the partition is offline after a storage error");
    if (offset > this.durableOffset)
      throw new ObeliskError("OFFSET_OUT_OF_RANGE", { ...this.#place(), offset });
    try {
      return await this.#start.dropBefore(offset);
    } catch (thrown) {
      const error = storageError(thrown, this.#place());
      if (error.code !== "DISK_FULL" || !this.#store.releaseSpace()) throw error;
      return await this.#start.dropBefore(offset).catch((again) => {
        throw storageError(again, this.#place());
      });
    }
  }

  /** The segment to sync when that is all there is to do, else null. */
  get onlyDirtySegment(): Segment | null {
    return this.unsynced.isAlone(this.#segments.active) ? this.#segments.active : null;
  }

  /** What is to be made durable now. Followed by exactly one `endSync`, or by `dropSync` and `failSync`. */
  beginSync(): SyncTask {
    if (this.isOffline) fail("a log that is offline is never synced");
    return this.unsynced.begin(this.#segments.active, this.endOffset);
  }

  /** @throws ObeliskError KAFKA_STORAGE_ERROR when the log went offline meanwhile, or a file that was synced has lost its name */
  checkSynced(task: SyncTask): void {
    if (this.isOffline) throw this.#refusal("the partition went offline during the sync");
    for (const segment of task.segments) {
      const removed = this.whyRemoved(segment);
      if (removed !== null) throw removed;
    }
  }

  /** All of the task is on disk. `checkSynced` comes before. */
  endSync(task: SyncTask): void {
    if (this.isOffline) fail("a log that is offline is never called durable");
    this.unsynced.end(task);
    this.#sealSynced();
    this.#advance();
  }

  /** The task has ended, and its outcome is unknown. */
  dropSync(task: SyncTask): void {
    this.unsynced.drop(task);
  }

  /** A sync failed: what the files hold is unknown until they are read again, here or at the next start (write-off.ts). */
  failSync(error: Error): void {
    this.#writtenOff ??= writeOff(this.#store, this.#segments.all);
    this.#goOffline(`a sync failed, the partition is offline: ${error.message}`);
  }

  /** The thread has made everything below `offset` durable. */
  syncedTo(offset: number): void {
    if (this.isOffline) fail("a log that is offline is never called durable");
    if (!this.unsynced.syncedTo(offset)) return;
    this.#advance();
    this.onDurable?.();
  }

  /**
   * A write-back failed somewhere on a file system, maybe here: only the files' own descriptors can tell. Until they have, pages that the
   * disk may not hold are evicted, so that neither readers nor the next process see them.
   */
  suspect(): void {
    this.#segments.suspect();
  }

  /** An error when the segment's open file was unlinked, so that what was synced is gone with this process; else null. */
  whyRemoved(segment: Segment): ObeliskError | null {
    const { descriptor } = segment.file;
    if (segment.isRemoved || descriptor < 0 || this.#store.files.identityOf(descriptor) !== null) return null;
    return this.#refusal(REMOVED_DETAIL, segment.logPath);
  }

  /** The file that the next append goes to. */
  get activeFile(): PooledFile {
    return this.#segments.active.file;
  }

  /** The files were moved or replaced: nothing more is written, what lies at their path may belong to another process. */
  lose(): void {
    this.isOffline = true;
    this.#upkeep.stop();
  }

  /** Rolls a segment that has become too old; on demand has all bytes verified again. Called at each tick. */
  tick(mustResetVerified: boolean): void {
    if (mustResetVerified) for (const segment of this.#segments.all) segment.resetVerified();
    if (this.isOffline) return;
    this.#sealRest();
    this.rollIfOld();
  }

  /** The directory must not be marked clean: the snapshot on disk lacks leader epochs that were assigned. */
  get owesSnapshot(): boolean {
    return this.#upkeep.owesSnapshot;
  }

  /** Waits for background writes, and closes the files. Sync first. */
  async close(): Promise<void> {
    if (!this.isOffline) {
      this.#sealRest();
      if (this.needsCheckpoint) this.#upkeep.touch();
      await this.#upkeep.close();
    }
    await this.discard();
  }

  /** The topic is being removed: nothing more is written. `discard` follows. */
  abandon(): void {
    if (!this.isDiscarded) this.#wasOffline = this.isOffline;
    this.isDiscarded = true;
    this.isOffline = true;
    this.#upkeep.stop();
  }

  /** The removal was undone, but a sync has failed: after a power cut the files may be under either name. */
  reclaim(error: Error): void {
    this.isDiscarded = false;
    this.isOffline = this.#wasOffline;
    this.failSync(error);
  }

  /** Closes the files without writing anything more; the log must not be used afterwards. */
  async discard(): Promise<void> {
    this.abandon();
    await this.#upkeep.idle();
    await this.#store.dropped.forget(this.#directory);
    await this.#writtenOff;
    await this.#segments.release();
  }

  /** A start may begin thousands of epochs: each is stored when its first record is written. */
  #recordEpoch(): void {
    this.#isEpochNew = false;
    this.#upkeep.requestSnapshot();
  }

  #advance(): void {
    if (this.#upkeep.advance(this.durableOffset, this.#segments.active)) void this.#start.checkpointed();
  }

  #roll(): void {
    if (this.#segments.active.endOffset !== this.endOffset) fail("a segment begins where the last one ends");
    this.#syncDirectories();
    try {
      this.#segments.roll();
    } catch (thrown) {
      throw storageError(thrown, this.#place(this.#segments.nextPath));
    }
    this.#sealSynced();
    this.onRoll?.();
  }

  /**
   * A segment's directory entry is durable before the next segment is created, so that a power cut cannot leave the later one alone. A
   * failed sync takes the log offline, as any does; one that could not be tried does not.
   */
  #syncDirectories(): void {
    const { files, pool } = this.#store;
    try {
      for (const path of this.unsynced.directories) pool.withRoom(path, () => files.syncDirectory(path));
    } catch (thrown) {
      const error = storageError(thrown, this.#place());
      if (!(thrown instanceof ObeliskError)) this.failSync(error);
      throw error;
    }
    this.unsynced.directoriesSynced();
  }

  #goOffline(detail: string): void {
    const wasOffline = this.isOffline;
    this.isOffline = true;
    if (!this.isDiscarded && !wasOffline) this.#store.report(this.#directory, 0, 0, "unreadable", detail);
  }

  /** Seals the rolled segments that are durable by now. */
  #sealSynced(): void {
    this.#upkeep.seal(this.unsynced.takeSealable());
  }

  /** And those whose sealing has failed before. */
  #sealRest(): void {
    this.#sealSynced();
    this.#upkeep.seal(this.#segments.unsealed());
  }

  /** What the snapshot holds beside the checkpoint. */
  #facts(): Omit<Snapshot, "checkpoint"> {
    this.#storedFirstAtMs = this.#segments.active.firstAtMs;
    return { startOffset: this.#start.stored, epochs: this.#epochs.starts, ...this.#segments.facts() };
  }

  #cutAt(segment: Segment, position: number, offset: number): void {
    this.#segments.removeAfter(segment);
    const end = offset === this.endOffset ? segment.bytes : position;
    this.#segments.bytes -= segment.bytes - end;
    this.#writer.cut(segment, end, offset);
    this.unsynced.remove(segment);
    this.endOffset = offset;
    this.unsynced.cutTo(offset);
    this.#epochs.truncate(offset);
    this.#upkeep.dropAfter(offset);
    this.#reads.reset();
    this.#upkeep.requestSnapshot();
  }

  #refusal(detail: string, file?: string): ObeliskError {
    return new ObeliskError("KAFKA_STORAGE_ERROR", { detail, ...this.#place(file) });
  }

  #place(file?: string): { topic: string; partition: number; file?: string } {
    const facts = { topic: this.topic, partition: this.partition };
    return file === undefined ? facts : { ...facts, file: this.#store.relative(file) };
  }
}
