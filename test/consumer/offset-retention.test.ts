/** Which offsets go when nobody has used them for the retention, and which groups go with them: Kafka's conditions. */

import { expect, test } from "bun:test";
import { OffsetRetention, RETENTION_CHECK_MS } from "../../src/consumer/offset-retention.ts";
import { subscription } from "../support/group-scene.ts";
import { FULL } from "../support/refusing-state.ts";
import { TestGroups } from "../support/test-groups.ts";

const RETENTION_MS = 7 * 86_400_000;

function offsetsOf(topic: string, ...partitions: number[]) {
  return partitions.map((partition) => ({ topic, partition, offset: 1, leaderEpoch: -1, metadata: "" }));
}

async function open() {
  const scene = await TestGroups.open({ sessionTimeoutMsMax: 2 * RETENTION_MS });
  const retention = (of: TestGroups) =>
    new OffsetRetention(RETENTION_MS, {
      groups: of.groups,
      offsets: of.offsets,
      clock: of.clock,
      log: { debug() {}, info() {}, warn: (text) => void of.warnings.push(text), error() {} },
    });
  const kept = (of: TestGroups, group: string) =>
    of.offsets.list(group).map(({ topic, partition }) => `${topic}-${partition}`);
  return { scene, retention, kept };
}

test("without members from the beginning, each offset goes its time after its commit, and the group with the last", async () => {
  const { scene, retention, kept } = await open();
  await scene.offsets.commit("g", offsetsOf("t", 0, 1));
  scene.clock.advance(1000);
  await scene.offsets.commit("g", offsetsOf("t", 1));
  scene.clock.advance(RETENTION_MS - 1001);
  await retention(scene).check();
  expect(kept(scene, "g")).toEqual(["t-0", "t-1"]);
  scene.clock.advance(1);
  await retention(scene).check();
  expect(kept(scene, "g")).toEqual(["t-1"]);
  scene.clock.advance(1000);
  await retention(scene).check();
  expect([kept(scene, "g"), [...scene.groups.names()]]).toEqual([[], []]);
  expect((await scene.state.list("")).map(({ key }) => key)).toEqual([]);
});

test("a group that had members keeps its offsets until it has been empty for so long, also over a restart", async () => {
  const { scene, retention, kept } = await open();
  const { memberId } = await scene.settle("g", { sessionTimeoutMs: 2 * RETENTION_MS });
  await scene.offsets.commit("g", offsetsOf("t", 0));
  scene.clock.advance(RETENTION_MS - 1);
  scene.groups.leave("g", [{ memberId, groupInstanceId: null }]);
  await scene.state.change([]);
  scene.clock.advance(RETENTION_MS - 1);
  const after = await scene.reopen();
  await retention(after).check();
  expect(kept(after, "g")).toEqual(["t-0"]);
  after.clock.advance(1);
  await retention(after).check();
  expect([kept(after, "g"), [...after.groups.names()]]).toEqual([[], []]);
});

test("consumers keep the offsets of topics that they are subscribed to; those of others go by their commit", async () => {
  const { scene, retention, kept } = await open();
  const protocols = [{ name: "range", metadata: subscription("t") }];
  await scene.settle("g", { protocols, sessionTimeoutMs: 2 * RETENTION_MS });
  await scene.offsets.commit("g", [...offsetsOf("t", 0), ...offsetsOf("u", 0)]);
  scene.clock.advance(RETENTION_MS);
  await retention(scene).check();
  expect(kept(scene, "g")).toEqual(["t-0"]);
});

test("members whose topics are not known, or who rebalance, keep all", async () => {
  const { scene, retention, kept } = await open();
  const sessionTimeoutMs = 2 * RETENTION_MS;
  await scene.settle("opaque", { protocolType: "connect", sessionTimeoutMs });
  const protocols = [{ name: "range", metadata: subscription("t") }];
  await scene.settle("moving", { protocols, sessionTimeoutMs, rebalanceTimeoutMs: 2 * RETENTION_MS });
  for (const group of ["opaque", "moving"]) await scene.offsets.commit(group, offsetsOf("u", 0));
  scene.clock.advance(RETENTION_MS - 1);
  void scene.join("moving", { protocols, sessionTimeoutMs });
  scene.clock.advance(1);
  await retention(scene).check();
  expect([kept(scene, "opaque"), kept(scene, "moving")]).toEqual([["u-0"], ["u-0"]]);
});

test("an empty group without offsets goes at the next look", async () => {
  const { scene, retention } = await open();
  const { memberId } = await scene.settle("g");
  scene.groups.leave("g", [{ memberId, groupInstanceId: null }]);
  await retention(scene).check();
  expect([[...scene.groups.names()], await scene.state.list("")]).toEqual([[], []]);
});

test("what the store refuses to remove stays until the next look", async () => {
  const { scene, retention, kept } = await open();
  await scene.offsets.commit("g", offsetsOf("t", 0));
  scene.clock.advance(RETENTION_MS);
  scene.state.refuses = FULL;
  await retention(scene).check();
  expect([kept(scene, "g"), scene.warnings]).toEqual([
    ["t-0"],
    ["offsets that nobody uses could not be removed, they stay"],
  ]);
  scene.state.refuses = null;
  await retention(scene).check();
  expect(kept(scene, "g")).toEqual([]);
});

test("many offsets of many groups go in slices", async () => {
  const { scene, retention } = await open();
  for (let group = 0; group < 20; group += 1)
    await scene.offsets.commit(
      `g${group}`,
      offsetsOf("t", ...Array.from({ length: 500 }, (_, index) => index)),
    );
  scene.clock.advance(RETENTION_MS);
  await retention(scene).check();
  expect([scene.offsets.count, [...scene.groups.names()]]).toEqual([0, []]);
});

test("it looks from time to time, until it is closed", async () => {
  const { scene, retention, kept } = await open();
  await scene.offsets.commit("g", offsetsOf("t", 0));
  scene.clock.advance(RETENTION_MS);
  const running = retention(scene);
  running.start();
  scene.clock.advance(RETENTION_CHECK_MS);
  while (kept(scene, "g").length > 0 || scene.clock.pending === 0) await Bun.sleep(1);
  running.close();
  expect(scene.clock.pending).toBe(0);
});
