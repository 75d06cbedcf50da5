/**
 * The course of the last quarter of an hour: what the broker remembers (/overview/history, each five seconds), continued by what the page
 * sees itself. Totals become rates between two samples; where a total falls, the broker was started again, and there is a gap.
 */

import type { HistoryAnswer, OverviewAnswer } from "../api/answers.ts";

/** In milliseconds since 1970, under `at`; null: not known. */
export type Sample = Readonly<Record<string, number | null>>;

const KEPT_MS = 15 * 60_000;

export function samplesOf({ series }: HistoryAnswer): Sample[] {
  const times = series["at"] ?? [];
  const names = Object.keys(series);
  return times.map((_, index) =>
    Object.fromEntries(names.map((name) => [name, series[name]![index] ?? null])),
  );
}

export function sampleOf({ at, totals, latency, memory, disk, lag }: OverviewAnswer): Sample {
  return {
    ...totals,
    at,
    produceP50Ms: latency.produce?.p50Ms ?? null,
    produceP99Ms: latency.produce?.p99Ms ?? null,
    fetchP99Ms: latency.fetch?.p99Ms ?? null,
    syncP99Ms: latency.sync?.p99Ms ?? null,
    loopDelayP99Ms: latency.loopDelay?.p99Ms ?? null,
    residentBytes: memory.residentBytes,
    diskFreeBytes: disk.freeBytes,
    logBytes: disk.logBytes,
    lag: lag.total,
  };
}

/** With one more, without what is older than a quarter of an hour. */
export function withSample(samples: readonly Sample[], sample: Sample): Sample[] {
  const at = sample["at"] ?? 0;
  return [...samples.filter((kept) => (kept["at"] ?? 0) > at - KEPT_MS && (kept["at"] ?? 0) < at), sample];
}

/** Values of the moment, one for each sample. */
export function valuesOf(samples: readonly Sample[], name: string): (number | null)[] {
  return samples.map((sample) => sample[name] ?? null);
}

/** How much a total grew in a second, one for each sample: null for the first one. */
export function ratesOf(samples: readonly Sample[], name: string): (number | null)[] {
  return samples.map((sample, index) =>
    index === 0 ? null : rateBetween(samples[index - 1]!, sample, name),
  );
}

/** Over some seconds, so that a figure can be read while it changes. */
export function rateNow(samples: readonly Sample[], name: string, windowMs = 5000): number | null {
  const last = samples.at(-1);
  if (last === undefined) return null;
  const since = (last["at"] ?? 0) - windowMs;
  const first = samples.findLast((sample) => (sample["at"] ?? 0) <= since) ?? samples[0]!;
  return first === last ? null : rateBetween(first, last, name);
}

function rateBetween(first: Sample, second: Sample, name: string): number | null {
  const from = first[name] ?? null;
  const to = second[name] ?? null;
  const ms = (second["at"] ?? 0) - (first["at"] ?? 0);
  if (from === null || to === null || to < from || !(ms > 0)) return null;
  return ((to - from) * 1000) / ms;
}
