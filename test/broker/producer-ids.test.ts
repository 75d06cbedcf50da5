/**
 * Producer ids over starts with a state that is whole, lost, or older than the log. What must never be: a new producer whose first
 * batch is taken for one that another producer stored.
 */

import { expect, test } from "bun:test";
import { silentLog } from "../../src/base/log.ts";
import { DAY_MS } from "../../src/base/units.ts";
import type { Broker } from "../../src/broker/broker.ts";
import { PRODUCER_ID_MAX } from "../../src/broker/producer-id-range.ts";
import type { StateStore } from "../../src/storage/contract.ts";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "../storage/file/support.ts";
import { batchOf } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { appendTo } from "../support/partitions.ts";

async function withBroker<Result>(
  directory: TestDirectory,
  state: StateStore,
  work: (broker: Broker, clock: ManualClock) => Promise<Result>,
): Promise<Result> {
  const engine = openEngine(directory, { state });
  const clock = new ManualClock();
  const broker = await openBroker({ producerIdExpirationMs: DAY_MS }, { engine, clock, log: silentLog });
  const response = await work(broker, clock);
  await broker.close();
  await engine.close();
  return response;
}

/** Stores the first batch of a producer, and its offset. */
async function storeFirst(broker: Broker, producerId: number, partition = 0): Promise<number> {
  const batch = batchOf([`by ${producerId}`], { producerId, producerEpoch: 0, baseSequence: 0 });
  const topic = broker.topics.get("t") ?? (await broker.topics.create("t", { partitions: 2, configs: {} }));
  return (await appendTo(topic.partitions[partition]!, batch).done).baseOffset;
}

/** A state that the engine cannot close, for the next start. */
class KeptState extends MemoryState {
  override async close(): Promise<void> {}
}

async function copyOf(state: StateStore): Promise<KeptState> {
  const copy = new KeptState();
  for (const { key, value } of await state.list("")) await copy.change([{ key, value }]);
  return copy;
}

test("producer ids are never assigned twice, also not after a crash", async () => {
  const engine = new MemoryEngine();
  const before = await openBroker({}, { engine });
  const first = await Promise.all([1, 2, 3].map(() => before.allocateProducerId()));
  const after = await openBroker({}, { engine });
  const second = await Promise.all([1, 2, 3].map(() => after.allocateProducerId()));
  expect(first).toEqual([0, 1, 2]);
  expect(second).toEqual([1000, 1001, 1002]);
});

test("after a state that was lost, ids begin above all that any partition has seen, and nobody is taken for another", async () => {
  using folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  await withBroker(directory, new MemoryState(), async (broker) => {
    const ids = await Promise.all(Array.from({ length: 1001 }, () => broker.allocateProducerId()));
    await storeFirst(broker, ids[0]!);
    await storeFirst(broker, ids[1000]!, 1);
  });
  const next = await withBroker(directory, new MemoryState(), async (broker) => {
    const id = await broker.allocateProducerId();
    return [id, await storeFirst(broker, id), await storeFirst(broker, id, 1)];
  });
  expect(next).toEqual([2000, 1, 1]);
});

test("an id of the last block that has stored nothing is not assigned again either", async () => {
  using folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  const unused = await withBroker(directory, new MemoryState(), async (broker) => {
    await storeFirst(broker, await broker.allocateProducerId());
    return await broker.allocateProducerId();
  });
  const next = await withBroker(directory, new MemoryState(), (broker) => broker.allocateProducerId());
  expect([unused, next]).toEqual([1, 1000]);
});

test("after an older copy of the state, ids begin above all that any partition has seen", async () => {
  using folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  const state = new KeptState();
  const copy = await withBroker(directory, state, async (broker) => {
    await storeFirst(broker, await broker.allocateProducerId());
    return await copyOf(state);
  });
  await withBroker(directory, state, async (broker) => {
    await storeFirst(broker, await broker.allocateProducerId());
  });
  const next = await withBroker(directory, copy, async (broker) => {
    const id = await broker.allocateProducerId();
    return [id, await storeFirst(broker, id)];
  });
  expect(next).toEqual([2000, 2]);
});

test("a producer that is evicted keeps its id for itself, over a lost state too", async () => {
  using folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  await withBroker(directory, new MemoryState(), async (broker, clock) => {
    await storeFirst(broker, 4321);
    clock.advance(DAY_MS);
    await storeFirst(broker, 5);
  });
  expect(await withBroker(directory, new MemoryState(), (broker) => broker.allocateProducerId())).toBe(5000);
});

test("an id that a client made up cannot use up the numbers", async () => {
  const broker = await openBroker();
  await storeFirst(broker, Number.MAX_SAFE_INTEGER);
  expect(await broker.allocateProducerId()).toBe(0);
  await storeFirst(broker, PRODUCER_ID_MAX);
  for (let index = 1; index < 1000; index += 1) await broker.allocateProducerId();
  expect(Number.isSafeInteger((await broker.allocateProducerId()) + 2 ** 51)).toBe(true);
});
