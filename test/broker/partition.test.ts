import { expect, test } from "bun:test";
import { fail } from "../../src/base/assert.ts";
import { type ErrorCode, ObeliskError, wireCode } from "../../src/base/errors.ts";
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

async function opened(configs: Record<string, string> = {}, options: Partial<BrokerOptions> = {}) {
  const engine = new GatedEngine();
  const broker = await openBroker(options, { engine });
  const topic = await broker.topics.create("t", { partitions: 1, configs });
  return { engine, broker, partition: topic.partitions[0]! };
}

const gone = expect.objectContaining({ code: "UNKNOWN_TOPIC_OR_PARTITION" });

async function readAll(span: RecordSpan | Promise<RecordSpan>) {
  return recordsIn(await bytesOf(span));
}

test("a batch gets its offset at once, and becomes visible and acknowledged when the sync ends", async () => {
  const { engine, partition } = await opened();
  const batch = batchOf(["a", "b"]);
  const result = partition.append(batch, 0, batch.length);
  expect(result).toEqual({
    errorCode: 0,
    errorMessage: null,
    baseOffset: 0,
    logAppendTimeMs: -1,
    endOffset: 2,
  });
  const responses: (ErrorCode | null)[] = [];
  const woken: number[] = [];
  partition.whenDurable(2, (error) => responses.push(error));
  partition.addReader({ wake: () => woken.push(partition.highWatermark) });
  await turns();
  expect([partition.highWatermark, responses, woken]).toEqual([0, [], []]);
  expect(await readAll(partition.span(0, 1000, true))).toEqual([]);
  await engine.waiting[0]!.end();
  expect([partition.highWatermark, responses, woken]).toEqual([2, [null], [2]]);
  expect(await readAll(partition.span(0, 1000, true))).toEqual([
    [0, "a"],
    [1, "b"],
  ]);
});

test("what is written while a sync runs shares the next one", async () => {
  const { engine, partition } = await opened();
  const append = (text: string) => {
    const batch = batchOf([text]);
    return partition.append(batch, 0, batch.length).baseOffset;
  };
  append("first");
  await turns();
  expect([append("second"), append("third")]).toEqual([1, 2]);
  await turns();
  expect(engine.started.length).toBe(1);
  await engine.waiting[0]!.end();
  expect([partition.highWatermark, engine.started.length]).toEqual([1, 2]);
  await engine.waiting[0]!.end();
  expect([partition.highWatermark, engine.started.length]).toEqual([3, 2]);
});

test("a failed sync takes the partition offline: waiters are told, appends refused, old records still read", async () => {
  const { engine, partition, broker } = await opened();
  const first = batchOf(["kept"]);
  partition.append(first, 0, first.length);
  await turns();
  await engine.waiting[0]!.end();
  const second = batchOf(["lost"]);
  const result = partition.append(second, 0, second.length);
  const responses: (ErrorCode | null)[] = [];
  partition.whenDurable(result.endOffset, (error) => responses.push(error));
  await turns();
  await engine.waiting[0]!.end(true);
  partition.whenDurable(result.endOffset, (error) => responses.push(error));
  expect([responses, partition.isOffline, broker.counters.syncFailures]).toEqual([
    ["KAFKA_STORAGE_ERROR", "KAFKA_STORAGE_ERROR"],
    true,
    1,
  ]);
  const third = batchOf(["refused"]);
  expect(partition.append(third, 0, third.length).errorCode).toBe(wireCode("KAFKA_STORAGE_ERROR"));
  expect(await readAll(partition.span(0, 1000, true))).toEqual([[0, "kept"]]);
});

test("damaged, oversized and old-format batches are refused with Kafka's numbers and change nothing", async () => {
  const { partition, broker } = await opened({ "max.message.bytes": "1024" });
  const damaged = batchOf(["x"]);
  damaged[BATCH_CRC]! ^= 1;
  const large = batchOf(["x".repeat(2000)]);
  const old = batchOf(["x"]);
  old[16] = 1;
  const codes = [damaged, large, old].map((batch) => partition.append(batch, 0, batch.length).errorCode);
  expect(codes).toEqual([
    wireCode("CORRUPT_MESSAGE"),
    wireCode("MESSAGE_TOO_LARGE"),
    wireCode("INVALID_RECORD"),
  ]);
  expect([partition.endOffset, broker.counters.messagesFailed]).toEqual([0, 3]);
});

test("a batch that an idempotent producer sends again is answered with its first offset and stored once", async () => {
  const { partition, broker } = await opened();
  const build = (baseSequence: number) => batchOf(["v"], { producerId: 5, producerEpoch: 0, baseSequence });
  const offsets = [0, 1, 0].map((sequence) => {
    const batch = build(sequence);
    return partition.append(batch, 0, batch.length).baseOffset;
  });
  expect([offsets, partition.endOffset, broker.counters.duplicateBatches]).toEqual([[0, 1, 0], 2, 1]);
  const gap = build(7);
  expect(partition.append(gap, 0, gap.length).errorCode).toBe(wireCode("OUT_OF_ORDER_SEQUENCE_NUMBER"));
});

