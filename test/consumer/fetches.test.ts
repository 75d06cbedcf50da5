/** The long poll over partitions in memory, with a clock that the test turns. */

import { beforeEach, expect, test } from "bun:test";
import type { Clock } from "../../src/base/clock.ts";
import { ObeliskError, wireCode } from "../../src/base/errors.ts";
import { FetchSlot } from "../../src/consumer/fetch-slot.ts";
import { Fetches } from "../../src/consumer/fetches.ts";
import { type Fetch, type FetchOptions, FetchRotation, THROTTLE_MS } from "../../src/consumer/long-poll.ts";
import { bytesOf } from "../support/batches.ts";
import { FakePartition } from "../support/kafka-fake-partition.ts";

class StepClock implements Clock {
  readonly timers = new Map<() => void, number>();
  nowMs = () => 0;
  monotonicMs = () => 0;
  steadyMs = () => 0;
  after(delayMs: number, callback: () => void) {
    this.timers.set(callback, delayMs);
    return { cancel: () => void this.timers.delete(callback) };
  }
  fire(): void {
    for (const callback of [...this.timers.keys()]) {
      this.timers.delete(callback);
      callback();
    }
  }
}

const WAIT: FetchOptions = { minBytes: 1, maxWaitMs: 500, maxBytes: 10_000 };
let clock: StepClock;
let fetches: Fetches;
let rotation: FetchRotation;
let done: { fetch: Fetch; failure: unknown }[];

beforeEach(() => {
  clock = new StepClock();
  fetches = new Fetches(clock, { openMax: 3, responseBytesMax: 50_000 });
  rotation = new FetchRotation();
  done = [];
});

function start(slots: FetchSlot[], options = WAIT): Fetch {
  return fetches.start(slots, options, rotation, {
    fetchDone: (fetch, failure) => void done.push({ fetch, failure }),
  });
}

function slot(partition: FakePartition, offset = 0, bytesMax = 5000): FetchSlot {
  return new FetchSlot(partition, offset, bytesMax);
}

/** Everything at rest: nothing waits. */
function expectIdle(): void {
  expect({ open: fetches.openCount, timers: clock.timers.size }).toEqual({ open: 0, timers: 0 });
}

function recordsOf(fetch: Fetch, index = 0): Promise<Buffer> {
  return bytesOf(fetch.slots[index]!.records);
}

const flush = () => Promise.resolve().then(() => {});

test("records in memory are answered in the same turn", async () => {
  const partition = new FakePartition();
  const batch = partition.append(3, 200);
  const fetch = start([slot(partition)]);
  expect(done).toEqual([{ fetch, failure: null }]);
  expect(fetch.slots[0]).toMatchObject({ errorCode: 0, highWatermark: 3, startOffset: 0 });
  expect(await recordsOf(fetch)).toEqual(batch);
  expectIdle();
});

test("an offset inside a batch gives the whole batch", async () => {
  const partition = new FakePartition();
  partition.append(3, 100);
  const batch = partition.append(5, 200);
  expect(await recordsOf(start([slot(partition, 6)]))).toEqual(batch);
});

test("an offset at the end waits, and the next commit answers it once", async () => {
  const partition = new FakePartition();
  partition.append(1, 100);
  const fetch = start([slot(partition, 1)]);
  partition.write(1, 100);
  await flush();
  expect(done).toEqual([]);
  partition.commit();
  const second = partition.append(2, 100);
  await flush();
  expect(done.length).toBe(1);
  expect((await recordsOf(fetch)).subarray(100)).toEqual(second);
  expectIdle();
  expect(partition.readers.size).toBe(0);
});

test("written records above the high watermark are not read, and asking for them is no error", () => {
  const partition = new FakePartition();
  partition.write(4, 100);
  const fetch = start([slot(partition, 2)]);
  expect(fetch.isDone).toBe(false);
  fetch.cancel();
});

