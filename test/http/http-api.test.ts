import { afterEach, expect, test } from "bun:test";
import { fail } from "../../src/base/assert.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { ConnectionPlaces } from "../../src/base/descriptors/descriptor-budget.ts";
import { ObeliskError } from "../../src/base/errors.ts";
import { Histogram, SECONDS_BOUNDS } from "../../src/base/histogram.ts";
import { silentLog } from "../../src/base/log.ts";
import { LoopTurns } from "../../src/base/loop/loop-turns.ts";
import { OUTCOME_AGE_MS_MAX } from "../../src/base/outcome-window.ts";
import { DAY_MS, MINUTE_MS } from "../../src/base/units.ts";
import type { Partition } from "../../src/broker/partition.ts";
import type { HealthReport, ListenerStatus } from "../../src/http/health.ts";
import { HttpApi } from "../../src/http/http-api.ts";
import type { StorageEngine } from "../../src/storage/contract.ts";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";
import { batchOf } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { GatedEngine, turns } from "../support/gated-engine.ts";
import { groupParts } from "../support/group-parts.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { metricsParts, NO_ACTIVITY } from "../support/metrics-parts.ts";
import { appendTo, logOf } from "../support/partitions.ts";
import { placesOf } from "../support/places.ts";
import { requestParts } from "../support/request-parts.ts";

const listeners: HttpApi[] = [];
const openGroups: { close(): void }[] = [];
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.stop();
  for (const groups of openGroups.splice(0)) groups.close();
});

interface Options<Engine> {
  engine: Engine;
  isReady?: boolean;
  clock?: Clock;
  places?: ConnectionPlaces;
  loopTurns?: LoopTurns;
}

function secondsOf(seconds: number): Histogram {
  const histogram = new Histogram(SECONDS_BOUNDS);
  histogram.observe(seconds);
  return histogram;
}

/** Turns that no loop ends. */
function turnsOf(clock: Clock): LoopTurns {
  return new LoopTurns(clock, () => {});
}

async function started(options: Partial<Options<GatedEngine>> = {}) {
  return await startedOn({ engine: new GatedEngine(), ...options });
}

async function startedOn<Engine extends StorageEngine>(options: Options<Engine>) {
  const { engine, clock = systemClock } = options;
  const broker = await openBroker({ healthWindow: 4 }, { engine, clock });
  const groups = await groupParts(broker, clock);
  openGroups.push(groups);
  const native: ListenerStatus = {
    name: "native",
    isListening: true,
    connectionsActive: 2,
    connectionsTotal: 7,
    connectionErrors: 1,
    bytesIn: 12,
    bytesOut: 13,
    connectionsRefused: { "connections-max": 3, descriptors: 4 },
  };
  const listener = HttpApi.start({
    host: "localhost",
    port: 0,
    places: options.places ?? placesOf(100),
    log: silentLog,
    broker,
    listeners: () => [native],
    threshold: 0.95,
    startedMonotonicMs: clock.monotonicMs() - 9_015_000,
    clock,
    isReady: () => options.isReady ?? true,
    ...metricsParts(clock),
    activity: () => ({
      ...NO_ACTIVITY,
      requests: new Map([["Produce", { count: 5, seconds: secondsOf(0.004) }]]),
      malformedRequests: 2,
      nativeResponses: [["OK", 9]],
      waitingFetches: 3,
      throttledFetches: 4,
      committedOffsets: 6,
      memory: [
        ["requests", { usedBytes: 7, waitingCount: 8, waitedCount: 9, evictedCount: 10, limitBytes: 11 }],
      ],
    }),
    loopTurns: options.loopTurns ?? turnsOf(clock),
    ...requestParts(clock),
    ...groups,
  });
  listeners.push(listener);
  const get = (path: string, host = "127.0.0.1") => fetch(`http://${host}:${listener.port}${path}`);
  return { engine, broker, get, listener };
}

async function produce(
  broker: Awaited<ReturnType<typeof openBroker>>,
  engine: GatedEngine,
  isFailing: boolean,
) {
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  const batch = batchOf(["a", "b", "c"]);
  appendTo(partition, batch);
  await turns();
  await engine.waiting[0]?.end(isFailing);
}