test("a topic that stamps records itself says when", async () => {
  const { engine, partition } = await opened({ "message.timestamp.type": "LogAppendTime" });
  const before = Date.now();
  const batch = batchOf(["v"]);
  const result = partition.append(batch, 0, batch.length);
  expect(result.logAppendTimeMs).toBeGreaterThanOrEqual(before);
  await turns();
  await engine.waiting[0]!.end();
  expect(await partition.offsetForTimestamp(before)).toMatchObject({
    offset: 0,
    timestampMs: result.logAppendTimeMs,
  });
});

test("offsets outside the log are refused, the end of the log is an empty answer", async () => {
  const { partition } = await opened();
  expect(await bytesOf(partition.span(0, 1000, true))).toHaveLength(0);
  expect(() => partition.span(1, 1000, true)).toThrow("the offset is not within what the partition holds");
  expect(() => partition.span(-1, 1000, true)).toThrow("the offset is not within what the partition holds");
});

test("a removed topic lets go of everyone who waits, and is told as gone, not as a broken disk", async () => {
  const { engine, broker, partition } = await opened();
  const batch = batchOf(["v"]);
  const responses: (ErrorCode | null)[] = [];
  let wakes = 0;
  partition.append(batch, 0, batch.length);
  partition.whenDurable(1, (error) => responses.push(error));
  partition.addReader({ wake: () => (wakes += 1) });
  await turns();
  await broker.topics.remove("t");
  expect([responses, wakes, partition.isOffline, broker.topics.get("t")]).toEqual([
    ["UNKNOWN_TOPIC_OR_PARTITION"],
    1,
    true,
    undefined,
  ]);
  const late = batchOf(["late"]);
  expect(partition.append(late, 0, late.length)).toMatchObject({
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
  partition.append(batch, 0, batch.length);
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
    partition.append(batch, 0, batch.length);
    await turns();
    await engine.waiting[0]!.end();
    let end = () => {};
    const requested = new Promise<RecordSpan>((resolve, reject) => {
      end = () =>
        response === "nothing" ? resolve(noRecords(0)) : reject(new ObeliskError("KAFKA_STORAGE_ERROR"));
    });
    partition.log.span = () => requested;
    const read = partition.span(0, 1000, true);
    partition.retire();
    end();
    expect(read).rejects.toThrow(gone);
  });
}

test("the next sync is under way before the answers of the last one go out", async () => {
  const { engine, partition } = await opened();
  const append = (text: string) => {
    const batch = batchOf([text]);
    return partition.append(batch, 0, batch.length).endOffset;
  };
  const startedAtResponse: number[] = [];
  partition.whenDurable(append("first"), () => startedAtResponse.push(engine.started.length));
  await turns();
  append("second");
  await engine.waiting[0]!.end();
  expect(startedAtResponse).toEqual([2]);
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
  const write = partition.log.append.bind(partition.log);
  const append = () => {
    const batch = batchOf(["v"]);
    return partition.append(batch, 0, batch.length).errorCode;
  };
  partition.log.append = () => {
    throw new ObeliskError("DISK_FULL");
  };
  expect([append(), append()]).toEqual([wireCode("DISK_FULL"), wireCode("DISK_FULL")]);
  partition.log.append = write;
  expect([append(), append(), partition.endOffset]).toEqual([0, 0, 2]);
  expect(told).toEqual([
    "the disk refuses records, and producers are told so",
    "the disk takes records again",
  ]);
});

/** A partition with one batch that is on disk and one whose sync has failed, both of one producer. */
async function offlineWithDuplicates() {
  const { engine, partition, broker } = await opened();
  const send = (baseSequence: number) => {
    const batch = batchOf(["v"], { producerId: 5, producerEpoch: 0, baseSequence });
    return partition.append(batch, 0, batch.length);
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
    const { engine, partition, send } = await offlineWithDuplicates();
    const responses: (ErrorCode | null)[] = [];
    const again = send(1);
    expect(again).toMatchObject({ errorCode: 0, baseOffset: 1, endOffset: 2 });
    partition.whenDurable(again.endOffset, (error) => responses.push(error));
    expect(responses).toEqual([]);
    await engine.waiting[0]!.end(isFailed);
    expect(responses).toEqual([isFailed ? "KAFKA_STORAGE_ERROR" : null]);
  }
});

test("an offline partition takes no batch for a duplicate, neither one that is on disk nor one that may be lost", async () => {
  const { engine, broker, send } = await offlineWithDuplicates();
  await engine.waiting[0]!.end(true);
  const { duplicateBatches } = broker.counters;
  expect([0, 1, 2].map((sequence) => send(sequence))).toEqual(
    Array(3).fill({
      errorCode: wireCode("KAFKA_STORAGE_ERROR"),
      errorMessage: "the partition is offline after a disk error",
      baseOffset: -1,
      logAppendTimeMs: -1,
      endOffset: -1,
    }),
  );
  expect(broker.counters.duplicateBatches).toBe(duplicateBatches);
});