test("only offsets below the start and beyond the end are out of range, and that is answered at once", () => {
  const partition = new FakePartition();
  partition.append(4, 100);
  partition.startOffset = 2;
  for (const [offset, code] of [
    [1, wireCode("OFFSET_OUT_OF_RANGE")],
    [5, wireCode("OFFSET_OUT_OF_RANGE")],
    [-1, wireCode("OFFSET_OUT_OF_RANGE")],
  ] as const) {
    const fetch = start([slot(partition, offset), slot(new FakePartition())]);
    expect(fetch.isDone).toBe(true);
    expect(fetch.slots[0]).toMatchObject({ errorCode: code, highWatermark: -1, startOffset: -1 });
    expect(fetch.slots[1]).toMatchObject({ errorCode: 0, highWatermark: 0, startOffset: 0 });
  }
  expectIdle();
});

test("whether an offset beyond the bounds that a partition shows is out of range, the partition says, and it may have to ask first", async () => {
  const lagging = new FakePartition();
  lagging.write(4, 100);
  lagging.isOnDisk = true;
  const waiting = start([slot(lagging, 4)]);
  const wrong = start([slot(lagging, 5)]);
  const refused = new FakePartition();
  refused.isOnDisk = true;
  refused.failure = new ObeliskError("OFFSET_OUT_OF_RANGE");
  const outside = start([slot(refused, 1)]);
  expect([waiting.isDone, wrong.isDone, outside.isDone]).toEqual([false, true, true]);
  lagging.releaseReads();
  await Promise.resolve();
  expect([waiting.isWaiting, wrong.slots[0]!.errorCode, outside.slots[0]!.errorCode]).toEqual([true, 1, 1]);
  lagging.commit();
  lagging.isOnDisk = false;
  const batch = lagging.append(1, 100);
  await Promise.resolve();
  expect([waiting.isDone, await recordsOf(waiting)]).toEqual([true, batch]);
  expectIdle();
});

test("the wait ends empty when the time is over, with the bounds of the moment", () => {
  const partition = new FakePartition();
  const fetch = start([slot(partition)]);
  expect([...clock.timers.values()]).toEqual([500]);
  clock.fire();
  expect(done.length).toBe(1);
  expect(fetch.slots[0]).toMatchObject({ errorCode: 0, highWatermark: 0, startOffset: 0 });
  expect(fetch.slots[0]!.records.length).toBe(0);
  expectIdle();
});

test("a fetch without time or without partitions does not wait", () => {
  expect(start([slot(new FakePartition())], { ...WAIT, maxWaitMs: 0 }).isDone).toBe(true);
  expect(start([slot(new FakePartition())], { ...WAIT, minBytes: 0 }).isDone).toBe(true);
  expect(start([]).isDone).toBe(true);
  expectIdle();
});

test("min_bytes counts over all partitions, whatever each has", async () => {
  const left = new FakePartition();
  const right = new FakePartition();
  left.append(1, 100);
  const fetch = start([slot(left), slot(right)], { ...WAIT, minBytes: 300 });
  expect(fetch.isDone).toBe(false);
  right.append(1, 100);
  await flush();
  expect(fetch.isDone).toBe(false);
  left.append(1, 99);
  await flush();
  expect(fetch.isDone).toBe(false);
  left.append(1, 70);
  await flush();
  expect(fetch.isDone).toBe(true);
  expect(fetch.slots.map(({ records }) => records.length)).toEqual([100 + 99 + 70, 100]);
  expectIdle();
});

test("a waiting fetch with min_bytes looks at each byte once while it counts", async () => {
  const partition = new FakePartition();
  start([slot(partition)], { ...WAIT, minBytes: 1000 });
  for (let round = 0; round < 9; round += 1) partition.append(1, 100);
  expect(partition.readCount).toBe(9);
  partition.append(1, 100);
  await flush();
  expect(done.length).toBe(1);
  expect(partition.readCount).toBe(11);
});

test("when the time is over, less than min_bytes is answered", async () => {
  const partition = new FakePartition();
  const batch = partition.append(1, 100);
  const fetch = start([slot(partition)], { ...WAIT, minBytes: 300 });
  clock.fire();
  expect(await recordsOf(fetch)).toEqual(batch);
});

test("min_bytes above max_bytes cannot wait for ever", () => {
  const partition = new FakePartition();
  partition.append(1, 100);
  expect(start([slot(partition)], { ...WAIT, minBytes: 300, maxBytes: 100 }).isDone).toBe(true);
});

