/**
 * Members by how many partitions they have, to find one with the most or the fewest without looking at all of them. A member is put in
 * again whenever its load has changed; where it was before is passed over when it is met there.
 */

/** What is taken when nobody is in. */
export const NOBODY = -1;

export class LoadBuckets {
  readonly #loads: Int32Array;
  readonly #buckets: number[][] = [];
  /** No load that is in is smaller. */
  #fewest = 0;

  /** Of these members' loads, by their places in the list. */
  constructor(loads: Int32Array) {
    this.#loads = loads;
  }

  put(slot: number): void {
    const load = this.#loads[slot]!;
    while (this.#buckets.length <= load) this.#buckets.push([]);
    this.#buckets[load]!.push(slot);
    if (load < this.#fewest) this.#fewest = load;
  }

  takeFewest(): number {
    for (; this.#fewest < this.#buckets.length; this.#fewest += 1) {
      const slot = this.#take(this.#fewest);
      if (slot !== NOBODY) return slot;
    }
    return NOBODY;
  }

  takeMost(): number {
    for (; this.#buckets.length > 0; this.#buckets.pop()) {
      const slot = this.#take(this.#buckets.length - 1);
      if (slot !== NOBODY) return slot;
    }
    return NOBODY;
  }

  #take(load: number): number {
    const bucket = this.#buckets[load]!;
    while (bucket.length > 0) {
      const slot = bucket.pop()!;
      if (this.#loads[slot] === load) return slot;
    }
    return NOBODY;
  }
}
