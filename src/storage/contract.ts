/**
 * What the broker requires of a storage engine, and nothing more. Two engines implement it today (file/, memory/); one
 * conformance suite (test/storage/conformance) runs against each. A log has one writer, and gives an offset at once; what assigns
 * offsets later, or for several brokers, is no log but another `Partition` (broker/partition.ts).
 *
 * Offsets of one partition
 *
 *     startOffset            durableOffset        endOffset
 *         v                        v                  v
 *     ----[======= on disk ========][=== written ====]      next batch goes here
 *
 *   - `append` is synchronous and writes whole batches; a failed append leaves the log as it was.
 *   - `durableOffset` moves when `StorageEngine.sync` has run, and whenever else the engine knows more (`onDurable`): in steps of a sync,
 *     or while none runs. The broker decides what readers may see.
 *   - A log is opened with `durableOffset` below `endOffset` when what lies between them may not be on disk. Nobody may see or
 *     acknowledge it before a sync (recovered-logs.ts).
 *   - A log whose sync failed is offline for good: every later append or sync throws KAFKA_STORAGE_ERROR.
 *   - Batches are opaque bytes here, except for the header fields that record/batch.ts names. They were validated.
 *
 * `producers` is the broker's own idempotence state, opaque to the engine: `checkpoint` stores it with the place in the
 * log up to which it is true, and `open` gives it back together with the header of every batch after that place.
 */

import type { ByteSource } from "../base/byte-source.ts";

/** What a log tells its owner while it opens. Called before `open` resolves, in the order of the log. */
export interface RecoveryListener {
  /**
   * The state given to the last surviving checkpoint. Not called when there is none.
   * @throws ObeliskError when it does not decode: everything that the log holds is replayed then
   */
  restore(state: Buffer): void;
  /** A batch after that checkpoint lies whole in `buffer[position, end)`. The buffer is only lent. */
  replay(buffer: Buffer, position: number, end: number): void;
  /** The log ends at `offset`, before that checkpoint: what `restore` said of batches after it is about records that are gone. */
  lost(offset: number): void;
}

/** Damage or an act of recovery, with its place. `kind` is a stable word; `detail` is for people. */
export interface Finding {
  file: string;
  position: number;
  bytes: number;
  kind: FindingKind;
  detail: string;
}

/** Called for each finding as it is made; `isKept` is false when there are too many to keep, and the listener had better be brief. */
export type FindingListener = (finding: Finding, isKept: boolean) => void;

export type FindingKind =
  /** The last batch of the active segment is incomplete: a write that was never acknowledged. */
  | "torn-tail"
  /** Bytes in the middle that are not a valid batch. */
  | "damaged-batch"
  /** Offsets that no batch covers although the log goes on after them. */
  | "offset-gap"
  /** A batch's leader epoch, which its CRC does not cover, is not the one that was in force. */
  | "wrong-epoch"
  /** An index entry that does not point to the batch it names, or a file of a wrong length. */
  | "damaged-index"
  | "missing-index"
  | "damaged-snapshot"
  | "damaged-state"
  /** A Go Obelisk file whose frames do not decode. */
  | "damaged-frame"
  /** A file or directory that the system refuses to open, read, write, cut or delete; what lies in it is offline. */
  | "unreadable"
  /** A file that belongs to nothing. */
  | "unknown-file"
  /** A partition that was there, and whose directory, or everything in it, is gone. */
  | "missing-partition"
  /** No damage: a batch is as it was acknowledged, and its records do not decode. */
  | "garbled-records"
  /** No damage: a batch is valid, and its records inflate beyond a limit of ours, or by a codec that is not here. */
  | "unopened-records";

export interface TimestampedOffset {
  offset: number;
  timestampMs: number;
  leaderEpoch: number;
}

/** Whole batches that are known to be valid, and are read as they are sent. */
export interface RecordSpan extends ByteSource {
  /** An offset in the first batch. */
  readonly baseOffset: number;
  /** The offset after the last of them; of none the one that was requested. */
  readonly nextOffset: number;
}

/** When the active segment is rolled: before it grows over the size, and at the age. Read each time, so it may change under way. */
export interface SegmentLimits {
  readonly segmentBytesMax: number;
  readonly segmentAgeMsMax: number;
  /** Segments are small and leave soon: their indexes are not worth files. */
  readonly areShortLived: boolean;
}

/** What a log gives up as a whole. */
export interface LogSegmentFacts {
  /** The offset after it. */
  readonly endOffset: number;
  readonly bytes: number;
}

export interface PartitionLog {
  readonly topic: string;
  readonly partition: number;
  readonly startOffset: number;
  readonly durableOffset: number;
  /** Set by the owner: called each time `durableOffset` has moved otherwise than by a `sync` that has ended. At any time. */
  onDurable: (() => void) | null;
  readonly endOffset: number;
  /** Written into every appended batch; bumped when recovery cut something off. */
  readonly leaderEpoch: number;
  /** Bytes of record batches stored. */
  readonly bytes: number;
  /** Set by the owner: what counts beside the engine's own limits. null: nothing. */
  segmentLimits: SegmentLimits | null;
  /** Set by the owner: called each time a segment has been rolled. */
  onRoll: (() => void) | null;
  readonly isOffline: boolean;
  /** False when the log could not be opened: then it is offline, and no bound of it means anything. */
  readonly isReadable: boolean;

