/**
 * Where one log starts, and how that moves up.
 *
 *     dropBefore(n) -> n is in the snapshot, durably -> `offset` is n -> segments wholly below it leave
 *
 *   - Nobody sees a start before it is stored, so no crash brings back one that somebody was told. A start that is stored and not told
 *     counts after a crash.
 *   - A segment leaves when the stored checkpoint lies behind it as well: the owner's state is made of what is stored there and of all
 *     batches after it, and would miss those of a segment that is gone. Without a checkpoint the state is made of what is left.
 *   - Segments that a crash has kept from leaving lie below the start, and leave at the next start (recovery) or checkpoint.
 */

import { ObeliskError } from "../../base/errors.ts";
import type { LeaderEpochs } from "../leader-epochs.ts";
import type { LogSegments } from "./log-segments.ts";
import type { LogUpkeep } from "./log-upkeep.ts";

export class LogStart {
  /** What everybody is told. */
  offset: number;
  /** What the next snapshot holds. */
  stored: number;
  readonly #segments: LogSegments;
  readonly #epochs: LeaderEpochs;
  readonly #upkeep: LogUpkeep;
  #isLeaving = false;

  constructor(offset: number, segments: LogSegments, epochs: LeaderEpochs, upkeep: LogUpkeep) {
    this.offset = offset;
    this.stored = offset;
    this.#segments = segments;
    this.#epochs = epochs;
    this.#upkeep = upkeep;
  }

  /** As `PartitionLog.dropBefore`; the range was checked. @throws system errors, ObeliskError KAFKA_STORAGE_ERROR */
  async dropBefore(offset: number): Promise<number> {
    if (offset <= this.offset) {
      this.#leave(); // what was rolled since
      return this.offset;
    }
    this.stored = Math.max(this.stored, offset);
    await this.#upkeep.stored();
    if (offset > this.offset) {
      this.offset = offset;
      this.#epochs.dropBefore(offset);
    }
    this.#leave();
    return this.offset;
  }

  /** A checkpoint is in the next snapshot: what it covers leaves when that is durable. */
  async checkpointed(): Promise<void> {
    if (!this.#isLeaving) return;
    try {
      await this.#upkeep.stored();
      this.#leave();
    } catch (thrown) {
      // It was reported where it happened, and the next checkpoint tries again.
      if (!(thrown instanceof Error) || (!("code" in thrown) && !(thrown instanceof ObeliskError)))
        throw thrown;
    }
  }

  /** Recovery has found segments that wait for a checkpoint. */
  resume(): void {
    this.#isLeaving = this.#hasLeavers();
  }

  #leave(): void {
    this.#segments.dropBefore(Math.min(this.offset, this.#upkeep.storedCheckpoint));
    this.#isLeaving = this.#hasLeavers();
  }

  #hasLeavers(): boolean {
    const { all } = this.#segments;
    return all.length > 1 && all[0]!.endOffset <= this.offset;
  }
}
