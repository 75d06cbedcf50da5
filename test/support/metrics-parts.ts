/** What metrics are read from, beside a broker: made up, for tests of the HTTP API. */

import { Histogram, SECONDS_BOUNDS } from "../../src/base/histogram.ts";
import { LoopTurns } from "../../src/base/loop/loop-turns.ts";
import type { HealthParts } from "../../src/http/health.ts";
import type { ListenerActivity, MetricsParts } from "../../src/http/metrics/parts.ts";

export const NO_ACTIVITY: ListenerActivity = {
  requests: new Map(),
  malformedRequests: 0,
  nativeResponses: [],
  waitingFetches: 0,
  throttledFetches: 0,
  fetchWaitSeconds: new Histogram(SECONDS_BOUNDS),
  fetchSessions: 0,
  fetchSessionPartitions: 0,
  committedOffsets: 0,
  groups: [],
  memory: [],
};

export function metricsParts(
  clock: HealthParts["clock"],
  overrides: Partial<MetricsParts> = {},
): Omit<MetricsParts, Exclude<keyof HealthParts, "stall"> | "http" | "live"> {
  return {
    stall: () => null,
    activity: () => NO_ACTIVITY,
    groupLags: async function* () {},
    loopTurns: new LoopTurns(clock, () => {}),
    loopDelay: new Histogram(SECONDS_BOUNDS),
    process: {
      startedAtMs: 1_700_000_000_000,
      cpuSeconds: () => 2.5,
      residentBytes: () => 1234,
      openDescriptors: async () => 17,
      descriptorLimit: () => 1024,
    },
    memoryBytesMax: 4096,
    seriesLimits: { topicsMax: 100, partitionsMax: 1000, groupsMax: 100 },
    build: { version: "0.0.0", runtime: "bun" },
    logLinesLost: () => 5,
    ...overrides,
  };
}