  /**
   * Appends one validated batch `buffer[position, end)`, patching its base offset and leader epoch in place (both lie
   * outside the CRC), and returns the base offset. The buffer is not kept.
   * @throws ObeliskError DISK_FULL, KAFKA_STORAGE_ERROR, MESSAGE_TOO_LARGE (scan.ts), POLICY_VIOLATION (last-offset.ts); the log is
   *   then unchanged
   */
  append(buffer: Buffer, position: number, end: number): number;

  /**
   * Whole batches from the one that contains `offset`, stopping before `limitOffset`, as many as fit into `bytesMax` (an engine may
   * return less: the file engine stops at the end of a segment); the first even if it alone is larger when `atLeastOne`. Empty when
   * there is nothing between. Damaged bytes in the middle are skipped: the span then starts at the next valid batch. Batches are
   * checked now, and read when the span is; then too the read can fail, or they can be gone with their topic. Returns the span at
   * once when it can, else a promise.
   * @throws ObeliskError OFFSET_OUT_OF_RANGE when `offset` is below `startOffset` or above `endOffset`
   */
  span(
    offset: number,
    limitOffset: number,
    bytesMax: number,
    atLeastOne: boolean,
  ): RecordSpan | Promise<RecordSpan>;

  /**
   * The first record with a timestamp of `timestampMs` or later, below `limitOffset`; null when there is none. May be long work: once
   * `isWanted` returns false, nobody waits for it any more, and it ends with null.
   */
  offsetForTimestamp(
    timestampMs: number,
    limitOffset: number,
    isWanted?: () => boolean,
  ): Promise<TimestampedOffset | null>;
  /** The first record that carries the largest timestamp below `limitOffset`; null when empty. `isWanted` as above. */
  offsetOfMaxTimestamp(limitOffset: number, isWanted?: () => boolean): Promise<TimestampedOffset | null>;
  /** The leader epoch of what lies, or would be appended, at `offset`; -1 when it is not known any more. */
  epochAt(offset: number): number;
  /** For KIP-320: the largest epoch not above `epoch`, and the offset where it ended; null when unknown. */
  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number } | null;

  /**
   * Stores the owner's state: what is true when everything below `offset` is durable. So it is kept when that is so, and the next open
   * gives it back, and replays what lies at and after `offset`. `offset` is where the log ends now: the place of no other is known.
   * Cheap enough for each segment roll, not for each batch.
   */
  checkpoint(state: Buffer, offset: number): void;
  /** Batches (bytes) appended since the last checkpoint: what a crash would have to scan. */
  readonly bytesSinceCheckpoint: number;
  /** Whether a graceful shutdown had better checkpoint: without it the next start would read more than the writing is worth. */
  readonly needsCheckpoint: boolean;

  /** Takes the log offline for good, because it cannot be trusted any more; nothing is written beside it either. */
  lose(): void;

  /** Removes everything at and after `offset` (a batch boundary). For tests and repair. */
  truncate(offset: number): void;

  /** The segments, the oldest is 0 and the last one active; null where there is none. O(1) */
  segmentAt(slot: number): LogSegmentFacts | null;
  /** The largest timestamp in it, or an upper bound; -1: its records have none. At once where it is known. */
  largestTimestampAt(slot: number): number | Promise<number>;
  /** Begins a new segment, unless the active one is empty. @throws ObeliskError DISK_FULL, KAFKA_STORAGE_ERROR; then nothing has changed */
  roll(): void;
  /** The same, when the active one has come to the age limit. O(1) when not. */
  rollIfOld(): void;
  /**
   * Moves `startOffset` up to `offset`, which any offset below the durable end may be, and resolves with the start when it is durable:
   * nobody sees it before, and no crash brings back an older one. What lies wholly below it leaves afterwards, in the background and as
   * far as a checkpoint covers it; what the owner wants to remember of it is to be in a checkpoint before.
   * @throws ObeliskError OFFSET_OUT_OF_RANGE above `durableOffset`, KAFKA_STORAGE_ERROR, DISK_FULL; whether it moves is then unknown
   */
  dropBefore(offset: number): Promise<number>;
}

/** The room for records, and what is kept of it. */
export interface StorageSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** How many more files there may be. */
  readonly freeFiles: number;
  /** Kept for a start on a full disk. */
  readonly reservedBytes: number;
}

