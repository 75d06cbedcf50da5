/**
 * Families of metrics as data: name, help, type, and how its samples are read out of a reading (readings.ts). Nothing is counted here,
 * and nothing is called while messages flow.
 */

import type { Histogram } from "../../base/histogram.ts";
import type { Reading } from "./readings.ts";

export type Labels = Readonly<Record<string, string | number>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** Where it is not the family's: parts of a histogram. */
  readonly metricName?: string;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  samples(reading: Reading): Iterable<Sample>;
}

/** Labels and value. */
export type Row = readonly [labels: Labels, value: number];

const NO_LABELS: Labels = {};

/** One value without labels; none where it is null. */
export function counter(name: string, help: string, read: (reading: Reading) => number | null): Family {
  return { name, help, type: "counter", samples: (reading) => single(read(reading)) };
}

export function gauge(name: string, help: string, read: (reading: Reading) => number | null): Family {
  return { name, help, type: "gauge", samples: (reading) => single(read(reading)) };
}

/** Values by one label. */
export function counterBy(
  label: string,
  name: string,
  help: string,
  read: (reading: Reading) => Iterable<readonly [string, number]>,
): Family {
  return { name, help, type: "counter", samples: (reading) => labelled(label, read(reading)) };
}

export function gaugeBy(
  label: string,
  name: string,
  help: string,
  read: (reading: Reading) => Iterable<readonly [string, number]>,
): Family {
  return { name, help, type: "gauge", samples: (reading) => labelled(label, read(reading)) };
}

/** Values by any labels. */
export function rows(
  type: "counter" | "gauge",
  name: string,
  help: string,
  read: (reading: Reading) => Iterable<Row>,
): Family {
  return {
    name,
    help,
    type,
    *samples(reading) {
      for (const [labels, value] of read(reading)) yield { labels, value };
    },
  };
}

export function histogram(name: string, help: string, read: (reading: Reading) => Histogram): Family {
  return { name, help, type: "histogram", samples: (reading) => buckets(name, NO_LABELS, read(reading)) };
}

export function histogramBy(
  label: string,
  name: string,
  help: string,
  read: (reading: Reading) => Iterable<readonly [string, Histogram]>,
): Family {
  return {
    name,
    help,
    type: "histogram",
    *samples(reading) {
      for (const [value, counted] of read(reading)) yield* buckets(name, { [label]: value }, counted);
    },
  };
}

function* single(value: number | null): Generator<Sample> {
  if (value !== null) yield { labels: NO_LABELS, value };
}

function* labelled(label: string, values: Iterable<readonly [string, number]>): Generator<Sample> {
  for (const [of, value] of values) yield { labels: { [label]: of }, value };
}

/** As Prometheus has them: each bucket counts what the ones before have. */
function* buckets(
  name: string,
  labels: Labels,
  { bounds, counts, sum, count }: Histogram,
): Generator<Sample> {
  let cumulated = 0;
  for (const [index, own] of counts.entries()) {
    cumulated += own;
    const le = bounds[index] ?? "+Inf";
    yield { metricName: `${name}_bucket`, labels: { ...labels, le }, value: cumulated };
  }
  yield { metricName: `${name}_sum`, labels, value: sum };
  yield { metricName: `${name}_count`, labels, value: count };
}
