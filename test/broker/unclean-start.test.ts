/** What readers and producers see of records whose sync the next start has to do. */

import { expect, test } from "bun:test";
import type { Broker } from "../../src/broker/broker.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { openEngine, TestDirectory } from "../storage/file/support.ts";
import { batchOf } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { appendTo } from "../support/partitions.ts";
import { SimulatedFiles } from "../support/simulated-files.ts";

const PARTITIONS = 600;

async function append(broker: Broker, index: number): Promise<number> {
  const partition = broker.topics.get("t")!.partitions[index]!;
  return (await appendTo(partition, batchOf([`in ${index}`])).done).errorCode;
}

async function written(): Promise<{ disk: SimulatedFiles; directory: TestDirectory; state: MemoryState }> {
  const disk = new SimulatedFiles(1);
  disk.makeDirectory("/data");
  const directory = new TestDirectory("/data");
  const state = new MemoryState();
  const broker = await openBroker({}, { engine: openEngine(directory, { files: disk, state }) });
  const { partitions } = await broker.topics.create("t", { partitions: PARTITIONS, configs: {} });
  const codes = await Promise.all(partitions.map(({ index }) => append(broker, index)));
  expect(codes).toEqual(Array(PARTITIONS).fill(0));
  return { disk, directory, state };
}

for (const mode of ["fsync", "os"] as const) {
  test(`a start after a kill syncs what it found before anybody can read it (durability ${mode})`, async () => {
    const { disk, directory, state } = await written();
    const engine = openEngine(directory, { files: disk, state });
    const broker = await openBroker({ durability: { mode } }, { engine });
    expect(broker.topics.get("t")!.partitions.map(({ highWatermark }) => highWatermark)).toEqual(
      Array(PARTITIONS).fill(1),
    );
    expect(engine.counters.syncsOfAll).toBe(Math.ceil(PARTITIONS / 256));
    expect(broker.counters.messagesStored).toBe(0);
  });
}

test("what a start cannot sync is neither read nor acknowledged, and the partition is offline with the reason", async () => {
  const { disk, directory, state } = await written();
  const calm = disk.weather;
  disk.weather = {
    ...calm,
    writeBack: (path) => (path.includes("/t/7/") && path.endsWith(".log") ? "EIO" : null),
  };
  const engine = openEngine(directory, { files: disk, state });
  const broker = await openBroker({}, { engine });
  const { partitions } = broker.topics.get("t")!;
  const offline = partitions.filter(({ isUnavailable }) => isUnavailable);
  expect(offline.map(({ index, highWatermark }) => [index, highWatermark])).toEqual([[7, 0]]);
  expect([await append(broker, 7), await append(broker, 8)]).toEqual([56, 0]);
  expect(engine.findings.map(({ file, kind }) => [file, kind])).toEqual([["topics/t/7", "unreadable"]]);
  await engine.close();
  disk.weather = calm;
  const again = await openBroker({}, { engine: openEngine(directory, { files: disk, state }) });
  expect(again.topics.get("t")!.partitions[7]!.highWatermark).toBe(1);
});
