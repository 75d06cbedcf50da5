/**
 * What the dashboard's first page shows: plain totals, from which it makes rates, and what is so in this moment. Totals are as they are
 * now; what is long to find out is from the sampler's last look, so that pages that ask each second cost little, however many there are.
 */

import type { ListenerStatus } from "../health.ts";
import type { LatencyWindow } from "./latency-window.ts";
import type { MetricsParts } from "./parts.ts";
import { type Sampler, totalsOf, WINDOW_MS } from "./sampler.ts";

/** O(listeners, APIs). */
export function overviewOf(parts: MetricsParts, sampler: Sampler) {
  const { broker, clock, build, startedMonotonicMs } = parts;
  const { counters } = broker;
  const activity = parts.activity();
  const { health, reading } = sampler;
  return {
    at: clock.nowMs(),
    uptimeMs: Math.round(clock.monotonicMs() - startedMonotonicMs),
    version: build.version,
    health,
    totals: {
      ...totalsOf(parts, activity),
      messagesFailed: counters.messagesFailed,
      duplicateBatches: counters.duplicateBatches,
      batches: counters.batchesStored,
      syncs: counters.syncs,
      syncFailures: counters.syncFailures,
      diskRefusals: counters.diskRefusals,
      recordsDeleted: counters.retentionRecords,
      bytesDeleted: counters.retentionBytes,
      cpuSeconds: parts.process.cpuSeconds(),
    },
    latency: { windowMs: WINDOW_MS, ...latenciesOf(sampler.windows) },
    connections: parts.listeners().map(listenerOf),
    topics: broker.topics.count,
    partitions: broker.topics.partitionCount,
    offlinePartitions: health.components.storage.details["offline_partitions"] ?? 0,
    groups: Object.fromEntries(activity.groups),
    waitingFetches: activity.waitingFetches,
    fetchSessions: activity.fetchSessions,
    lag: lagOf(reading?.lags ?? null),
    disk: {
      freeBytes: reading?.space?.freeBytes ?? null,
      totalBytes: reading?.space?.totalBytes ?? null,
      reservedBytes: reading?.space?.reservedBytes ?? null,
      logBytes: reading?.topics.all.bytes ?? null,
      isFull: health.components.storage.details["disk_full"] === true,
      openFiles: broker.engine.openFiles,
      openDescriptors: reading?.openDescriptors ?? null,
    },
    memory: {
      residentBytes: parts.process.residentBytes(),
      maxBytes: parts.memoryBytesMax,
      recentBytes: broker.recent.bytes,
      shared: activity.memory.map(([use, { usedBytes, limitBytes, waitingCount }]) => ({
        use,
        usedBytes,
        limitBytes,
        waiting: waitingCount,
      })),
    },
  };
}

function latenciesOf(windows: Sampler["windows"]) {
  const read = (window: LatencyWindow) => window.read();
  const { produce, fetch, fetchWait, sync, loopDelay } = windows;
  return {
    produce: read(produce),
    fetch: read(fetch),
    fetchWait: read(fetchWait),
    sync: read(sync),
    loopDelay: read(loopDelay),
  };
}

function listenerOf({ name, connectionsActive, connectionsRefused, bytesIn, bytesOut }: ListenerStatus) {
  const refused = Object.values(connectionsRefused).reduce((sum, count) => sum + count, 0);
  return { listener: name, open: connectionsActive, refused, bytesIn, bytesOut };
}

/** Null: no group has committed anything that can be told. */
function lagOf(lags: NonNullable<Sampler["reading"]>["lags"] | null) {
  if (lags === null) return { total: null, groups: 0, partitions: 0, unknownPartitions: 0 };
  const { lag, partitions, unknown } = lags.all;
  return { total: lag, groups: lags.groups, partitions, unknownPartitions: unknown };
}
