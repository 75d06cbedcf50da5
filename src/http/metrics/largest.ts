/** The items with the largest ranks of all that are offered, in order; those of equal rank as they came. A few of many, in one pass. */

export class Largest<Item> {
  readonly #max: number;
  readonly #ranked: { readonly item: Item; readonly rank: number }[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** The largest first. */
  get items(): Item[] {
    return this.#ranked.map(({ item }) => item);
  }

  /** Returns what is not among them from now on: this item, another one, or none. O(log of their number) for most */
  offer(item: Item, rank: number): Item | null {
    const ranked = this.#ranked;
    if (ranked.length === this.#max && !(rank > (ranked.at(-1)?.rank ?? Number.POSITIVE_INFINITY)))
      return item;
    let low = 0;
    let high = ranked.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ranked[middle]!.rank >= rank) low = middle + 1;
      else high = middle;
    }
    ranked.splice(low, 0, { item, rank });
    return ranked.length > this.#max ? ranked.pop()!.item : null;
  }
}