test("health has four components in the Go Obelisk's shape", async () => {
  const { broker, engine, get } = await started();
  await produce(broker, engine, false);
  const response = await get("/health");
  const report = await response.json();
  expect(response.status).toBe(200);
  expect(report).toMatchObject({
    status: "healthy",
    uptime: "2h30m15s",
    components: {
      buffer: { status: "healthy", details: { success_rate: 1, threshold: 0.95, operation_count: 1 } },
      batcher: { status: "healthy", details: { success_rate: 1, threshold: 0.95, operation_count: 1 } },
      storage: { status: "healthy", details: { partitions: 1, offline_partitions: 0 } },
      tcp_server: { status: "healthy", details: { listening: true, native_connections: 2 } },
    },
    summary: { total_components: 4, healthy: 4, degraded: 0, unhealthy: 0 },
  });
  expect(Date.parse(report.components.batcher.details.last_flush)).toBeGreaterThan(0);
});

test("the uptime is what has passed, whatever the wall clock is set to", async () => {
  const clock = new ManualClock();
  const { get } = await started({ clock });
  clock.advance(1000);
  for (const [setMs, uptime] of [
    [-DAY_MS, "2h30m16s"],
    [3 * DAY_MS, "2h30m16s"],
  ] as const) {
    clock.setWallClock(setMs);
    const report = await (await get("/health")).json();
    expect([report.uptime, report.timestamp]).toEqual([uptime, new Date(clock.nowMs()).toISOString()]);
  }
});

test("a partition that went offline makes storage unhealthy, health 503 and the probe not ready, but the process stays alive", async () => {
  const { broker, engine, get } = await started();
  await produce(broker, engine, true);
  const response = await get("/health");
  const report = await response.json();
  expect([response.status, report.status, report.components.storage.status]).toEqual([
    503,
    "unhealthy",
    "unhealthy",
  ]);
  expect((await get("/health/ready")).status).toBe(503);
  expect((await get("/health/live")).status).toBe(200);
});

/** Appends batches until the window holds nothing else. */
async function appendOften(partition: Partition, value = "v"): Promise<number[]> {
  const appends = Array.from({ length: 4 }, () => appendTo(partition, batchOf([value])).done);
  return (await Promise.all(appends)).map(({ errorCode }) => errorCode);
}

function refuseAppends(partition: Partition): void {
  logOf(partition).append = () => {
    throw new ObeliskError("KAFKA_STORAGE_ERROR");
  };
}

test("a full disk is not ready, and is ready again once there is room, although nobody appends", async () => {
  const clock = new ManualClock();
  const engine = new MemoryEngine({ bytesMax: 400_000 });
  const { broker, get } = await startedOn({ engine, clock });
  const [t, u] = [await broker.topics.ensure("t"), await broker.topics.ensure("u")];
  expect(await appendOften(t.partitions[0]!, "x".repeat(80_000))).toEqual([0, 0, 0, 0]);
  expect(new Set(await appendOften(u.partitions[0]!, "x".repeat(80_000)))).toEqual(new Set([56]));
  const full = await (await get("/health")).json();
  expect([full.status, full.components.storage.details.disk_full]).toEqual(["unhealthy", true]);
  clock.advance(10 * OUTCOME_AGE_MS_MAX);
  expect((await get("/health/ready")).status).toBe(503);
  await broker.topics.remove("t");
  expect((await get("/health/ready")).status).toBe(200);
  expect(await (await get("/health")).json()).toMatchObject({ status: "healthy" });
});

test("one partition whose appends fail degrades the server, however often it is tried, and does not end its readiness", async () => {
  const { broker, get } = await startedOn({ engine: new MemoryEngine() });
  await broker.topics.ensure("idle");
  const [partition] = (await broker.topics.ensure("t")).partitions;
  refuseAppends(partition!);
  await appendOften(partition!);
  const report = await (await get("/health")).json();
  expect(report).toMatchObject({
    status: "degraded",
    components: {
      buffer: { status: "degraded", details: { success_rate: 0 } },
      storage: { status: "degraded", details: { refusing_partitions: 1, disk_full: false } },
    },
  });
  expect((await get("/health/ready")).status).toBe(200);
});

test("when every partition's appends fail the server is not ready, until it has been quiet for a while", async () => {
  const clock = new ManualClock();
  const { broker, get } = await startedOn({ engine: new MemoryEngine(), clock });
  for (const name of ["t", "u"]) {
    const [partition] = (await broker.topics.ensure(name)).partitions;
    refuseAppends(partition!);
    await appendOften(partition!);
  }
  expect((await get("/health/ready")).status).toBe(503);
  clock.advance(OUTCOME_AGE_MS_MAX + 1);
  expect((await get("/health/ready")).status).toBe(200);
  expect(await (await get("/health")).json()).toMatchObject({ status: "healthy" });
});

