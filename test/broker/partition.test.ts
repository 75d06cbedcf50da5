import { expect, test } from "bun:test";
import { fail } from "../../src/base/assert.ts";
import { ObeliskError, wireCode } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { DAY_MS } from "../../src/base/units.ts";
import type { BrokerOptions } from "../../src/broker/broker.ts";
import { BATCH_CRC } from "../../src/protocol/record/batch.ts";
import type { RecordSpan } from "../../src/storage/contract.ts";
import { noRecords } from "../../src/storage/held-records.ts";
import { batchOf, bytesOf, recordsIn } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { GatedEngine, turns } from "../support/gated-engine.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { appendTo, logOf, logPartition } from "../support/partitions.ts";

async function opened(configs: Record<string, string> = {}, options: Partial<BrokerOptions> = {}) {
  const engine = new GatedEngine();
  const broker = await openBroker(options, { engine });
  const topic = await broker.topics.create("t", { partitions: 1, configs });
  return { engine, broker, partition: topic.partitions[0]! };
}

const STORAGE_ERROR = wireCode("KAFKA_STORAGE_ERROR");
const gone = expect.objectContaining({ code: "UNKNOWN_TOPIC_OR_PARTITION" });

async function readAll(span: RecordSpan | Promise<RecordSpan>) {
  return recordsIn(await bytesOf(span));
}

test("the outcome of a batch is told, and the batch is visible, when the sync ends", async () => {
  const { engine, partition } = await opened();
  const append = appendTo(partition, batchOf(["a", "b"]));
  const woken: number[] = [];
  partition.addReader({ wake: () => woken.push(partition.highWatermark) });
  await turns();
  expect([partition.highWatermark, append.outcome, woken]).toEqual([0, null, []]);
  expect(await readAll(partition.span(0, 1000, true))).toEqual([]);
  await engine.waiting[0]!.end();
  expect(append.outcome).toEqual({ errorCode: 0, errorMessage: null, baseOffset: 0, logAppendTimeMs: -1 });
  expect([partition.highWatermark, woken]).toEqual([2, [2]]);
  expect(await readAll(partition.span(0, 1000, true))).toEqual([
    [0, "a"],
    [1, "b"],
  ]);
});

test("what is written while a sync runs shares the next one", async () => {
  const { engine, partition } = await opened();
  const first = appendTo(partition, batchOf(["first"]));
  await turns();
  const later = [appendTo(partition, batchOf(["second"])), appendTo(partition, batchOf(["third"]))];
  await turns();
  expect(engine.started.length).toBe(1);
  await engine.waiting[0]!.end();
  expect([partition.highWatermark, engine.started.length]).toEqual([1, 2]);
  await engine.waiting[0]!.end();
  expect([partition.highWatermark, engine.started.length]).toEqual([3, 2]);
  expect([first, ...later].map(({ told }) => told.baseOffset)).toEqual([0, 1, 2]);
});

test("a failed sync takes the partition offline: waiters are told, appends refused, old records still read", async () => {
  const { engine, partition, broker } = await opened();
  appendTo(partition, batchOf(["kept"]));
  await turns();
  await engine.waiting[0]!.end();
  const second = appendTo(partition, batchOf(["lost"]));
  await turns();
  await engine.waiting[0]!.end(true);
  expect(second.outcome).toEqual({
    errorCode: STORAGE_ERROR,
    errorMessage: "storage error: the partition cannot be written or read; the records were not committed",
    baseOffset: -1,
    logAppendTimeMs: -1,
  });
  expect([partition.isUnavailable, broker.counters.syncFailures]).toEqual([true, 1]);
  expect(appendTo(partition, batchOf(["refused"])).told.errorCode).toBe(STORAGE_ERROR);
  expect(await readAll(partition.span(0, 1000, true))).toEqual([[0, "kept"]]);
});

test("damaged, oversized and old-format batches are refused with Kafka's numbers and change nothing", async () => {
  const { partition, broker } = await opened({ "max.message.bytes": "1024" });
  const damaged = batchOf(["x"]);
  damaged[BATCH_CRC]! ^= 1;
  const large = batchOf(["x".repeat(2000)]);
  const old = batchOf(["x"]);
  old[16] = 1;
  const codes = [damaged, large, old].map((batch) => appendTo(partition, batch).told.errorCode);
  expect(codes).toEqual([
    wireCode("CORRUPT_MESSAGE"),
    wireCode("MESSAGE_TOO_LARGE"),
    wireCode("INVALID_RECORD"),
  ]);
  expect([logOf(partition).endOffset, broker.counters.messagesFailed]).toEqual([0, 3]);
});

