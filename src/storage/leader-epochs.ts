/**
 * Which leader epoch began at which offset, for clients that must find out whether the log that they read from has
 * been cut since (KIP-320). Epochs and offsets both rise; an epoch ends where the next one starts, the last at the
 * log's end. A cut starts a new epoch, so the list has one entry for each time that something was lost.
 */

export interface LeaderEpochStart {
  epoch: number;
  startOffset: number;
}

/** Older entries are dropped beyond this: clients that far behind read from the start of the log anyway. */
export const LEADER_EPOCHS_MAX = 1000;

export class LeaderEpochs {
  #starts: LeaderEpochStart[];

  constructor(starts: readonly LeaderEpochStart[] = []) {
    this.#starts = starts.map((start) => ({ ...start }));
  }

  /** The epoch for new batches; 0 for a log that has none yet. */
  get current(): number {
    return this.#starts.at(-1)?.epoch ?? 0;
  }

  get starts(): readonly LeaderEpochStart[] {
    return this.#starts;
  }

  /** Records that batches of `epoch` begin at `startOffset`. An epoch that is not newer than the last is ignored. */
  record(epoch: number, startOffset: number): void {
    const last = this.#starts.at(-1);
    if (last !== undefined && epoch <= last.epoch) return;
    if (last !== undefined && last.startOffset === startOffset) this.#starts.pop();
    this.#starts.push({ epoch, startOffset });
    if (this.#starts.length > LEADER_EPOCHS_MAX) this.#starts.shift();
  }

  /** Starts the next epoch at `startOffset`. */
  bump(startOffset: number): void {
    this.record(this.current + 1, startOffset);
  }

  /** Drops what lies at and after `endOffset`. The epoch in force there stays, so that numbers never fall. */
  truncate(endOffset: number): void {
    const current = this.current;
    this.#starts = this.#starts.filter((start) => start.startOffset < endOffset);
    if (current > this.current || this.#starts.length === 0) this.record(current, endOffset);
  }

  /** Drops epochs that ended at or before `startOffset`; the one in force there begins with it from now on, as in Kafka. */
  dropBefore(startOffset: number): void {
    while (this.#starts.length > 1 && this.#starts[1]!.startOffset <= startOffset) this.#starts.shift();
    const first = this.#starts[0];
    if (first !== undefined && first.startOffset < startOffset) first.startOffset = startOffset;
  }

  /** The epoch in force at `offset`; -1 when it was dropped. */
  at(offset: number): number {
    return this.#starts.findLast((start) => start.startOffset <= offset)?.epoch ?? -1;
  }

  /** The largest epoch not above `epoch`, and where it ended; null for none (-1) and one that has not begun. */
  endOffset(epoch: number, logEndOffset: number): { leaderEpoch: number; endOffset: number } | null {
    if (epoch === -1 || epoch > this.current) return null;
    const next = this.#starts.findIndex((start) => start.epoch > epoch);
    if (next === -1) return { leaderEpoch: this.current, endOffset: logEndOffset };
    const found = next === 0 ? epoch : this.#starts[next - 1]!.epoch;
    return { leaderEpoch: found, endOffset: this.#starts[next]!.startOffset };
  }
}
