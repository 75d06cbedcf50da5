/** How far groups are behind, and what is said where that cannot be known. */

import { expect, test } from "bun:test";
import type { ErrorCode } from "../../src/base/errors.ts";
import { GroupLag, type GroupLagTotal } from "../../src/consumer/group-lag.ts";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { batchOf } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { appendTo } from "../support/partitions.ts";

/** Topics as [log end, why nothing can be asked] of each partition. */
async function open(topics: Record<string, readonly (readonly [number, ErrorCode | null])[]>) {
  const clock = new ManualClock(1000);
  const offsets = await GroupOffsets.open(new MemoryState(), clock);
  const known = new Map(
    Object.entries(topics).map(([name, partitions]) => [
      name,
      { partitions: partitions.map(([highWatermark, refusal]) => ({ highWatermark, refusal })) },
    ]),
  );
  const commit = (group: string, topic: string, partition: number, offset: number) =>
    offsets.commit(group, [{ topic, partition, offset, leaderEpoch: -1, metadata: "" }]);
  return { lag: new GroupLag({ offsets, topics: known, clock }), offsets, commit, clock };
}

async function all(totals: AsyncIterable<GroupLagTotal>): Promise<GroupLagTotal[]> {
  const found: GroupLagTotal[] = [];
  for await (const total of totals) found.push(total);
  return found.sort((left, right) => (left.group < right.group ? -1 : 1));
}

test("a lag is what lies between the committed offset and the log end, and every unknown one says why", async () => {
  const { lag, commit } = await open({
    a: [
      [10, null],
      [7, null],
      [5, "KAFKA_STORAGE_ERROR"],
      [3, null],
    ],
  });
  await commit("g", "a", 0, 4);
  await commit("g", "a", 1, 9);
  await commit("g", "a", 2, 1);
  await commit("g", "a", 3, -1);
  await commit("g", "a", 4, 2);
  await commit("g", "gone", 0, 2);
  await commit("other", "a", 0, 10);
  const listed = (await lag.list("g")).map(
    ({ topic, partition, committed, logEndOffset, lag: own, unknown }) => [
      `${topic}-${partition}`,
      committed?.offset,
      logEndOffset,
      own,
      unknown,
    ],
  );
  expect(listed).toEqual([
    ["a-0", 4, 10, 6, null],
    ["a-1", 9, 7, 0, null],
    ["a-2", 1, null, null, "unreadable"],
    ["a-3", -1, 3, null, "no-commit"],
    ["a-4", 2, null, null, "no-partition"],
    ["gone-0", 2, null, null, "no-topic"],
  ]);
  expect(lag.of("other", "a", 1)).toEqual({
    topic: "a",
    partition: 1,
    committed: null,
    logEndOffset: 7,
    lag: null,
    unknown: "no-commit",
  });
});

test("totals are of what is known, and count what is not; null where nothing is", async () => {
  const { lag, commit } = await open({
    a: [
      [10, null],
      [20, null],
    ],
  });
  await commit("g", "a", 0, 4);
  await commit("g", "a", 1, 4);
  await commit("g", "gone", 0, 4);
  await commit("blind", "gone", 0, 4);
  await commit("done", "a", 1, 20);
  const ofG = { group: "g", lag: 22, lagMax: 16, partitions: 3, unknown: 1 };
  expect(await all(lag.totals())).toEqual([
    { group: "blind", lag: null, lagMax: null, partitions: 1, unknown: 1 },
    { group: "done", lag: 0, lagMax: 0, partitions: 1, unknown: 0 },
    ofG,
  ]);
  expect(await lag.total("g")).toEqual(ofG);
  expect(await lag.total("nobody")).toEqual({
    group: "nobody",
    lag: null,
    lagMax: null,
    partitions: 0,
    unknown: 0,
  });
});

test("groups that come and go while all are looked at disturb nobody else", async () => {
  const { lag, commit, offsets } = await open({ a: [[10, null]] });
  for (const group of ["g1", "g2", "g3"]) await commit(group, "a", 0, 4);
  const seen: string[] = [];
  for await (const { group } of lag.totals()) {
    seen.push(group);
    if (group === "g1") {
      await offsets.removeGroup("g2");
      await commit("g4", "a", 0, 4);
    }
  }
  expect(seen).toEqual(["g1", "g3", "g4"]);
});

test("a real broker's partitions are asked: a record that is committed is lag for who has not read it", async () => {
  const broker = await openBroker();
  const topic = await broker.topics.create("t", { partitions: 2, configs: {} });
  const { offsets, clock } = await open({});
  await offsets.commit("g", [{ topic: "t", partition: 1, offset: 0, leaderEpoch: -1, metadata: "m" }]);
  const lag = new GroupLag({ offsets, topics: broker.topics, clock });
  const before = await lag.total("g");
  await appendTo(topic.partitions[1]!, batchOf(["x"])).done;
  expect([before.lag, (await lag.total("g")).lag]).toEqual([0, 1]);
  await broker.close();
});