test("the first partition that has anything gives a whole batch even above every limit, the others keep to theirs", () => {
  const [empty, large, small, tiny] = [
    new FakePartition(),
    new FakePartition(),
    new FakePartition(),
    new FakePartition(),
  ];
  large.append(1, 3000);
  small.append(1, 400);
  tiny.append(1, 100);
  tiny.append(1, 100);
  const options = { ...WAIT, maxBytes: 3350 };
  const fetch = start([slot(empty, 0, 50), slot(large, 0, 50), slot(small), slot(tiny, 0, 150)], options);
  expect(fetch.slots.map(({ records }) => records.length)).toEqual([0, 3000, 0, 100]);
  expect(start([slot(large, 0, 0)], { ...WAIT, maxBytes: 0, minBytes: 1 }).slots[0]!.records.length).toBe(
    3000,
  );
});

test("a busy partition does not starve the others: the next fetch starts after the one that was served first", () => {
  const partitions = [0, 1, 2, 3].map(() => new FakePartition());
  partitions[0]!.append(1, 1000);
  partitions[3]!.append(1, 1000);
  const served: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    const fetch = start(
      partitions.map((partition) => slot(partition)),
      { ...WAIT, maxBytes: 1000 },
    );
    served.push(fetch.slots.findIndex(({ records }) => records.length > 0));
  }
  expect(served).toEqual([0, 3, 0, 3]);
});

test("several partitions that move in one turn are answered together", async () => {
  const [left, right] = [new FakePartition(), new FakePartition()];
  const fetch = start([slot(left), slot(right)]);
  left.append(1, 100);
  right.append(1, 100);
  await flush();
  expect(fetch.slots.map(({ records }) => records.length)).toEqual([100, 100]);
  expect(done.length).toBe(1);
});

test("records from the disk are awaited, the other partitions follow", async () => {
  const [disk, memory] = [new FakePartition(), new FakePartition()];
  disk.isOnDisk = true;
  disk.append(1, 100);
  memory.append(1, 100);
  const fetch = start([slot(disk), slot(memory)]);
  expect(fetch.isDone).toBe(false);
  disk.releaseReads();
  await flush();
  await flush();
  expect(fetch.slots.map(({ records }) => records.length)).toEqual([100, 100]);
  expectIdle();
});

test("what is committed while the disk is read is not missed by a fetch that must wait on", async () => {
  const partition = new FakePartition();
  partition.isOnDisk = true;
  partition.append(1, 100);
  const fetch = start([slot(partition)], { ...WAIT, minBytes: 150 });
  partition.isOnDisk = false;
  partition.append(1, 100);
  partition.releaseReads();
  await flush();
  await flush();
  await flush();
  expect(fetch.isDone).toBe(true);
  expect(fetch.slots[0]!.records.length).toBe(200);
});

test("a partition that goes offline answers those who wait, and still gives what lies below its high watermark", async () => {
  const partition = new FakePartition();
  const batch = partition.append(1, 100);
  const waiting = start([slot(partition, 1)]);
  partition.goOffline();
  await flush();
  expect(waiting.slots[0]).toMatchObject({ errorCode: wireCode("KAFKA_STORAGE_ERROR"), highWatermark: -1 });
  const below = start([slot(partition, 0)]);
  expect([below.slots[0]!.errorCode, await recordsOf(below)]).toEqual([0, batch]);
  expect(start([slot(partition, 1)]).slots[0]).toMatchObject({ errorCode: wireCode("KAFKA_STORAGE_ERROR") });
});

test("a partition that is removed or was never opened says so, wherever its bounds may lie", async () => {
  for (const code of ["UNKNOWN_TOPIC_OR_PARTITION", "KAFKA_STORAGE_ERROR"] as const) {
    const partition = new FakePartition();
    partition.append(1, 100);
    const waiting = start([slot(partition, 1)]);
    partition.goAway(code);
    await flush();
    expect(waiting.slots[0]).toMatchObject({ errorCode: wireCode(code), highWatermark: -1 });
    const requested = [0, 1, 60].map((offset) => start([slot(partition, offset)]).slots[0]!.errorCode);
    expect(requested).toEqual([wireCode(code), wireCode(code), wireCode(code)]);
  }
});

test("a partition that is offline is not out of range, whatever offset is asked for", () => {
  const partition = new FakePartition();
  partition.append(1, 100);
  partition.goOffline();
  expect(start([slot(partition, 60)]).slots[0]!.errorCode).toBe(wireCode("KAFKA_STORAGE_ERROR"));
});

