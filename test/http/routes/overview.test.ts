/** The overview over a broker on the memory engine, with a clock that the test advances. */

import { expect, test } from "bun:test";
import { Histogram, SECONDS_BOUNDS } from "../../../src/base/histogram.ts";
import type { GroupLagTotal } from "../../../src/consumer/group-lag.ts";
import { HISTORY_STEP_MS } from "../../../src/http/metrics/history.ts";
import { TICK_MS } from "../../../src/http/metrics/sampler.ts";
import { batchOf } from "../../support/batches.ts";
import { openBroker } from "../../support/broker.ts";
import { startHttp } from "../../support/http.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { NO_ACTIVITY } from "../../support/metrics-parts.ts";
import { appendTo } from "../../support/partitions.ts";

interface History {
  stepMs: number;
  series: Record<string, (number | null)[]>;
  lagByGroup: Record<string, (number | null)[]>;
}

async function started() {
  const clock = new ManualClock();
  const broker = await openBroker({}, { clock });
  const produce = new Histogram(SECONDS_BOUNDS);
  const lags: GroupLagTotal[] = [];
  const http = await startHttp({
    broker,
    clock,
    activity: () => ({
      ...NO_ACTIVITY,
      requests: new Map([["Produce", { count: produce.count, seconds: produce }]]),
      groups: [
        ["classic", 2],
        ["consumer", 1],
      ],
      memory: [
        ["requests", { limitBytes: 100, usedBytes: 7, waitingCount: 1, waitedCount: 0, evictedCount: 0 }],
      ],
    }),
    groupLags: async function* () {
      yield* lags;
    },
    listeners: () => [
      {
        name: "kafka",
        isListening: true,
        connectionsActive: 3,
        connectionsTotal: 4,
        connectionErrors: 5,
        connectionsRefused: { "connections-max": 1, descriptors: 1 },
        bytesIn: 10,
        bytesOut: 20,
      },
    ],
  });
  const store = async (values: string[]) => {
    const partition = (await broker.topics.ensure("orders")).partitions[0]!;
    await appendTo(partition, batchOf(values)).done;
    produce.observe(0.002);
  };
  const history = async (): Promise<History> => {
    const [status, body] = await http.ask("/overview/history");
    expect(status).toBe(200);
    return body as History;
  };
  /** Until there are so many samples. */
  const sampled = async (count: number) => {
    for (;;) {
      const read = await history();
      if (read.series["at"]!.length >= count) return read;
    }
  };
  return { clock, broker, http, lags, store, history, sampled };
}

test("the overview has totals since the start, latencies of the last seconds, and what is so now", async () => {
  const { clock, http, store, sampled } = await started();
  await using _ = http;
  await store(["a", "b", "c"]);
  await sampled(1);
  clock.advance(TICK_MS);
  const [status, body] = await http.ask("/overview");
  expect(status).toBe(200);
  expect(body).toMatchObject({
    at: clock.nowMs(),
    version: "0.0.0",
    health: { status: "healthy", components: { storage: { status: "healthy" } } },
    totals: {
      messagesReceived: 3,
      messagesStored: 3,
      messagesFailed: 0,
      messagesRead: 0,
      bytesIn: 85,
      bytesOut: 0,
      requests: 1,
      batches: 1,
      syncs: 1,
      syncFailures: 0,
      diskRefusals: 0,
      cpuSeconds: 2.5,
    },
    latency: {
      windowMs: 5000,
      produce: { count: 1, p50Ms: 1.75, p95Ms: 2.425, p99Ms: 2.485 },
      fetch: null,
      fetchWait: null,
      sync: { count: 1 },
      loopDelay: null,
    },
    connections: [{ listener: "kafka", open: 3, refused: 2, bytesIn: 10, bytesOut: 20 }],
    topics: 1,
    partitions: 1,
    offlinePartitions: 0,
    groups: { classic: 2, consumer: 1 },
    lag: { total: null, groups: 0, partitions: 0, unknownPartitions: 0 },
    disk: { isFull: false, openDescriptors: 17 },
    memory: {
      residentBytes: 1234,
      maxBytes: 4096,
      shared: [{ use: "requests", usedBytes: 7, limitBytes: 100, waiting: 1 }],
    },
  });
});

test("latencies are those of the last five seconds", async () => {
  const { clock, http, store } = await started();
  await using _ = http;
  await store(["a"]);
  const counts: unknown[] = [];
  for (let second = 0; second < 6; second += 1) {
    const [, body] = await http.ask("/overview");
    counts.push((body as { latency: { produce: { count: number } | null } }).latency.produce?.count ?? 0);
    clock.advance(TICK_MS);
  }
  expect(counts).toEqual([1, 1, 1, 1, 1, 0]);
});

test("what is produced over HTTP counts among the latencies", async () => {
  const { http } = await started();
  await using _ = http;
  const [status] = await http.ask("/topics/t/messages", { method: "POST", body: '{"value": "a"}' });
  expect(status).toBe(200);
  const [, body] = await http.ask("/overview");
  expect((body as { latency: { produce: unknown } }).latency.produce).toMatchObject({ count: 1 });
});

test("the history has a sample each five seconds, with the lag of each group that is known", async () => {
  const { clock, http, lags, store, sampled } = await started();
  await using _ = http;
  await sampled(1);
  await store(["a", "b"]);
  lags.push({ group: "billing", lag: 7, lagMax: 4, partitions: 2, unknown: 0 });
  lags.push({ group: "audit", lag: null, lagMax: null, partitions: 1, unknown: 1 });
  clock.advance(HISTORY_STEP_MS);
  const { stepMs, series, lagByGroup } = await sampled(2);
  expect(stepMs).toBe(5000);
  const at = clock.nowMs();
  expect(series["at"]).toEqual([at - 5000, at]);
  expect(series["messagesStored"]).toEqual([0, 2]);
  expect(series["produceP50Ms"]).toEqual([null, 1.75]);
  expect(series["lag"]).toEqual([null, 7]);
  expect(series["connections"]).toEqual([3, 3]);
  expect(series["health"]).toEqual([1, 1]);
  expect(series["logBytes"]).toEqual([0, 77]);
  expect(lagByGroup).toEqual({ billing: [null, 7] });
  const [, body] = await http.ask("/overview");
  expect((body as { lag: unknown }).lag).toEqual({
    total: 7,
    groups: 2,
    partitions: 3,
    unknownPartitions: 1,
  });
});

test("a health that changes is in the next second's overview", async () => {
  const { clock, broker, http } = await started();
  await using _ = http;
  const status = async () => {
    const [, body] = await http.ask("/overview");
    return (body as { health: { status: string } }).health.status;
  };
  expect(await status()).toBe("healthy");
  Object.assign(broker.state, { refusal: "the state file could not be synced" });
  expect(await status()).toBe("healthy");
  clock.advance(TICK_MS);
  expect(await status()).toBe("degraded");
});
