/**
 * Counts of observed values by upper bound, in the shape Prometheus exposes: `counts[i]` values were at most
 * `bounds[i]` and above the bound before; the last count is everything larger. Plain numbers, O(bounds) per
 * observation, so that it may be called once per batch.
 */

export class Histogram {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;
  count = 0;

  /** `bounds` ascending. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let index = 0;
    while (index < this.bounds.length && value > this.bounds[index]!) index += 1;
    this.counts[index]! += 1;
    this.sum += value;
    this.count += 1;
  }
}
