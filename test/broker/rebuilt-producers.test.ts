/** The producers' state of a checkpoint does not decode, as after a step back to an older build: the log itself tells of them. */

import { expect, test } from "bun:test";
import type { Broker } from "../../src/broker/broker.ts";
import { decodeSnapshot, encodeSnapshot } from "../../src/storage/file/snapshot.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { openEngine, TestDirectory } from "../storage/file/support.ts";
import { batchOf } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { appendTo } from "../support/partitions.ts";
import { SimulatedFiles } from "../support/simulated-files.ts";

const SNAPSHOT = "/data/topics/t/0/producers.snapshot";

/** The batch of that sequence by producer 7; gives its error and offset. */
async function append(broker: Broker, baseSequence: number): Promise<[number, number]> {
  const partition = broker.topics.get("t")!.partitions[0]!;
  const batch = batchOf(["x".repeat(200)], { producerId: 7, producerEpoch: 0, baseSequence });
  const { errorCode, baseOffset } = await appendTo(partition, batch).done;
  return [errorCode, baseOffset];
}

test("producers whose state does not decode are found in the log, and a repeated batch is still stored once", async () => {
  const disk = new SimulatedFiles(1);
  disk.makeDirectory("/data");
  const directory = new TestDirectory("/data");
  const state = new MemoryState();
  const first = openEngine(directory, { files: disk, state });
  const broker = await openBroker({}, { engine: first });
  await broker.topics.ensure("t");
  for (let sequence = 0; sequence < 60; sequence += 1)
    expect(await append(broker, sequence)).toEqual([0, sequence]);
  await broker.close();
  await first.close();
  const snapshot = decodeSnapshot(disk.readFile(SNAPSHOT));
  const checkpoint = { ...snapshot.checkpoint!, state: Buffer.from([99, 1, 2, 3]) };
  disk.replace(SNAPSHOT, encodeSnapshot({ ...snapshot, checkpoint }));

  const second = openEngine(directory, { files: disk, state });
  const again = await openBroker({}, { engine: second });
  expect(second.findings.map(({ file, kind }) => [file, kind])).toEqual([
    ["topics/t/0/producers.snapshot", "damaged-snapshot"],
  ]);
  expect(await Promise.all([append(again, 58), append(again, 61), append(again, 60)])).toEqual([
    [0, 58],
    [45, -1],
    [0, 60],
  ]);
  await again.close();
  await second.close();
  const third = openEngine(directory, { files: disk, state });
  expect(await append(await openBroker({}, { engine: third }), 60)).toEqual([0, 60]);
  expect(third.findings).toEqual([]);
});
