/**
 * The segments of one log: which there are, which takes the next append, and how the list changes.
 *
 *     all   [ sealed ][ sealed ][ rolled, waits for a sync ][ active ]
 *             ^ dropBefore takes from here                    ^ roll adds after it, removeAfter takes from here
 *
 *   - There is at least one, in the order of their base offsets; the last one is active.
 *   - A segment that leaves the list is no longer indexed or synced, and its file is closed when the last read or sync of it ends.
 *   - `bytes` is what all of them hold together.
 */

import { fail } from "../../base/assert.ts";
import { nextTurn } from "../../base/loop/turns.ts";
import type { IndexFiles } from "./index-files.ts";
import { logPathOf, RELATIVE_OFFSET_MAX, removeSegmentFiles, Segment } from "./segment.ts";
import { SegmentIndex } from "./segment-index.ts";
import type { Checkpoint, Snapshot } from "./snapshot.ts";
import type { Store } from "./store.ts";
import type { Unsynced } from "./sync/unsynced.ts";

/** Segments that are released in one turn: about 2 ms. */
const RELEASED_A_TURN = 512;

export class LogSegments {
  /** Read by others, changed only here. */
  readonly all: Segment[];
  active: Segment;
  bytes = 0;
  readonly #store: Store;
  readonly #indexes: IndexFiles;
  readonly #directory: string;
  readonly #unsynced: Unsynced;

  constructor(store: Store, indexes: IndexFiles, directory: string, segments: Segment[], unsynced: Unsynced) {
    this.#store = store;
    this.#indexes = indexes;
    this.#directory = directory;
    this.#unsynced = unsynced;
    this.all = segments;
    this.active = segments.at(-1) ?? fail("a partition has at least one segment");
    for (const segment of segments) this.bytes += segment.bytes;
  }

  /** Whether a batch of `bytes` bytes that ends with `lastOffset` needs a new segment; `bytesMax` is the owner's limit. */
  mustRoll(bytes: number, lastOffset: number, bytesMax: number): boolean {
    const { bytes: used, baseOffset } = this.active;
    if (used === 0) return false;
    if (used + bytes > Math.min(this.#store.limits.segmentBytesMax, bytesMax)) return true;
    return lastOffset - baseOffset > RELATIVE_OFFSET_MAX;
  }

  /** Where `roll` makes the next segment. */
  get nextPath(): string {
    return logPathOf(this.#directory, this.active.endOffset);
  }

  /** Makes a new active segment after the present one. @throws system errors, ObeliskError KAFKA_STORAGE_ERROR; then nothing has changed */
  roll(): void {
    const index = SegmentIndex.growing(this.#store.limits.indexIntervalBytes);
    const file = this.#store.pool.create(this.nextPath);
    const next = new Segment(this.#directory, this.active.endOffset, file, index);
    this.#unsynced.roll(this.active, this.#directory);
    this.all.push(next);
    this.active = next;
  }

  /** Takes out the segments that end at or before `offset`, but never the last one. Their files go in the background. */
  dropBefore(offset: number): void {
    let count = 0;
    while (count < this.all.length - 1 && this.all[count]!.endOffset <= offset) count += 1;
    if (count === 0) return;
    for (const segment of this.all.splice(0, count)) {
      this.#takeOut(segment);
      this.#store.dropped.add(segment);
    }
  }

  /** Takes out the segments after `segment`, which becomes active, and removes their files, the last one first. @throws system errors */
  removeAfter(segment: Segment): void {
    while (this.all.at(-1) !== segment) {
      const last = this.all.pop() ?? fail("a log is cut in one of its segments");
      this.#detach(last);
      removeSegmentFiles(this.#store.files, last);
    }
    this.active = segment;
  }

  /** Those whose indexes are still in memory although nothing waits for a sync any more: their sealing has failed before. */
  unsealed(): Segment[] {
    return this.all.filter(
      (segment) => segment.index !== null && segment !== this.active && !this.#unsynced.hasRolled(segment),
    );
  }

  /** The place in the active segment where the log ends. */
  end(): Omit<Checkpoint, "offset" | "state"> {
    const { baseOffset, bytes, index } = this.active;
    const { maxTimestamp, maxTimestampOffset } = index ?? fail("the active segment has its index in memory");
    return { segment: baseOffset, position: bytes, maxTimestamp, maxTimestampOffset };
  }

  /** Files that are not open have no unsynced pages. */
  suspect(): void {
    for (const segment of this.all) {
      if (segment.file.descriptor < 0) continue;
      segment.isSuspect = true;
      this.#store.files.evict(segment.file.descriptor);
    }
  }

  /** What the snapshot holds of them. */
  facts(): Pick<Snapshot, "firstAtMs" | "timesFrom" | "holes"> {
    const lastOld = this.all.findLast((segment) => segment.hasOldTimes);
    return {
      firstAtMs: this.active.firstAtMs,
      timesFrom: lastOld === undefined ? 0 : lastOld.endOffset,
      holes: this.all.flatMap((segment) =>
        segment.holes.map((hole) => ({ segment: segment.baseOffset, ...hole })),
      ),
    };
  }

  /** Closes all files, some in each turn of the loop. */
  async release(): Promise<void> {
    for (const [slot, segment] of this.all.entries()) {
      if (slot % RELEASED_A_TURN === RELEASED_A_TURN - 1) await nextTurn();
      this.#indexes.evict(segment);
      segment.release(this.#store.pool);
    }
  }

  #detach(segment: Segment): void {
    this.#takeOut(segment);
    segment.release(this.#store.pool);
  }

  #takeOut(segment: Segment): void {
    this.#unsynced.remove(segment);
    this.#indexes.evict(segment);
    this.bytes -= segment.bytes;
  }
}
