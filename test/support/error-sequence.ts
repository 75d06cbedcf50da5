/**
 * How Linux remembers that a write-back failed (`errseq_t`): a number that every descriptor compares with the one it saw last.
 *
 *     [ counter | seen | errno ]
 *
 *   - A failure that nobody was told of yet is told to everyone who looks, also to descriptors that are opened later.
 *   - Once somebody was told, only those who were open at the time are told too, each once. Who opens the file then sees nothing.
 *
 * Each file has one (fdatasync looks at it), and the file system as a whole has one (syncfs does).
 */

const ERRNO_MASK = 0x1ff;
const SEEN = 0x200;
const COUNTER_STEP = 0x400;

export class ErrorSequence {
  #value = 0;

  /** Records a failure; the counter moves only when somebody has looked since the last one. */
  set(errno: number): void {
    const counter = this.#value & ~(COUNTER_STEP - 1);
    this.#value = (counter | errno) + ((this.#value & SEEN) === 0 ? 0 : COUNTER_STEP);
  }

  /** What a descriptor that is opened now compares with later. */
  sample(): number {
    return (this.#value & SEEN) === 0 ? 0 : this.#value;
  }

  /** The errno that whoever sampled `since` has not been told yet, or 0, and what it compares with from now on. */
  check(since: number): { errno: number; since: number } {
    if (this.#value === since) return { errno: 0, since };
    this.#value |= SEEN;
    return { errno: this.#value & ERRNO_MASK, since: this.#value };
  }

  copy(): ErrorSequence {
    const copy = new ErrorSequence();
    copy.#value = this.#value;
    return copy;
  }
}
