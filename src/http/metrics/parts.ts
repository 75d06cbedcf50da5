/** What metrics and the overview are read from: plain counters of the parts of the server. The composition root (src/server.ts) fills it. */

import type { Histogram } from "../../base/histogram.ts";
import type { LoopTurns } from "../../base/loop/loop-turns.ts";
import type { GroupLagTotal } from "../../consumer/group-lag.ts";
import type { HealthParts } from "../health.ts";
import type { HttpStats } from "../http-stats.ts";
import type { LiveTails } from "../live/live-tails.ts";

/** What the listeners have done, in the names of their protocols. */
export interface ListenerActivity {
  /** Kafka requests by API. */
  readonly requests: ReadonlyMap<string, ApiActivity>;
  /** Connections that sent what is no Kafka request. */
  readonly malformedRequests: number;
  /** Responses of the native protocol by their line. */
  readonly nativeResponses: readonly (readonly [string, number])[];
  /** Fetches that wait for records, and those that were throttled because too many waited. */
  readonly waitingFetches: number;
  readonly throttledFetches: number;
  /** How long fetches have waited. */
  readonly fetchWaitSeconds: Histogram;
  /** Fetch sessions that are kept, and partitions in them. */
  readonly fetchSessions: number;
  readonly fetchSessionPartitions: number;
  /** Partitions with a committed offset, over all groups. */
  readonly committedOffsets: number;
  /** Groups that have members, or had, by their protocol. */
  readonly groups: readonly (readonly [type: string, count: number])[];
  /** The memory that connections share, by what it is for. */
  readonly memory: readonly (readonly [string, MemoryActivity])[];
}

/** What is counted of one API. */
export interface ApiActivity {
  readonly count: number;
  readonly seconds: Histogram;
}

/** What a memory budget counts. */
export interface MemoryActivity {
  readonly limitBytes: number;
  readonly usedBytes: number;
  readonly waitingCount: number;
  readonly waitedCount: number;
  readonly evictedCount: number;
}

/** What the system tells of this process (base/process-usage.ts). */
export interface ProcessActivity {
  readonly startedAtMs: number;
  cpuSeconds(): number;
  residentBytes(): number;
  /** Null where the system does not tell. */
  openDescriptors(): Promise<number | null>;
  descriptorLimit(): number | null;
}

/** How many series there may be by name; what is beyond is summed. */
export interface SeriesLimits {
  readonly topicsMax: number;
  /** Partitions of the topics that are named, all together. */
  readonly partitionsMax: number;
  readonly groupsMax: number;
}

export interface MetricsParts extends HealthParts {
  activity: () => ListenerActivity;
  /** How far each group is behind that has committed anything; in slices of the loop's time. */
  groupLags: () => AsyncIterable<GroupLagTotal>;
  http: HttpStats;
  /** The live tails that are open. */
  live: LiveTails;
  loopTurns: LoopTurns;
  /** How late a timer comes. */
  loopDelay: Histogram;
  process: ProcessActivity;
  /** The memory setting: what all buffers together may take. */
  memoryBytesMax: number;
  seriesLimits: SeriesLimits;
  build: { readonly version: string; readonly runtime: string };
  /** Lines that the log could not write. */
  logLinesLost: () => number;
}