test("one partition whose sync failed degrades the server, as long as there are others", async () => {
  const { broker, engine, get } = await started();
  await broker.topics.ensure("other");
  await produce(broker, engine, true);
  expect(await (await get("/health")).json()).toMatchObject({
    status: "degraded",
    components: { batcher: { status: "degraded" }, storage: { status: "degraded" } },
  });
  expect((await get("/health/ready")).status).toBe(200);
});

test("a partition in which Obelisk itself failed degrades the server, and the reason says so", async () => {
  const { broker, get } = await started();
  await broker.topics.ensure("other");
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  logOf(partition).append = () => fail("an entry of the index goes back");
  const batch = batchOf(["v"]);
  appendTo(partition, batch);
  const body = (await (await get("/health")).json()) as HealthReport;
  expect(body.components.storage).toMatchObject({
    status: "degraded",
    details: {
      offline_partitions: 1,
      refusing_partitions: 0,
      reason: "a fault of Obelisk itself in partition t-0: an entry of the index goes back",
    },
  });
});

test("space that cannot be queried is not told as none", async () => {
  const { engine, get } = await startedOn({ engine: new MemoryEngine() });
  const samples = async () => {
    const lines = (await (await get("/metrics")).text()).split("\n");
    return lines.filter((line) => /^obelisk_disk_(free|total|reserved)/.test(line)).length;
  };
  expect(await samples()).toBe(4);
  Object.assign(engine, { space: () => undefined });
  expect(await samples()).toBe(0);
});

test("a state that takes no more changes degrades the server, and health says why", async () => {
  const { engine, get } = await startedOn({ engine: new MemoryEngine() });
  Object.assign(engine.state, { refusal: "the state file could not be synced" });
  expect(await (await get("/health")).json()).toMatchObject({
    status: "degraded",
    components: {
      storage: { status: "degraded", details: { reason: "the state file could not be synced" } },
    },
  });
  expect((await get("/health/ready")).status).toBe(200);
});

test("readiness ends when the server stops", async () => {
  const { get } = await started({ isReady: false });
  const response = await get("/health/ready");
  expect([response.status, (await response.json()).status]).toEqual([503, "not ready"]);
});

test("metrics carry the Go Obelisk's ten names with the real counts", async () => {
  const { broker, engine, get } = await started();
  await produce(broker, engine, false);
  const response = await get("/metrics");
  const text = await response.text();
  expect(response.headers.get("content-type")).toContain("text/plain");
  for (const line of [
    "obelisk_messages_received_total 3",
    "obelisk_messages_stored_total 3",
    "obelisk_messages_failed_total 0",
    'obelisk_batch_size_bucket{le="2"} 0',
    'obelisk_batch_size_bucket{le="5"} 1',
    "obelisk_batch_size_sum 3",
    "obelisk_flush_duration_seconds_count 1",
    "obelisk_health_status 1",
    'obelisk_component_health{component="tcp_server"} 1',
    'obelisk_active_connections{door="native"} 2',
    'obelisk_connections_total{door="native"} 7',
    'obelisk_connection_errors_total{door="native"} 1',
    'obelisk_connections_refused_total{door="native",cause="connections-max"} 3',
    'obelisk_connections_refused_total{door="native",cause="descriptors"} 4',
    'obelisk_requests_total{api="Produce"} 5',
    'obelisk_request_duration_seconds_bucket{api="Produce",le="0.0025"} 0',
    'obelisk_request_duration_seconds_bucket{api="Produce",le="0.005"} 1',
    'obelisk_request_duration_seconds_count{api="Produce"} 1',
    'obelisk_connection_bytes_in_total{door="native"} 12',
    'obelisk_connection_bytes_out_total{door="native"} 13',
    'obelisk_topic_records_in_total{topic="t"} 3',
    'obelisk_topic_records{topic="t"} 3',
    'obelisk_partition_end_offset{topic="t",partition="0"} 3',
    'obelisk_memory_limit_bytes{use="requests"} 11',
    "obelisk_memory_max_bytes 4096",
    'obelisk_build_info{version="0.0.0",runtime="bun"} 1',
    "process_cpu_seconds_total 2.5",
    "process_open_fds 17",
    "process_max_fds 1024",
    "process_start_time_seconds 1700000000",
    "obelisk_malformed_requests_total 2",
    'obelisk_native_answers_total{answer="OK"} 9',
    "obelisk_waiting_fetches 3",
    "obelisk_throttled_fetches_total 4",
    "obelisk_committed_offsets 6",
    'obelisk_memory_held_bytes{use="requests"} 7',
    'obelisk_memory_waiting{use="requests"} 8',
    'obelisk_memory_waits_total{use="requests"} 9',
    'obelisk_memory_evictions_total{use="requests"} 10',
    "obelisk_log_lines_lost_total 5",
    "process_resident_memory_bytes 1234",
  ]) {
    expect(text.split("\n")).toContain(line);
  }
});