test("a batch that an idempotent producer sends again is answered with its first offset and stored once", async () => {
  const { engine, partition, broker } = await opened();
  const build = (baseSequence: number) => batchOf(["v"], { producerId: 5, producerEpoch: 0, baseSequence });
  const appends = [0, 1].map((sequence) => appendTo(partition, build(sequence)));
  await turns();
  await engine.waiting[0]!.end();
  appends.push(appendTo(partition, build(0)));
  expect(appends.map(({ told }) => told.baseOffset)).toEqual([0, 1, 0]);
  expect([logOf(partition).endOffset, broker.counters.duplicateBatches]).toEqual([2, 1]);
  expect(appendTo(partition, build(7)).told.errorCode).toBe(wireCode("OUT_OF_ORDER_SEQUENCE_NUMBER"));
});

test("a topic that stamps records itself says when", async () => {
  const { engine, partition } = await opened({ "message.timestamp.type": "LogAppendTime" });
  const before = Date.now();
  const append = appendTo(partition, batchOf(["v"]));
  await turns();
  await engine.waiting[0]!.end();
  const { logAppendTimeMs } = append.told;
  expect(logAppendTimeMs).toBeGreaterThanOrEqual(before);
  expect(await partition.offsetForTimestamp(before)).toMatchObject({
    offset: 0,
    timestampMs: logAppendTimeMs,
  });
});

test("offsets outside the log are refused, the end of the log is an empty response", async () => {
  const { partition } = await opened();
  expect(await bytesOf(partition.span(0, 1000, true))).toHaveLength(0);
  expect(() => partition.span(1, 1000, true)).toThrow("the offset is out of the partition's range");
  expect(() => partition.span(-1, 1000, true)).toThrow("the offset is out of the partition's range");
});

test("a removed topic lets go of everyone who waits, and is told as gone, not as a broken disk", async () => {
  const { engine, broker, partition } = await opened();
  let wakes = 0;
  const append = appendTo(partition, batchOf(["v"]));
  partition.addReader({ wake: () => (wakes += 1) });
  await turns();
  await broker.topics.remove("t");
  expect([append.told.errorCode, wakes, partition.isUnavailable, broker.topics.get("t")]).toEqual([
    wireCode("UNKNOWN_TOPIC_OR_PARTITION"),
    1,
    true,
    undefined,
  ]);
  expect(appendTo(partition, batchOf(["late"])).told).toMatchObject({
    errorCode: wireCode("UNKNOWN_TOPIC_OR_PARTITION"),
    errorMessage: "the topic was removed",
  });
  expect(() => partition.span(0, 1000, true)).toThrow(gone);
  expect(partition.offsetForTimestamp(0)).rejects.toThrow(gone);
  expect(partition.offsetOfMaxTimestamp()).rejects.toThrow(gone);
  await engine.waiting[0]!.end();
});

test("a partition that is offline never calls an offset out of range: a consumer would throw its position away", async () => {
  const { engine, partition } = await opened();
  const batch = batchOf(["lost"]);
  appendTo(partition, batch);
  await turns();
  await engine.waiting[0]!.end(true);
  for (const offset of [-1, 2, 60]) {
    expect(() => partition.span(offset, 1000, true)).toThrow(
      expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }),
    );
  }
});

for (const response of ["nothing", "an error"] as const) {
  test(`a topic that is removed while the disk is asked is gone, also when the disk answers ${response} about its files`, async () => {
    const { partition, engine } = await opened({}, { recentBytesMax: 0 });
    const batch = batchOf(["v"]);
    appendTo(partition, batch);
    await turns();
    await engine.waiting[0]!.end();
    let end = () => {};
    const requested = new Promise<RecordSpan>((resolve, reject) => {
      end = () =>
        response === "nothing" ? resolve(noRecords(0)) : reject(new ObeliskError("KAFKA_STORAGE_ERROR"));
    });
    logOf(partition).span = () => requested;
    const read = partition.span(0, 1000, true);
    logPartition(partition).retire();
    end();
    expect(read).rejects.toThrow(gone);
  });
}