test("a topic that is removed while the disk is read for others is not waited for", async () => {
  const slow = new FakePartition();
  slow.isOnDisk = true;
  slow.append(1, 100);
  const removed = new FakePartition();
  removed.append(1, 100);
  const fetch = start([slot(removed), slot(slow)], { ...WAIT, minBytes: 1000 });
  removed.goAway("UNKNOWN_TOPIC_OR_PARTITION");
  slow.isOnDisk = false;
  slow.releaseReads();
  for (let turn = 0; turn < 5; turn += 1) await flush();
  expect([fetch.isDone, fetch.slots[0]!.errorCode]).toEqual([true, wireCode("UNKNOWN_TOPIC_OR_PARTITION")]);
});

test("an error of the log becomes the partition's error code, our own fault the failure of the fetch", () => {
  const partition = new FakePartition();
  partition.append(1, 100);
  partition.failure = new ObeliskError("KAFKA_STORAGE_ERROR");
  expect(start([slot(partition)]).slots[0]!.errorCode).toBe(wireCode("KAFKA_STORAGE_ERROR"));
  const configError = new TypeError("a bug");
  partition.failure = configError;
  start([slot(partition)]);
  expect(done.at(-1)!.failure).toBe(configError);
});

test("a fetch that is cancelled while it waits for records or for the disk leaves nothing", async () => {
  const partition = new FakePartition();
  partition.append(1, 3000);
  start([slot(partition, 1)]).cancel();
  expect(partition.readers.size).toBe(0);
  partition.isOnDisk = true;
  const reading = start([slot(partition)]);
  reading.cancel();
  partition.releaseReads();
  await flush();
  await flush();
  expect(done.length).toBe(0);
  expectIdle();
});

test("beyond the limit of open polls the response is empty at once and asks the client to wait", () => {
  const partition = new FakePartition();
  const open = [0, 1, 2].map(() => start([slot(partition)]));
  const refused = start([slot(partition)]);
  expect(refused.isDone).toBe(true);
  expect(refused.throttleTimeMs).toBe(THROTTLE_MS);
  expect(fetches.throttledCount).toBe(1);
  open[0]!.cancel();
  expect(start([slot(partition)]).isDone).toBe(false);
});

test("when the server stops, everyone who waits is answered with what there is", async () => {
  const partition = new FakePartition();
  const batch = partition.append(1, 100);
  const [patient, empty] = [
    start([slot(partition)], { ...WAIT, minBytes: 300 }),
    start([slot(partition, 1)]),
  ];
  fetches.respondToAll();
  expect([patient.isDone, empty.isDone]).toEqual([true, true]);
  expect(await recordsOf(patient)).toEqual(batch);
  expect(start([slot(partition, 1)]).isDone).toBe(true);
  expectIdle();
});

test("a partition that moves costs a look at that partition, however many the fetch asks for", async () => {
  const partitions = Array.from({ length: 200 }, () => new FakePartition());
  let looks = 0;
  const slots = partitions.map((partition) => {
    const requested = slot(partition);
    let counted = 0;
    Object.defineProperty(requested, "countedBytes", {
      get: () => {
        looks += 1;
        return counted;
      },
      set: (bytes: number) => {
        counted = bytes;
      },
    });
    return requested;
  });
  start(slots, { minBytes: 200 * 100, maxWaitMs: 500, maxBytes: 50_000 });
  looks = 0;
  for (const partition of partitions.slice(1)) partition.append(1, 100);
  expect([looks < 10 * partitions.length, done.length]).toEqual([true, 0]);
  partitions[0]!.append(1, 100);
  await flush();
  expect(done[0]!.fetch.slots.every(({ records }) => records.length === 100)).toBe(true);
  expectIdle();
});

test("a partition that is asked for twice counts twice, and leaves no listener", async () => {
  const partition = new FakePartition();
  start([slot(partition), slot(partition)], { minBytes: 200, maxWaitMs: 500, maxBytes: 5000 });
  expect(partition.readers.size).toBe(2);
  partition.append(1, 100);
  await flush();
  expect(done[0]!.fetch.slots.map(({ records }) => records.length)).toEqual([100, 100]);
  expect(partition.readers.size).toBe(0);
  expectIdle();
});