export interface StorageEngine {
  /**
   * Opens or creates a partition and recovers it. Never fails because of damage: it reports findings. `mustExist`: it was there
   * before, so that nothing there is a finding.
   */
  open(
    topic: string,
    partition: number,
    listener: RecoveryListener,
    mustExist?: boolean,
  ): Promise<PartitionLog>;
  /** How many logs whose durable offset is below their end may wait for their first sync: each may keep a file open. */
  readonly recoveredMax: number;
  /** Partitions found in the store: what a lost state file is rebuilt from. */
  stored(): { topic: string; partitions: number }[];
  /**
   * Makes everything appended so far to these logs durable and moves their `durableOffset`. A log whose sync fails goes
   * offline, and is among those returned. One sync at a time; the caller waits for it before the next.
   */
  sync(logs: readonly PartitionLog[]): Promise<readonly PartitionLog[]>;
  /**
   * Makes room for a new topic's partitions; they are opened next.
   * @throws ObeliskError DISK_FULL, KAFKA_STORAGE_ERROR; nothing is left then
   */
  create(topic: string, partitions: number): Promise<void>;
  /**
   * Takes a topic with all its partitions away, at once and for good; their logs are offline. Needs no room. It has happened when the
   * call returns, and is durable when the promise resolves; one that is rejected has taken it back, and the logs are offline. What
   * follows are `discard`, whatever else belongs to the topic, and `release`.
   * @throws ObeliskError KAFKA_STORAGE_ERROR, DISK_FULL from the call itself; then nothing has happened
   */
  detach(topic: string): Promise<void>;
  /** Gives back the room that a detached topic takes, as far as that is possible. */
  discard(topic: string): Promise<void>;
  /** The name of a detached topic may be used again. @throws ObeliskError KAFKA_STORAGE_ERROR, DISK_FULL */
  release(topic: string): Promise<void>;
  /** Topics that are detached and not released: before the first `open`, what a crash has interrupted. */
  detached(): string[];
  /** What recovery found and did since the engine was opened; the first ones, when there are very many. */
  readonly findings: readonly Finding[];
  /** How many there were in all. */
  readonly findingCount: number;
  /** Files that are open to be written and read. */
  readonly openFiles: number;
  readonly state: StateStore;
  /** Why nothing more can be stored until the next start, whatever is done; null as long as things are in order. */
  readonly loss: string | null;
  /** Files beside the logs that wait to be written: what a stop may wait for. */
  readonly filesToWrite: number;
  /** Where records go; undefined when there is no such bound, or it cannot be queried. */
  space(): StorageSpace | undefined;
  /** Syncs, seals the indexes and sets the clean-shutdown flag. */
  close(): Promise<void>;
}

/**
 * A value with the number of its last change. Each change takes a number, a removal too; they ascend over the whole store and never
 * come again, so that an entry which was removed and created again is told from what it was.
 */
export interface StateEntry {
  key: string;
  value: string;
  version: number;
}

export interface StateChange {
  key: string;
  /** null removes the entry. */
  value: string | null;
  /** Only if the entry has this version now (0: only if there is none). Left out: in any case. */
  expectedVersion?: number;
}

/** What an entry has become. */
export interface StateUpdate {
  readonly key: string;
  /** null: there is no such entry. */
  readonly value: string | null;
  /** The number of the change, also of one that removed the entry. */
  readonly version: number;
}

/** Whoever keeps a view of what begins with a prefix. It is told in the turn of others, and returns at once. */
export interface StateListener {
  /** In the order of their versions, which are above all that were told before. Of several changes of an entry the last is enough. */
  changed(updates: readonly StateUpdate[]): void;
  /** Changes were not told: they were too many, or a connection to the store was interrupted. What is known is to be listed again. */
  listAgain(): void;
}

export interface StateWatch {
  /** Nothing is told any more, from this call on. May be called again. */
  cancel(): void;
}

/**
 * Small, precious things: topics and their settings, group offsets, producer ids. Keys are paths ("topic/NAME",
 * "offset/GROUP/TOPIC/PARTITION"); values are JSON texts. Durable when `change` resolves.
 */
export interface StateStore {
  /** Why no change is taken any more, until the next start; null while they are. */
  readonly refusal: string | null;
  get(key: string): Promise<StateEntry | null>;
  /** Entries whose key starts with `prefix`, in the order of their keys. */
  list(prefix: string): Promise<StateEntry[]>;
  /** The same, at most `countMax`, after the last key of the page before (`after`, "" at first): for what may be a great many. */
  page(prefix: string, after: string, countMax: number): Promise<StateEntry[]>;
  /** All changes or none: false on a version mismatch in one of them. Calls that arrive together share a transaction. */
  change(changes: readonly StateChange[]): Promise<boolean>;
  /**
   * Tells of each change of what begins with `prefix` that becomes durable from now on, whoever made it: this process's own are told
   * as well, before or after their `change` resolves. Never of one that may still be lost.
   *
   * To keep a view: watch, then list, and list again when told so. What is told while a listing is under way wins against it where
   * its version is the larger one. A listener that throws is not told anything more (state-watches.ts).
   */
  watch(prefix: string, listener: StateListener): StateWatch;
  close(): Promise<void>;
}
