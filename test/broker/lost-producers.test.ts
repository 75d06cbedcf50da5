/**
 * A log that ends before its checkpoint: the producers' state there tells of batches that are gone. One of them that is sent again is
 * no duplicate.
 */

import { expect, test } from "bun:test";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { wireCode } from "../../src/base/errors.ts";
import type { Partition } from "../../src/broker/partition.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "../storage/file/support.ts";
import { batchOf, bytesOf, recordsIn } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { appendTo, logOf } from "../support/partitions.ts";

const LOG = "topics/t/0/00000000000000000000.log";

class KeptState extends MemoryState {
  override async close(): Promise<void> {}
}

async function send(
  partition: Partition,
  producerId: number,
  baseSequence: number,
): Promise<[number, number]> {
  const batch = batchOf([`${producerId}/${baseSequence}`], { producerId, producerEpoch: 0, baseSequence });
  const { errorCode, baseOffset } = await appendTo(partition, batch).done;
  return [errorCode, baseOffset];
}

test("a batch whose record was lost is stored when it comes again, and what is there is still recognised", async () => {
  using folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  const state = new KeptState();
  const first = openEngine(directory, { state });
  const before = await openBroker({}, { engine: first });
  const partition = (await before.topics.create("t", { partitions: 1, configs: {} })).partitions[0]!;
  expect([await send(partition, 7, 0), await send(partition, 7, 1)]).toEqual([
    [0, 0],
    [0, 1],
  ]);
  const { bytes } = logOf(partition);
  expect([await send(partition, 7, 2), await send(partition, 9, 0)]).toEqual([
    [0, 2],
    [0, 3],
  ]);
  await before.close();
  await first.close();
  truncateSync(join(folder.path, LOG), bytes);

  const second = openEngine(directory, { state });
  const broker = await openBroker({}, { engine: second });
  const found = broker.topics.get("t")!.partitions[0]!;
  const sent = [send(found, 7, 1), send(found, 7, 3), send(found, 7, 2), send(found, 9, 0)];
  expect(await Promise.all(sent)).toEqual([
    [0, 1],
    [wireCode("OUT_OF_ORDER_SEQUENCE_NUMBER"), -1],
    [0, 4],
    [0, 5],
  ]);
  expect(recordsIn(await bytesOf(found.span(4, 10_000, true))).map(([, value]) => value)).toEqual([
    "7/2",
    "9/0",
  ]);
  await broker.close();
  await second.close();
});

test("an id is not assigned again, although the only records under it are lost", async () => {
  using folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  const first = openEngine(directory);
  const before = await openBroker({}, { engine: first });
  const partition = (await before.topics.create("t", { partitions: 1, configs: {} })).partitions[0]!;
  await send(partition, 2500, 0);
  await before.close();
  await first.close();
  truncateSync(join(folder.path, LOG), 0);

  const second = openEngine(directory);
  const broker = await openBroker({}, { engine: second });
  expect(await broker.allocateProducerId()).toBe(3000);
  await broker.close();
  await second.close();
});