test("the next sync is under way before the responses of the last one go out", async () => {
  const { engine, partition } = await opened();
  const startedAtResponse: number[] = [];
  const first = batchOf(["first"]);
  partition.append(first, 0, first.length, {
    appended: () => void startedAtResponse.push(engine.started.length),
  });
  await turns();
  appendTo(partition, batchOf(["second"]));
  await engine.waiting[0]!.end();
  expect(startedAtResponse).toEqual([2]);
});

test("what an unknown producer sends after its first batch is not stored before it, when the disk refuses that", async () => {
  const broker = await openBroker();
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  const write = logOf(partition).append.bind(logOf(partition));
  const send = async (baseSequence: number) => {
    const { done } = appendTo(
      partition,
      batchOf([`v${baseSequence}`], { producerId: 7, producerEpoch: 0, baseSequence }),
    );
    const { errorCode, baseOffset } = await done;
    return [errorCode, baseOffset];
  };
  logOf(partition).append = () => {
    throw new ObeliskError("DISK_FULL");
  };
  expect(await send(0)).toEqual([wireCode("DISK_FULL"), -1]);
  logOf(partition).append = write;
  expect([await send(1), await send(0), await send(1), await send(0)]).toEqual([
    [wireCode("OUT_OF_ORDER_SEQUENCE_NUMBER"), -1],
    [0, 0],
    [0, 1],
    [0, 0],
  ]);
});

test("a disk that refuses is told once when it starts and once when it ends, and producers can go on then", async () => {
  const told: string[] = [];
  const log = {
    ...silentLog,
    error: (message: string) => void told.push(message),
    info: (message: string) => void told.push(message),
  };
  const broker = await openBroker({}, { log });
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  const write = logOf(partition).append.bind(logOf(partition));
  const append = async () => (await appendTo(partition, batchOf(["v"])).done).errorCode;
  logOf(partition).append = () => {
    throw new ObeliskError("DISK_FULL");
  };
  expect([await append(), await append()]).toEqual([wireCode("DISK_FULL"), wireCode("DISK_FULL")]);
  logOf(partition).append = write;
  expect([await append(), await append(), logOf(partition).endOffset]).toEqual([0, 0, 2]);
  expect(told).toEqual(["append failed; produce requests get KAFKA_STORAGE_ERROR", "appends succeed again"]);
});

/** A partition with one batch that is on disk and one whose sync has failed, both of one producer. */
async function offlineWithDuplicates() {
  const { engine, partition, broker } = await opened();
  const send = (baseSequence: number) => {
    const batch = batchOf(["v"], { producerId: 5, producerEpoch: 0, baseSequence });
    return appendTo(partition, batch);
  };
  send(0);
  await turns();
  await engine.waiting[0]!.end();
  send(1);
  await turns();
  return { engine, partition, broker, send };
}

test("a duplicate of what waits for its sync is acknowledged with it, or fails with it", async () => {
  for (const isFailed of [false, true]) {
    const { engine, send } = await offlineWithDuplicates();
    const again = [send(1), send(1)];
    expect(again.map(({ outcome }) => outcome)).toEqual([null, null]);
    await engine.waiting[0]!.end(isFailed);
    const told = isFailed ? [STORAGE_ERROR, -1] : [0, 1];
    expect(again.map(({ told: { errorCode, baseOffset } }) => [errorCode, baseOffset])).toEqual([told, told]);
  }
});

test("an offline partition takes no batch for a duplicate, neither one that is on disk nor one that may be lost", async () => {
  const { engine, broker, send } = await offlineWithDuplicates();
  await engine.waiting[0]!.end(true);
  const { duplicateBatches } = broker.counters;
  expect([0, 1, 2].map((sequence) => send(sequence).told)).toEqual(
    Array(3).fill({
      errorCode: STORAGE_ERROR,
      errorMessage: "the partition is offline after a disk error",
      baseOffset: -1,
      logAppendTimeMs: -1,
    }),
  );
  expect(broker.counters.duplicateBatches).toBe(duplicateBatches);
});

test("a duplicate is refused from the moment in which its log goes offline, also while the sync still runs", async () => {
  const { engine, partition, send } = await offlineWithDuplicates();
  logOf(partition).lose();
  expect(send(1).told.errorCode).toBe(STORAGE_ERROR);
  await engine.waiting[0]!.end(true);
  expect(partition.highWatermark).toBe(1);
});

