import { afterEach, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { HttpDoor } from "../../src/http/door.ts";
import type { DoorStatus } from "../../src/http/health.ts";
import { batchOf } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { GatedEngine, turns } from "../support/gated-engine.ts";

const doors: HttpDoor[] = [];
afterEach(async () => {
  for (const door of doors.splice(0)) await door.stop();
});

async function started(options: { isReady?: boolean } = {}) {
  const engine = new GatedEngine();
  const broker = await openBroker({ healthWindow: 4 }, { engine });
  const native: DoorStatus = {
    name: "native",
    isListening: true,
    connectionsActive: 2,
    connectionsTotal: 7,
    connectionErrors: 1,
  };
  const door = HttpDoor.start({
    host: "localhost",
    port: 0,
    broker,
    doors: () => [native],
    threshold: 0.95,
    startedAtMs: Date.now() - 9_015_000,
    clock: systemClock,
    isReady: () => options.isReady ?? true,
    activity: () => ({
      requests: new Map([["Produce", 5]]),
      malformedRequests: 2,
      nativeAnswers: [["OK", 9]],
      waitingFetches: 3,
      throttledFetches: 4,
    }),
    residentBytes: () => 1234,
  });
  doors.push(door);
  const get = (path: string, host = "127.0.0.1") => fetch(`http://${host}:${door.port}${path}`);
  return { engine, broker, get };
}

async function produce(
  broker: Awaited<ReturnType<typeof openBroker>>,
  engine: GatedEngine,
  isFailing: boolean,
) {
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  const batch = batchOf(["a", "b", "c"]);
  partition.append(batch, 0, batch.length);
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
    'obelisk_requests_total{api="Produce"} 5',
    "obelisk_malformed_requests_total 2",
    'obelisk_native_answers_total{answer="OK"} 9',
    "obelisk_waiting_fetches 3",
    "obelisk_throttled_fetches_total 4",
    "process_resident_memory_bytes 1234",
  ]) {
    expect(text.split("\n")).toContain(line);
  }
});

test("localhost is served on both loopbacks, and an unknown path says what there is", async () => {
  const { get } = await started();
  expect((await get("/health/live", "[::1]")).status).toBe(200);
  const response = await get("/nothing");
  expect([response.status, (await response.json()).error]).toEqual([404, "NOT_FOUND"]);
});

test("a port that is taken is refused with the remedy", async () => {
  const taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const broker = await openBroker();
  const fail = () => {
    throw new Error("nothing is to be measured");
  };
  const start = () =>
    HttpDoor.start({
      host: "127.0.0.1",
      port: taken.port!,
      broker,
      doors: () => [],
      threshold: 0.95,
      startedAtMs: 0,
      clock: systemClock,
      isReady: () => true,
      activity: () => fail(),
      residentBytes: () => 0,
    });
  expect(start).toThrow("the port is in use");
  await taken.stop(true);
});
