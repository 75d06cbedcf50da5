/**
 * From message numbers as the Go Obelisk counted them to offsets in the imported partition. The two are equal until a
 * damaged frame is left out. Kept as runs, so a whole log costs one entry, and each damage one more.
 *
 *     number   0 1 2 3 x x 6 7 8        runs: {number 0, offset 0, count 4}, {number 6, offset 4, count 3}
 *     offset   0 1 2 3     4 5 6
 */

interface Run {
  number: number;
  offset: number;
  count: number;
}

export class GoOffsetMap {
  readonly #runs: Run[] = [];
  #offset = 0;

  /** Messages recorded so far; the offset that the next one gets. */
  get count(): number {
    return this.#offset;
  }

  /** Records that the next offset belongs to message `number`. */
  record(number: number): void {
    const last = this.#runs.at(-1);
    if (last !== undefined && number === last.number + last.count) last.count += 1;
    else this.#runs.push({ number, offset: this.#offset, count: 1 });
    this.#offset += 1;
  }

  /** Where a consumer continues whose next message was `number`: after every message with a smaller number. */
  offsetOf(number: number): number {
    let offset = 0;
    for (const run of this.#runs) {
      if (run.number < number) offset = run.offset + Math.min(run.count, number - run.number);
    }
    return offset;
  }
}
