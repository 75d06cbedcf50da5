/**
 * Counts of observed values by upper bound, in the shape Prometheus exposes: `counts[i]` values were at most
 * `bounds[i]` and above the bound before; the last count is everything larger. Plain numbers, O(bounds) per
 * observation, so that it may be called once per batch.
 */

/** For seconds: from a tenth of a millisecond to a minute, some three bounds for each power of ten. */
export const SECONDS_BOUNDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

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