test("metrics say which work took the longest turns, since the start and lately", async () => {
  const clock = new ManualClock();
  const loopTurns = turnsOf(clock);
  loopTurns.record("Metadata", 120, 80);
  clock.advance(3 * MINUTE_MS);
  loopTurns.record("Metadata", 40, 40);
  loopTurns.record("topic removal", 51, 51);
  const { get } = await started({ clock, loopTurns });
  const lines = (await (await get("/metrics")).text()).split("\n");
  const told = lines.filter(
    (line) => /^obelisk_loop_(turn|piece|long)/.test(line) && !line.includes('"http"'),
  );
  expect(told).toEqual([
    'obelisk_loop_turn_seconds_max{work="Metadata"} 0.12',
    'obelisk_loop_turn_seconds_max{work="topic removal"} 0.051',
    'obelisk_loop_turn_seconds_recent{work="Metadata"} 0.04',
    'obelisk_loop_turn_seconds_recent{work="topic removal"} 0.051',
    'obelisk_loop_piece_seconds_max{work="Metadata"} 0',
    'obelisk_loop_piece_seconds_max{work="topic removal"} 0',
    'obelisk_loop_long_turns_total{work="Metadata"} 1',
    'obelisk_loop_long_turns_total{work="topic removal"} 1',
  ]);
});

test("localhost is served on both loopbacks, and an unknown path says what there is", async () => {
  const { get } = await started();
  expect((await get("/health/live", "[::1]")).status).toBe(200);
  const response = await get("/nothing");
  expect([response.status, response.headers.get("content-type"), await response.json()]).toEqual([
    404,
    "application/problem+json",
    {
      type: "urn:obelisk:error:NOT_FOUND",
      title: "there is nothing at this path",
      status: 404,
      detail: "there is nothing at /nothing; /openapi.json lists what there is",
      code: "NOT_FOUND",
      isRetriable: false,
    },
  ]);
});

test("above its places the HTTP API stops listening, and resumes when there are fewer", async () => {
  const { listener, get } = await started({ places: placesOf(2) });
  listener.look(2, true);
  expect((await get("/health/live")).status).toBe(200);
  listener.look(3, true);
  listener.look(3, true);
  const isRefused = async () => {
    const socket = Bun.connect({ hostname: "127.0.0.1", port: listener.port, socket: { data: () => {} } });
    return await socket.then(
      (opened) => {
        opened.terminate();
        return false;
      },
      () => true,
    );
  };
  expect([await isRefused(), listener.counters.refused]).toEqual([
    true,
    { "connections-max": 1, descriptors: 0 },
  ]);
  listener.look(2, true);
  expect(await isRefused()).toBe(false);
  listener.look(0, false);
  expect([await isRefused(), listener.counters.refused.descriptors]).toEqual([true, 1]);
  listener.look(0, true);
  expect(await isRefused()).toBe(false);
});

test("more requests at once than there are places get a 503", async () => {
  const { get, listener } = await started({ places: placesOf(0) });
  const response = await get("/health/live");
  expect([response.status, response.headers.get("connection"), listener.counters.refused]).toEqual([
    503,
    "close",
    { "connections-max": 1, descriptors: 0 },
  ]);
});

test("a port that is taken is refused with the remedy", async () => {
  const taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const broker = await openBroker();
  const groups = await groupParts(broker, systemClock);
  openGroups.push(groups);
  const fail = () => {
    throw new Error("nothing is to be measured");
  };
  const start = () =>
    HttpApi.start({
      host: "127.0.0.1",
      port: taken.port!,
      places: placesOf(1),
      log: silentLog,
      broker,
      listeners: () => [],
      threshold: 0.95,
      startedMonotonicMs: 0,
      clock: systemClock,
      isReady: () => true,
      ...metricsParts(systemClock),
      activity: () => fail(),
      ...requestParts(systemClock),
      ...groups,
    });
  expect(start).toThrow("the port is in use");
  await taken.stop(true);
});
