/**
 * The latencies of the last seconds, out of histograms that count since the start: their counts together, as they were at the last ticks, are
 * kept in a ring, and what came since is the difference.
 *
 *     tick      t-5   t-4   t-3   t-2   t-1   now
 *     counts    [ ]   [ ]   [ ]   [ ]   [ ]
 *                '---------- difference -------'
 */

import type { Histogram } from "../../base/histogram.ts";

/** Milliseconds; the quantiles are as fine as the buckets are, and lie within them as if values were spread evenly. */
export interface Latencies {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export class LatencyWindow {
  readonly #sources: () => readonly Histogram[];
  readonly #ticks: number[][];
  #next = 0;

  /** Looks back over `ticks` ticks. `sources`: those that have counted something yet, all with the same bounds. */
  constructor(sources: () => readonly Histogram[], ticks: number) {
    this.#sources = sources;
    this.#ticks = Array.from({ length: ticks }, () => []);
  }

  tick(): void {
    const kept = this.#ticks[this.#next]!;
    kept.fill(0);
    for (const { counts } of this.#sources()) {
      for (let index = 0; index < counts.length; index += 1)
        kept[index] = (kept[index] ?? 0) + counts[index]!;
    }
    this.#next = (this.#next + 1) % this.#ticks.length;
  }

  /** Null: there were none. */
  read(): Latencies | null {
    const sources = this.#sources();
    const bounds = sources[0]?.bounds;
    if (bounds === undefined) return null;
    const before = this.#ticks[this.#next]!;
    const counts = Array.from({ length: bounds.length + 1 }, (_, index) =>
      sources.reduce((sum, histogram) => sum + histogram.counts[index]!, -(before[index] ?? 0)),
    );
    const count = counts.reduce((sum, each) => sum + each, 0);
    if (count === 0) return null;
    const us = (part: number) => Math.round(quantile(bounds, counts, count * part) * 1_000_000);
    return { count, p50Ms: us(0.5) / 1000, p95Ms: us(0.95) / 1000, p99Ms: us(0.99) / 1000 };
  }
}

/** What lies above the last bound is taken for that bound, as Prometheus does. */
function quantile(bounds: readonly number[], counts: readonly number[], rank: number): number {
  let below = 0;
  for (const [index, count] of counts.entries()) {
    if (below + count < rank || count === 0) {
      below += count;
      continue;
    }
    const upper = bounds[index];
    const lower = index === 0 ? 0 : bounds[index - 1]!;
    return upper === undefined ? lower : lower + ((upper - lower) * (rank - below)) / count;
  }
  return bounds.at(-1) ?? 0;
}