test("a duplicate is refused from the moment in which its log goes offline, also while the sync still runs", async () => {
  const { engine, partition, send } = await offlineWithDuplicates();
  partition.log.lose();
  expect(send(1).errorCode).toBe(wireCode("KAFKA_STORAGE_ERROR"));
  await engine.waiting[0]!.end(true);
  expect(partition.highWatermark).toBe(1);
});

test("with durability os, what was written when the log went offline is neither seen nor acknowledged", async () => {
  const { engine, partition } = await opened({}, { durability: { mode: "os" } });
  const responses: (ErrorCode | null)[] = [];
  const batch = batchOf(["lost"]);
  const { endOffset } = partition.append(batch, 0, batch.length);
  partition.whenDurable(endOffset, (error) => responses.push(error));
  partition.log.lose();
  await turns();
  expect([responses, partition.highWatermark, engine.started]).toEqual([["KAFKA_STORAGE_ERROR"], 0, []]);
});

test("a fault of our own takes the partition offline, and is told as what it is and not as a broken disk", async () => {
  const told: [string, unknown][] = [];
  const log = { ...silentLog, error: (message: string, facts: unknown) => void told.push([message, facts]) };
  const engine = new GatedEngine();
  const broker = await openBroker({}, { engine, log });
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  const append = () => {
    const batch = batchOf(["v"]);
    return partition.append(batch, 0, batch.length);
  };
  const responses: (ErrorCode | null)[] = [];
  partition.whenDurable(append().endOffset, (error) => responses.push(error));
  await turns();
  partition.log.append = () => fail("an entry of the index goes back");
  const refused = {
    errorCode: wireCode("KAFKA_STORAGE_ERROR"),
    errorMessage: "the partition is offline after a fault of Obelisk itself",
  };
  expect([append(), append()]).toMatchObject([refused, refused]);
  expect(told).toEqual([
    [
      "a fault of Obelisk itself, and not of the disk: the partition is offline until the next start; please report it",
      { topic: "t", partition: 0, error: expect.stringContaining("an entry of the index goes back") },
    ],
  ]);
  expect([partition.isOffline, partition.diskRefusal, partition.ownFault, responses]).toEqual([
    true,
    null,
    "an entry of the index goes back",
    ["KAFKA_STORAGE_ERROR"],
  ]);
  partition.checkpoint();
  expect(partition.log.bytesSinceCheckpoint).toBeGreaterThan(0);
  await engine.waiting[0]!.end(true);
  expect(partition.highWatermark).toBe(0);
});

test("a fault of our own behind the write takes the partition offline as well", async () => {
  const { partition } = await opened();
  const first = batchOf(["v"]);
  partition.append(first, 0, first.length);
  Object.assign(partition.log, { endOffset: 7 });
  const second = batchOf(["v"]);
  expect(partition.append(second, 0, second.length).errorCode).toBe(wireCode("KAFKA_STORAGE_ERROR"));
  expect(partition.ownFault).toBe("a batch does not follow the newest one in memory");
});

test("a batch that the log refuses for what it is is no refusal of the disk", async () => {
  const told: string[] = [];
  const log = { ...silentLog, error: (message: string) => void told.push(message) };
  const broker = await openBroker({}, { log });
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  partition.log.append = () => {
    throw new ObeliskError("POLICY_VIOLATION", { detail: "the offsets are used up" });
  };
  const batch = batchOf(["v"]);
  expect(partition.append(batch, 0, batch.length)).toMatchObject({
    errorCode: wireCode("POLICY_VIOLATION"),
    errorMessage: "the offsets are used up",
  });
  expect([told, partition.diskRefusal, partition.isOffline]).toEqual([[], null, false]);
});

test("how long a producer is remembered is no matter of the wall clock, which may be set back and forward", async () => {
  const clock = new ManualClock();
  const broker = await openBroker({ producerIdExpirationMs: DAY_MS }, { clock });
  const partition = (await broker.topics.create("t", { partitions: 1, configs: {} })).partitions[0]!;
  const append = (baseSequence: number) => {
    const batch = batchOf(["a"], { producerId: 7, producerEpoch: 0, baseSequence });
    const { errorCode, baseOffset } = partition.append(batch, 0, batch.length);
    return [errorCode, baseOffset];
  };
  expect(append(0)).toEqual([0, 0]);
  clock.setWallClock(3 * DAY_MS);
  expect(append(0)).toEqual([0, 0]);
  clock.setWallClock(-6 * DAY_MS);
  clock.advance(DAY_MS - 1);
  expect(append(9)).toEqual([wireCode("OUT_OF_ORDER_SEQUENCE_NUMBER"), -1]);
  clock.advance(1);
  expect(append(9)).toEqual([0, 1]);
  await broker.close();
});
