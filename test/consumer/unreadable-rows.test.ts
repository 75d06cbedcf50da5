/** Rows of groups and offsets that cannot be read: the start goes on, says which and what to do, and the rows are overwritten. */

import { expect, test } from "bun:test";
import type { Facts } from "../../src/base/log.ts";
import { GroupConfigs } from "../../src/consumer/group-configs.ts";
import { Groups } from "../../src/consumer/groups.ts";
import { HeartbeatGroups } from "../../src/consumer/heartbeat-groups/heartbeat-groups.ts";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import { UNREADABLE_OFFSETS, warnOfUnreadable } from "../../src/consumer/unreadable-rows.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { ManualClock } from "../support/manual-clock.ts";

const CAUSE = "they are not as this version writes them";
const NONE = "none is needed: a member that joins overwrites";

async function open(state: MemoryState) {
  const warnings: [text: string, facts: Facts | undefined][] = [];
  const nothing = () => {};
  const log = {
    debug: nothing,
    info: nothing,
    warn: (text: string, facts?: Facts) => void warnings.push([text, facts]),
    error: nothing,
  };
  const clock = new ManualClock();
  const offsets = await GroupOffsets.open(state, clock);
  warnOfUnreadable(log, offsets.unreadable, UNREADABLE_OFFSETS);
  const newId = () => "id";
  const times = { sessionTimeoutMs: 10_000, heartbeatIntervalMs: 1_000, assignmentIntervalMs: 0 };
  const consumer = await HeartbeatGroups.open({
    state,
    topics: { version: 1, get: () => ({ id: "id-t", partitions: 1 }), names: () => ["t"] },
    clock,
    log,
    newId,
    membersMax: 10,
    migrationPolicy: "disabled",
    configs: await GroupConfigs.open(state, times),
  });
  const limits = {
    initialRebalanceDelayMs: 0,
    membersMax: 10,
    sessionTimeoutMsMin: 1,
    sessionTimeoutMsMax: 60_000,
  };
  await Groups.open(limits, { state, offsets, clock, log, newId });
  return { warnings, consumer };
}

test("rows that cannot be read are told in one line for each kind, with cause and remedy, and stay", async () => {
  const state = new MemoryState();
  const broken = ["group/a", "group/b", "consumer-group/c", "consumer-group-member/c/m", "offset/a/t/0"];
  await state.change(broken.map((key) => ({ key, value: "{" })));
  const { warnings } = await open(state);
  expect(warnings).toEqual([
    [
      "committed offsets cannot be read: consumers of these partitions begin where auto.offset.reset says",
      { rows: 1, first: "offset/a/t/0", cause: CAUSE, remedy: UNREADABLE_OFFSETS.remedy },
    ],
    [
      "stored groups of the consumer protocol cannot be read: their members join again",
      {
        rows: 2,
        first: "consumer-group-member/c/m",
        cause: CAUSE,
        remedy: `${NONE} what is its own, and committed offsets are not touched`,
      },
    ],
    [
      "stored groups cannot be read: their members join again",
      {
        rows: 2,
        first: "group/a",
        cause: CAUSE,
        remedy: `${NONE} its group, and committed offsets are not touched`,
      },
    ],
  ]);
  expect((await state.list("")).map(({ key }) => key).sort()).toEqual(broken.sort());
});

test("a member that joins overwrites what could not be read of it and its group", async () => {
  const state = new MemoryState();
  await state.change(["consumer-group/c", "consumer-group-member/c/m"].map((key) => ({ key, value: "[1]" })));
  const { consumer } = await open(state);
  const request = {
    groupId: "c",
    memberId: "m",
    memberEpoch: 0,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: 5_000,
    subscribedTopicNames: ["t"],
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: [],
  };
  await consumer.heartbeat(request, 1, { clientId: "c", clientHost: "/h" });
  expect((await open(state)).warnings).toEqual([]);
});

test("where all can be read nothing is told", async () => {
  expect((await open(new MemoryState())).warnings).toEqual([]);
});
