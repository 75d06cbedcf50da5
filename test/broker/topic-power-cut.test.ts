/**
 * The power goes away at every operation of a removal that is followed by a creation under the same name. What is found then
 * is the old topic whole, or no topic, or the new one, and never less than what was acknowledged.
 */

import { expect, test } from "bun:test";
import { ObeliskError } from "../../src/base/errors.ts";
import type { Broker } from "../../src/broker/broker.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { openEngine, TestDirectory } from "../storage/file/support.ts";
import { batchOf, bytesOf, recordsIn } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { FaultyFiles } from "../support/faulty-files.ts";
import { appendTo } from "../support/partitions.ts";
import { SimulatedFiles } from "../support/simulated-files.ts";

const SEEDS = 24;

/** True when the record is on disk. */
async function store(broker: Broker, value: string): Promise<boolean> {
  const partition = broker.topics.get("t")!.partitions[0]!;
  const batch = batchOf([value]);
  return (await appendTo(partition, batch).done).errorCode === 0;
}

/** True when it was done; what the disk refused is a result too. */
async function done(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return false;
    throw thrown;
  }
}

async function recordsOf(broker: Broker): Promise<(string | null)[] | null> {
  const partition = broker.topics.get("t")?.partitions[0];
  if (partition === undefined) return null;
  return recordsIn(await bytesOf(partition.span(0, 100_000, true))).map(([, value]) => value);
}

for (let seed = 1; seed <= SEEDS; seed += 1) {
  test(`a power cut during a removal and a creation, seed ${seed}`, async () => {
    for (let nth = 1; ; nth += 1) {
      const disk = new SimulatedFiles(seed * 1000 + nth);
      disk.makeDirectory("/data");
      disk.syncDirectory("/");
      const files = new FaultyFiles(disk);
      const state = new MemoryState();
      const directory = new TestDirectory("/data");
      const broker = await openBroker({}, { engine: openEngine(directory, { files, state }) });
      await broker.topics.ensure("t");
      expect(await store(broker, "old")).toBe(true);

      files.setFault({ nth, more: Number.POSITIVE_INFINITY, errno: "EIO" });
      const isRemoved = await done(broker.topics.remove("t"));
      const isCreated = isRemoved && (await done(broker.topics.ensure("t")));
      const isStored = isCreated && (await store(broker, "new"));
      const hasFailed = files.failed > 0;

      directory.isClean = false;
      const after = openEngine(directory, { files: disk.crash(), state });
      const found = await openBroker({}, { engine: after });
      await found.topics.finishRemovals();
      const story = [nth, files.lastFailed, isRemoved, isCreated, isStored];
      const records = await recordsOf(found);
      if (isStored) expect([story, records]).toEqual([story, ["new"]]);
      else if (isCreated) expect([story, records?.includes("old")]).toEqual([story, false]);
      else if (isRemoved) expect([story, records?.includes("old") ?? false]).toEqual([story, false]);
      else expect([story, records === null || records[0] === "old"]).toEqual([story, true]);
      expect([story, await done(found.topics.ensure("t")), await store(found, "again")]).toEqual([
        story,
        true,
        true,
      ]);
      if (!hasFailed) break;
    }
  });
}
