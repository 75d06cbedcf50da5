/**
 * Scans a place in a segment that does not hold the batch that must come next. What is damaged is copied into quarantine and becomes a
 * hole; the result is where the next valid batch lies.
 *
 *   at once   nearly always: the damage is a batch or some pages
 *   later     in slices, between which other work of the loop runs. The segment may be gone when it is over, or another reader may
 *             have found a hole there: the result counts only while nothing has changed
 *
 * A read error, and a copy that cannot be stored, go to the caller: no hole is recorded.
 */

import { fail } from "../../base/assert.ts";
import { ObeliskError } from "../../base/errors.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { MiB } from "../../base/units.ts";
import { batchBaseOffset } from "../../protocol/record/batch.ts";
import { Scan } from "../scan.ts";
import type { Segment } from "./segment.ts";
import type { Quarantined, Store } from "./store.ts";

/** What a repair at once may cost, in nanoseconds as the scan counts them. */
const NOW_WORK = 5_000_000;
/** Between two looks at the clock. */
const STEP_WORK = 500_000;
/** What is copied at once. */
const COPIED_NOW_BYTES_MAX = 1 * MiB;

interface Damage {
  readonly position: number;
  readonly bytes: number;
  readonly reason: string;
}

/** Thrown where a repair takes longer than a turn of the loop: whoever waits for its end finds holes in place of the damage. */
export class RepairedLater extends Error {
  readonly segment: Segment;
  readonly whenRepaired: Promise<void>;

  constructor(segment: Segment, whenRepaired: Promise<void>) {
    super("damage is being repaired");
    this.segment = segment;
    this.whenRepaired = whenRepaired;
  }
}

export class RangeRepair {
  readonly segment: Segment;
  /** The place after the damage, as far as it was scanned. An offset of -1: damage has hidden it. */
  position: number;
  offset: number;
  readonly #store: Store;
  readonly #onHole: () => void;
  readonly #start: number;
  readonly #end: number;
  readonly #scan: Scan;
  readonly #damage: Damage[] = [];
  #damagedBytes = 0;
  #validEnd = -1;

  /** Of the stretch from `position`, where `offset` should be, to the next known hole. */
  constructor(store: Store, segment: Segment, position: number, offset: number, onHole: () => void) {
    this.#store = store;
    this.segment = segment;
    this.position = position;
    this.offset = offset;
    this.#onHole = onHole;
    this.#start = position;
    this.#end = segment.holeFrom(position)?.position ?? segment.bytes;
    const range = {
      start: position,
      end: this.#end,
      offset,
      offsetLimit: segment.endOffset,
      allowsGaps: true,
    };
    this.#scan = new Scan(store.files, this.#descriptor, range, {
      batch: (buffer, at, end, filePosition) => {
        this.position = filePosition;
        this.offset = batchBaseOffset(buffer, at);
        this.#validEnd = filePosition + end - at;
        return false;
      },
      damage: (at, bytes, reason) => {
        if (!(at >= range.start && at + bytes <= range.end)) fail("a hole lies within its segment");
        this.#damage.push({ position: at, bytes, reason });
        this.#damagedBytes += bytes;
        this.position = at + bytes;
        this.offset = -1;
      },
    });
  }

  /** False when it would take longer than a turn may: then nothing has been recorded, and `later` is to follow. @throws ObeliskError, system errors */
  now(): boolean {
    if (!this.#scan.run(NOW_WORK) || this.#damagedBytes > COPIED_NOW_BYTES_MAX) return false;
    this.atOnce();
    return true;
  }

  /** However long it takes. @throws ObeliskError, system errors */
  atOnce(): void {
    this.#scan.run(Number.POSITIVE_INFINITY);
    const { logPath } = this.segment;
    for (const damage of this.#damage) {
      const { position, bytes, reason } = damage;
      this.#record(damage, this.#store.quarantine(logPath, this.#descriptor, position, bytes, reason));
    }
    this.#recordValid();
  }

  /** In slices, each in a turn of its own. @throws ObeliskError, system errors */
  async later(): Promise<void> {
    const { segment } = this;
    loopTurns.enter("repair");
    const share = new TurnShare(this.#store.clock);
    do {
      if (share.isUsedUp) await share.rest();
      if (this.#isOutdated(segment)) return;
    } while (!this.#scan.run(STEP_WORK));
    await share.rest();
    for (const damage of this.#damage) {
      const { position, bytes, reason } = damage;
      const { logPath } = segment;
      const copied = await this.#store.quarantineLater(logPath, this.#descriptor, position, bytes, reason);
      if (this.#isOutdated(segment)) return;
      this.#record(damage, copied);
    }
    this.#recordValid();
  }

  /** A file that was removed is not opened again: another one may have its name. */
  readonly #descriptor = (): number => {
    if (this.segment.isRemoved)
      throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail: "the log was removed" });
    return this.#store.pool.use(this.segment.file);
  };

  /** Removed, cut, or repaired by another reader meanwhile. */
  #isOutdated({ isRemoved, bytes, holes }: Segment): boolean {
    if (isRemoved || bytes < this.#end) return true;
    const isMine = (position: number) => this.#damage.some((damage) => damage.position === position);
    return holes.some(
      (hole) =>
        hole.position < this.#end && hole.position + hole.bytes > this.#start && !isMine(hole.position),
    );
  }

  #record({ position, bytes, reason }: Damage, { outcome, refusal }: Quarantined): void {
    if (refusal !== null) throw refusal;
    this.#store.report(this.segment.logPath, position, bytes, "damaged-batch", reason + outcome);
    this.segment.addHole({ position, bytes });
    this.#onHole();
  }

  #recordValid(): void {
    if (this.#validEnd !== -1) this.segment.recordVerified(this.position, this.#validEnd);
  }
}
