/**
 * The last quarter of an hour, a sample each five seconds: one ring of numbers for each series, made once, and one for each group whose
 * lag is among the largest. Nothing grows.
 */

import { MINUTE_MS, SECOND_MS } from "../../base/units.ts";

export const HISTORY_STEP_MS = 5 * SECOND_MS;
export const HISTORY_SAMPLES: number = (15 * MINUTE_MS) / HISTORY_STEP_MS;
/** Groups that are remembered: 1.4 KB each. */
export const HISTORY_GROUPS_MAX = 100;

/** Totals since the start, and values of the moment; null: not known. */
export const HISTORY_SERIES = [
  "at",
  "messagesReceived",
  "messagesStored",
  "messagesRead",
  "bytesIn",
  "bytesOut",
  "requests",
  "produceP50Ms",
  "produceP99Ms",
  "fetchP99Ms",
  "syncP99Ms",
  "loopDelayP99Ms",
  "cpuSeconds",
  "residentBytes",
  "memoryHeldBytes",
  "connections",
  "diskFreeBytes",
  "logBytes",
  "lag",
  "health",
] as const;
export type HistorySeries = (typeof HISTORY_SERIES)[number];
export type HistorySample = Readonly<Record<HistorySeries, number | null>>;

export class History {
  readonly #series: ReadonlyMap<HistorySeries, Float64Array>;
  readonly #groups = new Map<string, Float64Array>();
  #count = 0;

  constructor() {
    this.#series = new Map(HISTORY_SERIES.map((name) => [name, ring()]));
  }

  /** `lags`: by group, the most important first. */
  add(sample: HistorySample, lags: readonly (readonly [group: string, lag: number | null])[]): void {
    const slot = this.#count % HISTORY_SAMPLES;
    for (const [name, values] of this.#series) values[slot] = sample[name] ?? Number.NaN;
    for (const values of this.#groups.values()) values[slot] = Number.NaN;
    const told = lags.slice(0, HISTORY_GROUPS_MAX);
    const isKept = ([group]: readonly [string, unknown]) => this.#groups.has(group);
    // Those that are kept first, so that none of them makes room for another one.
    for (const [group, lag] of [...told.filter(isKept), ...told.filter((row) => !isKept(row))])
      this.#ringOf(group)[slot] = lag ?? Number.NaN;
    this.#forgetEmpty();
    this.#count += 1;
  }

  /** The oldest first. */
  read(): {
    series: Record<HistorySeries, (number | null)[]>;
    lagByGroup: Record<string, (number | null)[]>;
  } {
    const told = (values: Float64Array) => this.#inOrder(values);
    return {
      series: Object.fromEntries(
        Array.from(this.#series, ([name, values]) => [name, told(values)]),
      ) as Record<HistorySeries, (number | null)[]>,
      lagByGroup: Object.fromEntries(Array.from(this.#groups, ([group, values]) => [group, told(values)])),
    };
  }

  /** Where there is none left, that of the group goes which was told least lately. */
  #ringOf(group: string): Float64Array {
    let values = this.#groups.get(group) ?? null;
    this.#groups.delete(group);
    if (values === null && this.#groups.size >= HISTORY_GROUPS_MAX) {
      const [eldest, reused] = this.#groups.entries().next().value!;
      this.#groups.delete(eldest);
      values = reused.fill(Number.NaN);
    }
    values ??= ring();
    this.#groups.set(group, values);
    return values;
  }

  #forgetEmpty(): void {
    for (const [group, values] of this.#groups) if (values.every(Number.isNaN)) this.#groups.delete(group);
  }

  #inOrder(values: Float64Array): (number | null)[] {
    const length = Math.min(this.#count, HISTORY_SAMPLES);
    return Array.from({ length }, (_, index) => {
      const value = values[(this.#count - length + index) % HISTORY_SAMPLES]!;
      return Number.isNaN(value) ? null : value;
    });
  }
}

function ring(): Float64Array {
  return new Float64Array(HISTORY_SAMPLES).fill(Number.NaN);
}
