/**
 * Descriptors that are held so that there are some when the system has none left: what needs one for a moment or for a small file
 * (a directory that is synced, a snapshot that is replaced, a segment that is rolled) gets one of these instead of a failure.
 *
 *   - Held from the start, when there are enough, and so with low numbers: they are good also when the limit is lowered later.
 *   - One is lent at a time, and taken again as soon as the system has one (`refill`).
 *   - One may be left to the system on purpose, so that connections can be accepted in order to be refused (`leaveOne`).
 */

import { errnoOf } from "../errors.ts";
import type { Files } from "../files.ts";

const ALWAYS_THERE = "/dev/null";

export class SpareDescriptors {
  readonly #files: Pick<Files, "open" | "close">;
  readonly #held: number[] = [];
  #count = 0;
  /** One is left to the system: `close` of another descriptor does not take it again. */
  #isLeaving = false;

  /** `files`: without spares of its own. */
  constructor(files: Pick<Files, "open" | "close">) {
    this.#files = files;
  }

  /** Whether somebody has one that is held again when there is one. */
  get isLent(): boolean {
    return !this.#isLeaving && this.#held.length < this.#count;
  }

  /** Holds so many from now on, or as many as there are. */
  hold(count: number): void {
    this.#count = count;
    this.refill();
  }

  /** Runs `work`, again with one more descriptor each time the system had none. It must leave nothing behind when it fails. */
  use<T>(work: () => T): T {
    for (;;) {
      try {
        return work();
      } catch (thrown) {
        if (!isOutOfDescriptors(thrown) || !this.#giveUp()) throw thrown;
      }
    }
  }

  /** The same for work off the event loop's thread. */
  async useLater<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (thrown) {
        if (!isOutOfDescriptors(thrown) || !this.#giveUp()) throw thrown;
      }
    }
  }

  /** Leaves one more to the system until all are taken back; false when none is held. */
  leaveOne(): boolean {
    this.#isLeaving = true;
    return this.#giveUp();
  }

  /** Takes back what was lent or left; false when the system has not so many. */
  refill(): boolean {
    this.#isLeaving = false;
    try {
      while (this.#held.length < this.#count) this.#held.push(this.#files.open(ALWAYS_THERE, "read"));
      return true;
    } catch (thrown) {
      // Any other reason is about /dev/null itself, and says nothing.
      if (errnoOf(thrown) === undefined) throw thrown;
      return !isOutOfDescriptors(thrown);
    }
  }

  /** Holds none any more. */
  close(): void {
    this.#count = 0;
    while (this.#giveUp());
  }

  #giveUp(): boolean {
    const descriptor = this.#held.pop();
    if (descriptor === undefined) return false;
    this.#files.close(descriptor);
    return true;
  }
}

/** The process's limit, or the machine's. */
export function isOutOfDescriptors(thrown: unknown): boolean {
  const errno = errnoOf(thrown);
  return errno === "EMFILE" || errno === "ENFILE";
}
