/** Numbers that look random and are the same for the same seed (xorshift of 32 bits). */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Zero is the one state that xorshift never leaves.
    this.#state = (seed ^ 0x9e37_79b9) | 0 || 1;
    for (let round = 0; round < 8; round += 1) this.#step();
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    return this.#step() % limit;
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)]!;
  }

  /** At most `count` of the values, in their order. */
  sample<Value>(values: readonly Value[], count: number): Value[] {
    const left = values.map((_, index) => index);
    while (left.length > count) left.splice(this.below(left.length), 1);
    return left.map((index) => values[index]!);
  }

  #step(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state >>> 0;
  }
}
