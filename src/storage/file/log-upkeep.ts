/**
 * The small files beside one log: the indexes of rolled segments, the copy of the active one's index, the snapshot with its checkpoint.
 * All of it is written in the background, one after another, and none of it is needed: a start without it reads more of the log.
 *
 *     checkpoint requested ---> log synced up to it ---> copy of the active index ---> snapshot
 *
 *   - A checkpoint is written once the log is synced up to it, so that the snapshot never runs ahead.
 *   - A segment is sealed, its indexes written, once it is rolled and synced.
 */

import { errnoOf, ObeliskError } from "../../base/errors.ts";
import { copyIndex } from "./index-copies.ts";
import type { IndexFiles } from "./index-files.ts";
import type { Segment } from "./segment.ts";
import type { Checkpoint, Snapshot } from "./snapshot.ts";
import { SnapshotWriter } from "./snapshot-writer.ts";
import type { Store } from "./store.ts";

export class LogUpkeep {
  readonly #store: Store;
  readonly #indexes: IndexFiles;
  readonly #writer: SnapshotWriter;
  readonly #isUnstored: (segment: Segment) => boolean;
  /** The one that snapshots hold: the log is durable up to it. */
  #checkpoint: Checkpoint | null;
  #waiting: Checkpoint | null = null;
  /** In the snapshot that was written last, and in the last that is known to be durable. */
  #writtenCheckpoint: Checkpoint | null;
  #durableCheckpoint: Checkpoint | null;
  /** The segment whose index is copied with the next snapshot. */
  #uncopied: Segment | null = null;
  #isOwed = false;

  /** `facts`: what a snapshot holds beside the checkpoint, taken when it is written. `isUnstored`: a segment's index is not worth files. */
  constructor(
    store: Store,
    indexes: IndexFiles,
    directory: string,
    checkpoint: Checkpoint | null,
    facts: () => Omit<Snapshot, "checkpoint">,
    isUnstored: (segment: Segment) => boolean,
  ) {
    this.#isUnstored = isUnstored;
    this.#store = store;
    this.#indexes = indexes;
    this.#checkpoint = checkpoint;
    this.#writtenCheckpoint = checkpoint;
    this.#durableCheckpoint = checkpoint;
    this.#writer = new SnapshotWriter(store, directory, () => {
      this.#copyIndex();
      this.#writtenCheckpoint = this.#checkpoint;
      return { ...facts(), checkpoint: this.#checkpoint };
    });
  }

  /** Takes the place of one that still waits for its sync. `advance` follows. */
  checkpoint(checkpoint: Checkpoint): void {
    this.#waiting = checkpoint;
  }

  /** The log is durable up to `durableOffset`. True when a checkpoint waited for that, and is in the next snapshot. */
  advance(durableOffset: number, active: Segment): boolean {
    const waiting = this.#waiting;
    if (waiting === null || waiting.offset > durableOffset) return false;
    this.#waiting = null;
    if (this.#writer.isPending) {
      this.#tell(waiting, active);
      return true;
    }
    this.#writer.later(async () => {
      this.#tell(waiting, active);
      this.#writer.request();
    });
    return true;
  }

  /** The log was cut: no checkpoint after `offset` is true any more. */
  dropAfter(offset: number): void {
    if (this.#checkpoint !== null && this.#checkpoint.offset > offset) this.#checkpoint = null;
    this.#waiting = null;
  }

  /** Writes the indexes of segments that are rolled and synced. */
  seal(segments: readonly Segment[]): void {
    for (const segment of segments) if (this.#isUnstored(segment)) this.#indexes.sealUnstored(segment);
    const stored = segments.filter((segment) => !this.#isUnstored(segment));
    if (stored.length === 0) return;
    this.#writer.later(async () => {
      for (const segment of stored) {
        const { hasOldTimes } = segment;
        await this.#indexes.seal(segment);
        if (hasOldTimes) this.#writer.touch(); // the snapshot says which indexes are old
      }
    });
  }

  requestSnapshot(): void {
    this.#writer.request();
  }

  /** As `requestSnapshot`, for what the log alone does not tell: without it this must not count as a clean shutdown. */
  oweSnapshot(): void {
    this.#isOwed = true;
    this.#writer.request();
  }

  /** As `oweSnapshot`, with time until `requestSnapshot` or `close`. */
  oweSnapshotLater(): void {
    this.#isOwed = true;
    this.#writer.touch();
  }

  get owesSnapshot(): boolean {
    return this.#isOwed && this.#writer.isStale;
  }

  /** What a snapshot holds has changed, and that is not worth a write. */
  touch(): void {
    this.#writer.touch();
  }

  /** Resolves when a snapshot of the present state is durable. @throws system errors, ObeliskError KAFKA_STORAGE_ERROR */
  stored(): Promise<void> {
    return this.#writer.durable(() => {
      this.#durableCheckpoint = this.#writtenCheckpoint;
    });
  }

  /** The offset of the oldest checkpoint that a crash might find; infinite when it can find none. */
  get storedCheckpoint(): number {
    return (this.#durableCheckpoint ?? this.#writtenCheckpoint)?.offset ?? Number.POSITIVE_INFINITY;
  }

  /** Takes no more work; a write in flight is finished. */
  stop(): void {
    this.#writer.stop();
  }

  async idle(): Promise<void> {
    await this.#writer.idle();
  }

  /** Writes what the next start can use, if that is not on disk yet. */
  async close(): Promise<void> {
    await this.#writer.idle();
    this.#writer.requestIfStale();
    await this.#writer.idle();
  }

  /** Puts it into the next snapshot. Not before earlier requests are done: they may be what makes it true. */
  #tell(checkpoint: Checkpoint, active: Segment): void {
    this.#checkpoint = checkpoint;
    this.#uncopied = active;
  }

  /** It only speeds up the next start, so an error changes nothing. */
  #copyIndex(): void {
    const active = this.#uncopied;
    this.#uncopied = null;
    if (active === null || this.#isUnstored(active)) return;
    try {
      copyIndex(this.#store, active);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined && !(thrown instanceof ObeliskError)) throw thrown;
    }
  }
}
