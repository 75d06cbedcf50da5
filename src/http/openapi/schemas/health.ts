/** Health, probes, and what the dashboard's first page shows. */

import { type TSchema, Type } from "@sinclair/typebox";
import { COUNT, nullable, TIME_MS } from "./common.ts";

const STATUS = Type.Union([Type.Literal("healthy"), Type.Literal("degraded"), Type.Literal("unhealthy")]);

const COMPONENT: TSchema = Type.Object(
  {
    status: STATUS,
    details: Type.Record(
      Type.String(),
      Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
      { description: "What the status is made of; `reason` and `remedy` when it is not healthy." },
    ),
    last_check: Type.String(),
  },
  { title: "ComponentHealth" },
);

export const HEALTH: TSchema = Type.Object(
  {
    status: STATUS,
    timestamp: Type.String(),
    uptime: Type.String(),
    components: Type.Object({
      buffer: COMPONENT,
      batcher: COMPONENT,
      storage: COMPONENT,
      tcp_server: COMPONENT,
    }),
    summary: Type.Object({ total_components: COUNT, healthy: COUNT, degraded: COUNT, unhealthy: COUNT }),
  },
  { title: "Health" },
);

const COMPONENT_EXAMPLE = {
  status: "healthy",
  details: { success_rate: 1, threshold: 0.95, operation_count: 100 },
  last_check: "2026-01-31T12:00:00.000Z",
};

export const HEALTH_EXAMPLE = {
  status: "healthy",
  timestamp: "2026-01-31T12:00:00.000Z",
  uptime: "2h 15m",
  components: {
    buffer: COMPONENT_EXAMPLE,
    batcher: COMPONENT_EXAMPLE,
    storage: COMPONENT_EXAMPLE,
    tcp_server: COMPONENT_EXAMPLE,
  },
  summary: { total_components: 4, healthy: 4, degraded: 0, unhealthy: 0 },
};

export const PROBE: TSchema = Type.Object(
  { status: Type.String(), timestamp: Type.String() },
  { title: "Probe" },
);

const LATENCY = nullable(
  Type.Object({ count: COUNT, p50Ms: Type.Number(), p95Ms: Type.Number(), p99Ms: Type.Number() }),
  "Null: there was none.",
);

const TOTALS = [
  "messagesReceived",
  "messagesStored",
  "messagesRead",
  "messagesFailed",
  "bytesIn",
  "bytesOut",
  "requests",
  "duplicateBatches",
  "batches",
  "syncs",
  "syncFailures",
  "diskRefusals",
  "recordsDeleted",
  "bytesDeleted",
  "cpuSeconds",
];

export const OVERVIEW: TSchema = Type.Object(
  {
    at: TIME_MS,
    uptimeMs: COUNT,
    version: Type.String(),
    health: HEALTH,
    totals: Type.Object(Object.fromEntries(TOTALS.map((name) => [name, Type.Number()]))),
    latency: Type.Object({
      windowMs: COUNT,
      produce: LATENCY,
      fetch: LATENCY,
      fetchWait: LATENCY,
      sync: LATENCY,
      loopDelay: LATENCY,
    }),
    connections: Type.Array(
      Type.Object({
        listener: Type.String(),
        open: COUNT,
        refused: COUNT,
        bytesIn: nullable(COUNT),
        bytesOut: nullable(COUNT),
      }),
    ),
    topics: COUNT,
    partitions: COUNT,
    offlinePartitions: COUNT,
    groups: Type.Record(Type.String(), COUNT),
    waitingFetches: COUNT,
    fetchSessions: COUNT,
    lag: Type.Object({
      total: nullable(COUNT),
      groups: COUNT,
      partitions: COUNT,
      unknownPartitions: COUNT,
    }),
    disk: Type.Object({
      freeBytes: nullable(COUNT),
      totalBytes: nullable(COUNT),
      reservedBytes: nullable(COUNT),
      logBytes: nullable(COUNT),
      isFull: Type.Boolean(),
      openFiles: COUNT,
      openDescriptors: nullable(COUNT),
    }),
    memory: Type.Object({
      residentBytes: COUNT,
      maxBytes: COUNT,
      recentBytes: COUNT,
      shared: Type.Array(
        Type.Object({ use: Type.String(), usedBytes: COUNT, limitBytes: COUNT, waiting: COUNT }),
      ),
    }),
  },
  { title: "Overview" },
);

export const OVERVIEW_EXAMPLE = {
  at: 1_796_000_000_000,
  uptimeMs: 8_115_000,
  version: "0.1.0",
  health: HEALTH_EXAMPLE,
  totals: Object.fromEntries(TOTALS.map((name, index) => [name, index * 100])),
  latency: {
    windowMs: 5000,
    produce: { count: 1200, p50Ms: 1.2, p95Ms: 2.4, p99Ms: 4.1 },
    fetch: null,
    fetchWait: null,
    sync: { count: 400, p50Ms: 0.8, p95Ms: 1.4, p99Ms: 2.2 },
    loopDelay: { count: 50, p50Ms: 0.1, p95Ms: 0.4, p99Ms: 1 },
  },
  connections: [{ listener: "kafka", open: 12, refused: 0, bytesIn: 10_240, bytesOut: 20_480 }],
  topics: 12,
  partitions: 40,
  offlinePartitions: 0,
  groups: { classic: 3, consumer: 1 },
  waitingFetches: 4,
  fetchSessions: 4,
  lag: { total: 120, groups: 4, partitions: 30, unknownPartitions: 0 },
  disk: {
    freeBytes: 10_000_000_000,
    totalBytes: 50_000_000_000,
    reservedBytes: null,
    logBytes: 4_000_000,
    isFull: false,
    openFiles: 40,
    openDescriptors: 120,
  },
  memory: {
    residentBytes: 120_000_000,
    maxBytes: 536_870_912,
    recentBytes: 4_000_000,
    shared: [{ use: "requests", usedBytes: 0, limitBytes: 200_000_000, waiting: 0 }],
  },
};

const SAMPLES = Type.Array(nullable(Type.Number()));

export const HISTORY: TSchema = Type.Object(
  {
    stepMs: COUNT,
    series: Type.Record(Type.String(), SAMPLES),
    lagByGroup: Type.Record(Type.String(), SAMPLES),
  },
  { title: "History" },
);

export const HISTORY_EXAMPLE = {
  stepMs: 5000,
  series: {
    at: [1_796_000_000_000, 1_796_000_005_000],
    messagesStored: [1000, 1400],
    produceP99Ms: [null, 4.1],
  },
  lagByGroup: { billing: [20, 12] },
};
