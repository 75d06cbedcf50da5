/**
 * The limits on how many groups, members and offsets there may be, each reached: what is one more is refused with the error and the
 * reason, and what is there already goes on. The store keeps nothing here: only what is in memory counts.
 */

import { beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { COMMITTED_OFFSETS_MAX, GROUP_NAME_BYTES_MAX } from "../../src/consumer/commit-room.ts";
import { CONFIGURED_GROUPS_MAX, GroupConfigs } from "../../src/consumer/group-configs.ts";
import { GROUP_MEMBERS_MAX, GROUPS_MAX } from "../../src/consumer/group-room.ts";
import type { HeartbeatRequest } from "../../src/consumer/heartbeat-groups/heartbeat.ts";
import {
  CONSUMER_GROUPS_MAX,
  HeartbeatGroups,
} from "../../src/consumer/heartbeat-groups/heartbeat-groups.ts";
import {
  CONSUMER_MEMBERS_MAX,
  MEMBER_TEXT_BYTES_MAX,
  MEMBERS_TEXT_BYTES_MAX,
} from "../../src/consumer/heartbeat-groups/member-room.ts";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { TestGroups } from "../support/test-groups.ts";

// Some seconds of work in all, on a machine that may be busy.
setDefaultTimeout(120_000);

class ForgetfulState extends MemoryState {
  override change(): Promise<boolean> {
    return Promise.resolve(true);
  }
}

describe("classic", () => {
  let classic: TestGroups<ForgetfulState>;
  beforeEach(async () => {
    classic = await TestGroups.over(new ForgetfulState(), new ManualClock());
  });

  test("one group more than there may be is refused, and those that are there go on", async () => {
    const joins = [];
    for (let index = 0; index < GROUPS_MAX; index += 1)
      joins.push(classic.join(`g-${index}`, { isTwoStep: true }));
    const first = await joins[0]!;
    expect([classic.groups.count, first.error]).toEqual([GROUPS_MAX, "MEMBER_ID_REQUIRED"]);
    expect(await classic.join("one-more", { isTwoStep: true })).toMatchObject({ error: "POLICY_VIOLATION" });
    expect(classic.warnings).toEqual(["a member of a group is refused"]);
    expect(await classic.settle("g-0", { memberId: first.memberId })).toMatchObject({ error: null });
    classic.groups.leave("g-1", [{ memberId: (await joins[1]!).memberId, groupInstanceId: null }]);
    expect(await classic.join("one-more", { isTwoStep: true })).toMatchObject({
      error: "MEMBER_ID_REQUIRED",
    });
  });

  test("one member more than all groups together may have is refused, and those that are there go on", async () => {
    const joins = [];
    for (let index = 0; index < GROUP_MEMBERS_MAX; index += 1) joins.push(classic.join(`g-${index % 10}`));
    expect(classic.groups.memberCount).toBe(GROUP_MEMBERS_MAX);
    for (const name of ["g-0", "one-more"])
      expect(await classic.join(name)).toMatchObject({ error: "POLICY_VIOLATION" });
    classic.clock.advance(0);
    const { memberId, generationId } = await joins[5]!;
    const again = classic.join("g-5", {
      memberId,
      protocols: [{ name: "range", metadata: Buffer.from("new") }],
    });
    expect(classic.groups.leave("g-5", [{ memberId, groupInstanceId: null }])).toMatchObject([
      { error: null },
    ]);
    expect([generationId, (await again).error]).toEqual([1, "UNKNOWN_MEMBER_ID"]);
    void classic.join("one-more");
    expect(classic.groups.memberCount).toBe(GROUP_MEMBERS_MAX);
  });

  test("a name as long as one may be is a group's, and a longer one is none", async () => {
    expect(await classic.settle("g".repeat(GROUP_NAME_BYTES_MAX))).toMatchObject({ error: null });
    expect(await classic.join("é".repeat(GROUP_NAME_BYTES_MAX / 2 + 1))).toMatchObject({
      error: "INVALID_GROUP_ID",
    });
  });
});

describe("consumer", () => {
  let groups: HeartbeatGroups;
  beforeEach(async () => {
    const state = new ForgetfulState();
    const nothing = () => {};
    groups = await HeartbeatGroups.open({
      state,
      topics: { version: 1, get: () => undefined, names: () => [] },
      clock: new ManualClock(),
      log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      newId: () => "id",
      membersMax: Number.MAX_SAFE_INTEGER,
      migrationPolicy: "disabled",
      configs: await GroupConfigs.open(state, {
        sessionTimeoutMs: 10_000,
        heartbeatIntervalMs: 1_000,
        assignmentIntervalMs: 1_000,
      }),
    });
  });

  function beat(groupId: string, memberId: string, rest: Partial<HeartbeatRequest> = {}) {
    const request: HeartbeatRequest = {
      groupId,
      memberId,
      memberEpoch: 0,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: 5_000,
      subscribedTopicNames: ["t"],
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: [],
      ...rest,
    };
    return (async () => groups.heartbeat(request, 1, { clientId: "c", clientHost: "/h" }))();
  }

  test("one group and one member more than there may be are refused, and those that are there go on", async () => {
    expect(CONSUMER_GROUPS_MAX).toBe(CONSUMER_MEMBERS_MAX);
    for (let index = 0; index < CONSUMER_GROUPS_MAX; index += 1) void beat(`g-${index}`, "m");
    expect([groups.count, groups.memberCount]).toEqual([CONSUMER_GROUPS_MAX, CONSUMER_MEMBERS_MAX]);
    const isFull = {
      code: "POLICY_VIOLATION",
      facts: { detail: "there are too many consumer groups", limit: CONSUMER_GROUPS_MAX },
    };
    const hasNoRoom = { code: "GROUP_MAX_SIZE_REACHED", facts: { limit: CONSUMER_MEMBERS_MAX } };
    await expect(beat("one-more", "m")).rejects.toMatchObject(isFull);
    await expect(beat("g-0", "one-more")).rejects.toMatchObject(hasNoRoom);
    expect(await beat("g-0", "m")).toMatchObject({ memberEpoch: 2 });
    await beat("g-1", "m", { memberEpoch: -1, topicPartitions: null });
    await expect(beat("one-more", "m")).rejects.toMatchObject(isFull);
    groups.release("g-1");
    expect(await beat("one-more", "m")).toMatchObject({ memberEpoch: 2 });
    await expect(beat("g-0", "one-more")).rejects.toMatchObject(hasNoRoom);
    await beat("g-2", "m", { memberEpoch: -1, topicPartitions: null });
    expect((await beat("g-0", "one-more")).memberEpoch).toBeGreaterThan(0);
  });

  test("subscriptions of all members that take more than they may are refused, and those that are there go on", async () => {
    const name = "n".repeat(MEMBER_TEXT_BYTES_MAX);
    for (let index = 0; index < MEMBERS_TEXT_BYTES_MAX / MEMBER_TEXT_BYTES_MAX; index += 1)
      await beat(`g-${index % 10}`, `m-${index}`, { subscribedTopicNames: [name] });
    await expect(beat("g-0", "one-more")).rejects.toMatchObject({
      code: "GROUP_MAX_SIZE_REACHED",
      facts: { limit: MEMBERS_TEXT_BYTES_MAX },
    });
    const { epoch } = groups.get("g-0")!.member("m-0")!;
    const going = { memberEpoch: epoch, subscribedTopicNames: null, topicPartitions: null };
    expect(await beat("g-0", "m-0", going)).toMatchObject({ memberId: "m-0" });
    await beat("g-0", "m-0", { memberEpoch: -1, topicPartitions: null });
    expect((await beat("g-0", "one-more")).memberEpoch).toBeGreaterThan(0);
  });
});

test("one committed offset more than there may be is refused, and those that are there move on", async () => {
  const offsets = await GroupOffsets.open(new ForgetfulState(), new ManualClock());
  const places = 100_000;
  const commits = Array.from({ length: places }, (_, partition) => ({
    topic: "t",
    partition,
    offset: 1,
    leaderEpoch: -1,
    metadata: "",
  }));
  for (let index = 0; index < COMMITTED_OFFSETS_MAX / places; index += 1)
    await offsets.commit(`g-${index}`, commits);
  expect(offsets.count).toBe(COMMITTED_OFFSETS_MAX);
  const [one] = commits;
  await expect(offsets.commit("one-more", [one!])).rejects.toMatchObject({
    code: "POLICY_VIOLATION",
    facts: { detail: "too many committed offsets", limit: COMMITTED_OFFSETS_MAX },
  });
  await offsets.commit("g-0", [{ ...one!, offset: 2 }]);
  expect(offsets.fetch("g-0", "t", 0)?.offset).toBe(2);
});

test("one group more with settings of its own than there may be is refused, and those that are there change theirs", async () => {
  const times = { sessionTimeoutMs: 45_000, heartbeatIntervalMs: 5_000, assignmentIntervalMs: 1_000 };
  const configs = await GroupConfigs.open(new ForgetfulState(), times);
  const set = (group: string, ms: string) =>
    configs.alter(group, () => ({ "consumer.heartbeat.interval.ms": ms }), false);
  const alters = [];
  for (let index = 0; index < CONFIGURED_GROUPS_MAX; index += 1) alters.push(set(`g-${index}`, "6000"));
  await Promise.all(alters);
  await expect(set("one-more", "6000")).rejects.toMatchObject({
    code: "POLICY_VIOLATION",
    facts: { limit: CONFIGURED_GROUPS_MAX },
  });
  await set("g-0", "7000");
  expect([
    configs.timesOf("g-0").heartbeatIntervalMs,
    configs.timesOf("one-more").heartbeatIntervalMs,
  ]).toEqual([7_000, 5_000]);
});
