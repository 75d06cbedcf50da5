/**
 * How many of the last operations succeeded: a ring of outcomes, as the Go Obelisk judged its health.
 *
 *   successRate = successes among the last `size` operations (1 while there was none)
 */

export class OutcomeWindow {
  readonly #outcomes: Uint8Array;
  #successes = 0;
  #filled = 0;
  #next = 0;
  /** Operations since the start, not only those in the window. */
  operationCount = 0;
  /** Milliseconds since the Unix epoch of the last success; 0 when there was none. */
  lastSuccessAtMs = 0;

  /** `size`: operations looked back at. */
  constructor(size: number) {
    this.#outcomes = new Uint8Array(size);
  }

  get successRate(): number {
    return this.#filled === 0 ? 1 : this.#successes / this.#filled;
  }

  record(isSuccess: boolean, atMs: number): void {
    if (this.#filled === this.#outcomes.length) this.#successes -= this.#outcomes[this.#next]!;
    else this.#filled += 1;
    this.#outcomes[this.#next] = isSuccess ? 1 : 0;
    this.#next = (this.#next + 1) % this.#outcomes.length;
    this.operationCount += 1;
    if (isSuccess) {
      this.#successes += 1;
      this.lastSuccessAtMs = atMs;
    }
  }
}
