/**
 * Leader epochs lie outside a batch's CRC, so they are compared with each other and with the snapshot's list.
 *
 *   before the checkpoint   the list is complete: each batch has the epoch that was in force at its offset
 *   after it                an epoch is at least that, not absurdly more, and none is larger than that of the batch after it
 */

import { BATCH_LEADER_EPOCH, batchBaseOffset, batchLeaderEpoch } from "../../protocol/record/batch.ts";
import type { Snapshot } from "../file/snapshot.ts";
import type { VerifySink } from "./sink.ts";

/** As recovery: a step beyond this is damage. */
const EPOCH_STEP_MAX = 1000;

export class EpochCheck {
  readonly #snapshot: Snapshot | null;
  readonly #checkpointOffset: number;
  readonly #sink: VerifySink;
  #lastEpoch = 0;
  #lastFile = "";
  #lastPosition = 0;

  constructor(snapshot: Snapshot | null, sink: VerifySink) {
    this.#snapshot = snapshot;
    this.#checkpointOffset = snapshot?.checkpoint?.offset ?? 0;
    this.#sink = sink;
  }

  batch(file: string, filePosition: number, buffer: Buffer, position: number): void {
    const epoch = batchLeaderEpoch(buffer, position);
    const offset = batchBaseOffset(buffer, position);
    const inForce = this.#epochAt(offset);
    const place = filePosition + BATCH_LEADER_EPOCH;
    const isBeforeCheckpoint = inForce !== null && offset < this.#checkpointOffset;
    const least = inForce ?? 0;
    const isWrong = isBeforeCheckpoint ? epoch !== inForce : epoch < least || epoch > least + EPOCH_STEP_MAX;
    if (isWrong) this.#sink.reportEpoch(file, place, epoch, least);
    else if (epoch < this.#lastEpoch) {
      this.#sink.reportEpoch(this.#lastFile, this.#lastPosition, this.#lastEpoch, epoch);
    }
    this.#lastEpoch = isWrong ? least : epoch;
    this.#lastFile = file;
    this.#lastPosition = place;
  }

  /** Null when the list does not reach back so far. */
  #epochAt(offset: number): number | null {
    return this.#snapshot?.epochs.findLast(({ startOffset }) => startOffset <= offset)?.epoch ?? null;
  }
}
