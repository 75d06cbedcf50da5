/**
 * What is looked at all the time, so that whoever asks has an answer at once and the history is there when the first page opens.
 *
 *     each second        a tick: where the histograms stand, and how healthy everything is
 *     each 5 seconds     a reading of all topics, in slices; a look at groups' lag, when one is due; a sample for the history
 */

import type { Clock, Timer } from "../../base/clock.ts";
import type { Histogram } from "../../base/histogram.ts";
import type { Log } from "../../base/log.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { RateLimitedWarning } from "../../base/rate-limited-warning.ts";
import { SECOND_MS } from "../../base/units.ts";
import { type HealthReport, reportHealth } from "../health.ts";
import { HISTORY_STEP_MS, History, type HistorySample } from "./history.ts";
import { LatencyWindow } from "./latency-window.ts";
import type { ListenerActivity, MetricsParts } from "./parts.ts";
import type { Reading, Readings } from "./readings.ts";

export const TICK_MS = SECOND_MS;
const TICKS_A_SAMPLE = HISTORY_STEP_MS / TICK_MS;
/** Latencies are those of so long. */
export const WINDOW_MS: number = HISTORY_STEP_MS;
const HTTP_PRODUCE = "POST /topics/:topic/messages";
const HEALTH_VALUES = { healthy: 1, degraded: 0.5, unhealthy: 0 } as const;

type LatencySeries = "produceP50Ms" | "produceP99Ms" | "fetchP99Ms" | "syncP99Ms" | "loopDelayP99Ms";

export class Sampler {
  readonly history = new History();
  readonly windows: Readonly<Record<"produce" | "fetch" | "fetchWait" | "sync" | "loopDelay", LatencyWindow>>;
  readonly #parts: MetricsParts;
  readonly #readings: Readings;
  readonly #clock: Clock;
  readonly #warning: RateLimitedWarning;
  #health: HealthReport | null = null;
  #reading: Reading | null = null;
  #ticks = 0;
  #isSampling = false;
  #timer: Timer | null = null;

  constructor(parts: MetricsParts, readings: Readings, log: Log) {
    this.#parts = parts;
    this.#readings = readings;
    this.#clock = parts.clock;
    this.#warning = new RateLimitedWarning(log, parts.clock, "the overview could not be sampled");
    const { broker, activity, loopDelay } = parts;
    const ticks = WINDOW_MS / TICK_MS;
    const there = (...histograms: (Histogram | undefined)[]) => histograms.filter((one) => one !== undefined);
    const ofApi = (api: string) => activity().requests.get(api)?.seconds;
    const produce = () => there(ofApi("Produce"), parts.http.seconds.get(HTTP_PRODUCE));
    this.windows = {
      produce: new LatencyWindow(produce, ticks),
      fetch: new LatencyWindow(() => there(ofApi("Fetch")), ticks),
      fetchWait: new LatencyWindow(() => [activity().fetchWaitSeconds], ticks),
      sync: new LatencyWindow(() => [broker.counters.flushSeconds], ticks),
      loopDelay: new LatencyWindow(() => [loopDelay], ticks),
    };
  }

  /** At most a second old. */
  get health(): HealthReport {
    return (this.#health ??= this.#judge());
  }

  /** Some seconds old; null: none is there yet. */
  get reading(): Reading | null {
    return this.#reading;
  }

  start(): void {
    void this.#sample();
    this.#plan();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #plan(): void {
    this.#timer = this.#clock.after(TICK_MS, () => {
      this.#plan();
      loopTurns.enter("metrics");
      this.#tick();
    });
  }

  #tick(): void {
    this.#ticks += 1;
    this.#health = this.#judge();
    if (this.#ticks % TICKS_A_SAMPLE === 0) void this.#sample();
    for (const window of Object.values(this.windows)) window.tick();
  }

  #judge(): HealthReport {
    return reportHealth(this.#parts, this.#clock.nowMs());
  }

  /** One at a time: where one takes longer than its time, the next is left out. */
  async #sample(): Promise<void> {
    if (this.#isSampling) return;
    this.#isSampling = true;
    const latencies = this.#latencies();
    try {
      const reading = await this.#readings.readWithLags();
      this.#reading = reading;
      const lags = reading.lags.named.map(({ group, lag }) => [group, lag] as const);
      this.history.add(this.#sampleOf(reading, latencies), lags);
    } catch (thrown) {
      this.#warning.tell({
        error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
      });
    } finally {
      this.#isSampling = false;
    }
  }

  #latencies(): Pick<HistorySample, LatencySeries> {
    const { produce, fetch, sync, loopDelay } = this.windows;
    const produced = produce.read();
    return {
      produceP50Ms: produced?.p50Ms ?? null,
      produceP99Ms: produced?.p99Ms ?? null,
      fetchP99Ms: fetch.read()?.p99Ms ?? null,
      syncP99Ms: sync.read()?.p99Ms ?? null,
      loopDelayP99Ms: loopDelay.read()?.p99Ms ?? null,
    };
  }

  #sampleOf(
    { activity, topics, space, lags, health }: Reading,
    latencies: Pick<HistorySample, LatencySeries>,
  ): HistorySample {
    const { broker, clock, process, listeners } = this.#parts;
    return {
      ...latencies,
      ...totalsOf(this.#parts, activity),
      at: clock.nowMs(),
      cpuSeconds: process.cpuSeconds(),
      residentBytes: process.residentBytes(),
      memoryHeldBytes: heldBytes(activity) + broker.recent.bytes,
      connections: listeners().reduce((sum, { connectionsActive }) => sum + connectionsActive, 0),
      diskFreeBytes: space?.freeBytes ?? null,
      logBytes: topics.all.bytes,
      lag: lags.all.lag,
      health: HEALTH_VALUES[health.status],
    };
  }
}

/** Since the start. */
export function totalsOf({ broker: { counters } }: MetricsParts, { requests }: ListenerActivity) {
  let count = 0;
  for (const api of requests.values()) count += api.count;
  return {
    messagesReceived: counters.messagesReceived,
    messagesStored: counters.messagesStored,
    messagesRead: counters.traffic.recordsOut,
    bytesIn: counters.traffic.bytesIn,
    bytesOut: counters.traffic.bytesOut,
    requests: count,
  };
}

export function heldBytes({ memory }: ListenerActivity): number {
  return memory.reduce((sum, [, { usedBytes }]) => sum + usedBytes, 0);
}
