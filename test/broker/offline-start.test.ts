/**
 * A partition whose recovery fails when it has read its batches already: it knows producers and bounds, and none of that may be
 * believed, because what was read may not be on disk.
 */

import { expect, test } from "bun:test";
import { createDisk } from "../../src/base/disk.ts";
import { type ErrorCode, wireCode } from "../../src/base/errors.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "../storage/file/support.ts";
import { batchOf, bytesOf } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { FaultyFiles, type Operation } from "../support/faulty-files.ts";
import { appendTo, logPartition } from "../support/partitions.ts";

const REFUSED = {
  errorCode: wireCode("KAFKA_STORAGE_ERROR"),
  baseOffset: -1,
};

function batchAt(baseSequence: number): Buffer {
  return batchOf(["v"], { producerId: 5, producerEpoch: 0, baseSequence });
}

/** A partition with three batches, whose server was killed; opened again on a disk that refuses `operation`. */
async function openedBadly(path: string, operation: Operation) {
  const directory = new TestDirectory(path);
  const state = new MemoryState();
  const before = await openBroker({}, { engine: openEngine(directory, { state }) });
  const { partitions } = await before.topics.create("t", { partitions: 1, configs: {} });
  await Promise.all([0, 1, 2].map((sequence) => appendTo(partitions[0]!, batchAt(sequence)).done));
  const files = new FaultyFiles(createDisk(), { hasSyncAll: false });
  const more = Number.POSITIVE_INFINITY;
  files.setFault({ operations: [operation], path: "t/0/0", nth: 1, more, errno: "EIO" });
  const broker = await openBroker({}, { engine: openEngine(directory, { state, files }) });
  const partition = broker.topics.get("t")!.partitions[0]!;
  return { broker, partition, failed: files.failed };
}

for (const operation of ["write", "sync"] as const) {
  test(`when ${operation} fails at the start, nothing is taken for a duplicate or for committed`, async () => {
    using folder = temporaryDirectory();
    const { broker, partition, failed } = await openedBadly(folder.path, operation);
    expect([failed > 0, partition.isUnavailable, partition.refusal]).toEqual([
      true,
      true,
      "KAFKA_STORAGE_ERROR",
    ]);
    const refused = expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" });
    const responses: (ErrorCode | null)[] = [];
    for (const sequence of [0, 2, 3]) {
      expect(appendTo(partition, batchAt(sequence)).told).toMatchObject(REFUSED);
    }
    logPartition(partition).whenUsed((error) => responses.push(error));
    expect(responses).toEqual(["KAFKA_STORAGE_ERROR"]);
    expect(() => partition.checkWritable()).toThrow(refused);
    for (const offset of [-1, 0, 2, 3, 60]) {
      const read = async () => (await bytesOf(partition.span(offset, 1000, true))).length;
      expect(read()).rejects.toThrow(refused);
    }
    expect(partition.offsetForTimestamp(0)).rejects.toThrow(refused);
    expect(partition.offsetOfMaxTimestamp()).rejects.toThrow(refused);
    await broker.engine.close();
  });
}
