/**
 * Decides what happens next. Whatever takes time waits here until it is released, in an order that the seed gives; nothing else
 * moves a run on, so a seed is one interleaving.
 *
 *     wait("sync log")   wait("read")   wait("message")
 *            \               |              /
 *             [ waiting ..................]   release(): one of them, at random
 *                                             turns(): what it sets in motion runs, for a while
 */

/** Far more than the longest chain of operations that a life leaves behind. */
const ROUNDS_MAX = 1000;
/** Work in slices (src/base/loop) uses the disk again some turns later, one of all that rest in each turn. */
const STILL_ROUNDS = 32;

export class Scheduler {
  readonly #random: () => number;
  #waiting: { label: string; resolve: () => void }[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** What waits, for messages. */
  get labels(): string[] {
    return this.#waiting.map(({ label }) => label);
  }

  /** Resolves when the scheduler says so. */
  wait(label: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ label, resolve }));
  }

  /** Lets one of what waits go on; its label, or null when nothing waits. */
  release(): string | null {
    const slot = Math.floor(this.#random() * this.#waiting.length);
    const found = this.#waiting[slot];
    if (found === undefined) return null;
    this.#waiting.splice(slot, 1);
    found.resolve();
    return found.label;
  }

  /** Lets what is ready run: mostly until all of it waits again, now and then only some of the way. */
  async turns(): Promise<void> {
    if (this.#random() < 0.9) return await quiet();
    const count = Math.floor(this.#random() * 12);
    for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
  }

  /** Lets what is ready run until all of it waits again: a process is killed between two operations, and no time passes within one. */
  quiet(): Promise<void> {
    return quiet();
  }

  /**
   * Lets everything end, in the order in which it began to wait, for a life that is over: what it holds of what a process has once
   * (src/base/loop/turns.ts) is given back.
   */
  async finish(): Promise<void> {
    let stillRounds = 0;
    for (let rounds = 0; rounds < ROUNDS_MAX && stillRounds < STILL_ROUNDS; rounds += 1) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const { resolve } of waiting) resolve();
      await quiet();
      stillRounds = waiting.length === 0 ? stillRounds + 1 : 0;
    }
  }
}

/** Resolves when nothing is ready to run any more. No time passes. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