test("a log may say at any time that more is durable, also while no sync runs, and outcomes are told then", async () => {
  const { engine, partition } = await opened();
  const append = appendTo(partition, batchOf(["v"]));
  const log = logOf(partition);
  Object.assign(log, { durableOffset: 1 });
  log.onDurable!();
  expect([append.told.baseOffset, partition.highWatermark, engine.started]).toEqual([0, 1, []]);
  await turns();
  await engine.waiting[0]!.end();
  expect(partition.highWatermark).toBe(1);
});

test("with durability os, what was written when the log went offline is neither seen nor acknowledged", async () => {
  const { engine, partition } = await opened({}, { durability: { mode: "os" } });
  const append = appendTo(partition, batchOf(["lost"]));
  logOf(partition).lose();
  await turns();
  expect([append.told.errorCode, partition.highWatermark, engine.started]).toEqual([STORAGE_ERROR, 0, []]);
});

test("a fault of our own takes the partition offline, and is told as what it is and not as a broken disk", async () => {
  const told: [string, unknown][] = [];
  const log = { ...silentLog, error: (message: string, facts: unknown) => void told.push([message, facts]) };
  const engine = new GatedEngine();
  const broker = await openBroker({}, { engine, log });
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  const append = () => {
    return appendTo(partition, batchOf(["v"]));
  };
  const before = append();
  await turns();
  logOf(partition).append = () => fail("an entry of the index goes back");
  const refused = {
    errorCode: STORAGE_ERROR,
    errorMessage: "the partition is offline after a fault of Obelisk itself",
  };
  expect([append().told, append().told]).toMatchObject([refused, refused]);
  expect(told).toEqual([
    [
      "a fault of Obelisk itself, and not of the disk: the partition is offline until the next start; please report it",
      { topic: "t", partition: 0, error: expect.stringContaining("an entry of the index goes back") },
    ],
  ]);
  expect([partition.isUnavailable, partition.diskRefusal, partition.ownFault, before.told.errorCode]).toEqual(
    [true, null, "an entry of the index goes back", STORAGE_ERROR],
  );
  logPartition(partition).checkpoint();
  expect(logOf(partition).bytesSinceCheckpoint).toBeGreaterThan(0);
  await engine.waiting[0]!.end(true);
  expect(partition.highWatermark).toBe(0);
});

test("a fault of our own after the write takes the partition offline as well", async () => {
  const { partition } = await opened();
  const first = batchOf(["v"]);
  appendTo(partition, first);
  Object.assign(logOf(partition), { endOffset: 7 });
  const second = batchOf(["v"]);
  expect(appendTo(partition, second).told.errorCode).toBe(STORAGE_ERROR);
  expect(partition.ownFault).toBe("a batch does not follow the newest one in memory");
});

test("a batch that the log refuses for what it is is no refusal of the disk", async () => {
  const told: string[] = [];
  const log = { ...silentLog, error: (message: string) => void told.push(message) };
  const broker = await openBroker({}, { log });
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  logOf(partition).append = () => {
    throw new ObeliskError("POLICY_VIOLATION", { detail: "the offsets are used up" });
  };
  expect(appendTo(partition, batchOf(["v"])).told).toMatchObject({
    errorCode: wireCode("POLICY_VIOLATION"),
    errorMessage: "the offsets are used up",
  });
  expect([told, partition.diskRefusal, partition.isUnavailable]).toEqual([[], null, false]);
});

test("how long a producer is remembered is no matter of the wall clock, which may be set back and forward", async () => {
  const clock = new ManualClock();
  const broker = await openBroker({ producerIdExpirationMs: DAY_MS }, { clock });
  const partition = (await broker.topics.create("t", { partitions: 1, configs: {} })).partitions[0]!;
  const append = async (baseSequence: number) => {
    const batch = batchOf(["a"], { producerId: 7, producerEpoch: 0, baseSequence });
    const { errorCode, baseOffset } = await appendTo(partition, batch).done;
    return [errorCode, baseOffset];
  };
  expect(await append(0)).toEqual([0, 0]);
  clock.setWallClock(3 * DAY_MS);
  expect(await append(0)).toEqual([0, 0]);
  clock.setWallClock(-6 * DAY_MS);
  clock.advance(DAY_MS - 1);
  expect(await append(9)).toEqual([wireCode("OUT_OF_ORDER_SEQUENCE_NUMBER"), -1]);
  clock.advance(1);
  expect(await append(9)).toEqual([0, 1]);
  await broker.close();
});
