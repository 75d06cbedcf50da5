/**
 * Groups over real connections: three members with a leader that assigns, one that leaves, one whose connection is gone; every version
 * of every API; listing, describing and deleting.
 */

import { afterEach, expect, test } from "bun:test";
import { deleteGroupsApi } from "../../../src/protocol/kafka/apis/delete-groups.ts";
import { describeGroupsApi } from "../../../src/protocol/kafka/apis/describe-groups.ts";
import { heartbeatApi } from "../../../src/protocol/kafka/apis/heartbeat.ts";
import { type JoinGroupResponse, joinGroupApi } from "../../../src/protocol/kafka/apis/join-group.ts";
import { leaveGroupApi } from "../../../src/protocol/kafka/apis/leave-group.ts";
import { listGroupsApi } from "../../../src/protocol/kafka/apis/list-groups.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { offsetDeleteApi } from "../../../src/protocol/kafka/apis/offset-delete.ts";
import { syncGroupApi } from "../../../src/protocol/kafka/apis/sync-group.ts";
import { subscription } from "../../support/group-scene.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";

const METADATA = subscription("t");
let api: TestKafkaApi | null = null;
afterEach(async () => {
  await api?.stop();
  api = null;
});

async function open(groups: object = {}): Promise<TestKafkaApi> {
  api = await openKafkaApi({ groups });
  await api.context.broker.topics.create("t", { partitions: 3, configs: {} });
  return api;
}

function join(client: WireClient, version: number, more: object = {}): Promise<JoinGroupResponse> {
  return client.ask(joinGroupApi, version, {
    groupId: "g",
    sessionTimeoutMs: 10_000,
    ...(version >= 1 ? { rebalanceTimeoutMs: 20_000 } : {}),
    memberId: "",
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: METADATA }],
    ...more,
  });
}

/** With its id, as clients do it. */
async function enter(client: WireClient): Promise<JoinGroupResponse> {
  const { memberId } = await join(client, 9);
  return join(client, 9, { memberId });
}

function sync(client: WireClient, response: JoinGroupResponse, version = 5) {
  const { memberId, generationId, members } = response;
  return client.ask(syncGroupApi, version, {
    groupId: "g",
    generationId,
    memberId,
    ...(version >= 5 ? { protocolType: "consumer", protocolName: "range" } : {}),
    assignments: members.map((member) => ({
      memberId: member.memberId,
      assignment: Buffer.from(`for ${member.memberId}`),
    })),
  });
}

async function heartbeat(client: WireClient, { memberId, generationId }: JoinGroupResponse, version = 4) {
  return (await client.ask(heartbeatApi, version, { groupId: "g", generationId, memberId })).errorCode;
}

async function commit(client: WireClient, { memberId, generationId }: JoinGroupResponse): Promise<number> {
  const topics = [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 7 }] }];
  const request = { groupId: "g", generationIdOrMemberEpoch: generationId, memberId, topics };
  return (await client.ask(offsetCommitApi, 8, request)).topics[0]!.partitions[0]!.errorCode;
}

test("three members of a group: each gets its own part, one leaves, and the others come together again", async () => {
  const { connect } = await open({ initialRebalanceDelayMs: 100 });
  const clients = await Promise.all([connect(), connect(), connect()]);
  const joined = await Promise.all(clients.map(enter));
  expect(joined.map(({ errorCode, generationId }) => [errorCode, generationId])).toEqual([
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
  expect(joined.filter(({ members }) => members.length === 3).length).toBe(1);
  const synced = await Promise.all(clients.map((client, index) => sync(client, joined[index]!)));
  expect(synced.map(({ assignment }) => assignment.toString())).toEqual(
    joined.map(({ memberId }) => `for ${memberId}`),
  );
  expect(await Promise.all(clients.map((client, index) => commit(client, joined[index]!)))).toEqual([
    0, 0, 0,
  ]);

  const { memberId } = joined[2]!;
  const left = await clients[2]!.ask(leaveGroupApi, 5, { groupId: "g", members: [{ memberId }] });
  expect(left).toEqual({
    throttleTimeMs: 0,
    errorCode: 0,
    members: [{ memberId, groupInstanceId: null, errorCode: 0 }],
  });
  const [one, two] = [clients[0]!, clients[1]!];
  expect([await heartbeat(one, joined[0]!), await heartbeat(clients[2]!, joined[2]!)]).toEqual([27, 25]);
  const again = await Promise.all([
    join(one, 9, { memberId: joined[0]!.memberId }),
    join(two, 9, { memberId: joined[1]!.memberId }),
  ]);
  expect(again.map(({ generationId }) => generationId)).toEqual([2, 2]);
  expect(await commit(one, again[0]!)).toBe(27);
  await Promise.all([sync(one, again[0]!), sync(two, again[1]!)]);
  expect([await commit(one, again[0]!), await commit(two, joined[1]!)]).toEqual([0, 22]);
});

test("a member whose connection is gone while it waits is still a member, and a late response reaches nobody", async () => {
  const { connect, context } = await open();
  const [first, second, third] = [await connect(), await connect(), await connect()];
  const joined = await enter(first);
  await sync(first, joined);
  const { memberId } = await join(second, 9);
  second.send(joinGroupApi, 9, {
    groupId: "g",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 20_000,
    memberId,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: METADATA }],
  });
  while (context.groups.classic("g")?.members.count !== 2) await heartbeat(first, joined);
  second.close();
  const again = await join(first, 9, { memberId: joined.memberId });
  expect([again.generationId, again.members.length]).toEqual([2, 2]);
  expect((await third.ask(describeGroupsApi, 5, { groups: ["g"] })).groups[0]!.members.length).toBe(2);
});

for (let version = 0; version <= 9; version += 1) {
  test(`JoinGroup ${version} and its fellows of the same age go through a member's life`, async () => {
    const { connect } = await open();
    const client = await connect();
    const joined = version < 4 ? await join(client, version) : await enter(client);
    expect([joined.errorCode, joined.generationId, joined.leader]).toEqual([0, 1, joined.memberId]);
    const synced = await sync(client, joined, Math.min(version, 5));
    expect([synced.errorCode, synced.assignment.toString()]).toEqual([0, `for ${joined.memberId}`]);
    expect(await heartbeat(client, joined, Math.min(version, 4))).toBe(0);
    const described = await client.ask(describeGroupsApi, Math.min(version, 6), { groups: ["g", "nobody"] });
    const { clientHost, ...member } = described.groups[0]!.members[0]!;
    expect(member).toEqual({
      memberId: joined.memberId,
      groupInstanceId: null,
      clientId: joined.memberId.slice(0, -37),
      memberMetadata: METADATA,
      memberAssignment: Buffer.from(`for ${joined.memberId}`),
    });
    expect(["/127.0.0.1", "/::1", "/::ffff:127.0.0.1"]).toContain(clientHost);
    const { groupState, protocolType, protocolData } = described.groups[0]!;
    expect({ groupState, protocolType, protocolData }).toEqual({
      groupState: "Stable",
      protocolType: "consumer",
      protocolData: "range",
    });
    expect(described.groups[1]!.groupState).toBe("Dead");
    const listed = await client.ask(listGroupsApi, Math.min(version, 5), {});
    expect(listed.groups.map(({ groupId, protocolType: type }) => [groupId, type])).toEqual([
      ["g", "consumer"],
    ]);
    const leaveVersion = Math.min(version, 5);
    const { memberId } = joined;
    const leaving = leaveVersion < 3 ? { groupId: "g", memberId } : { groupId: "g", members: [{ memberId }] };
    expect((await client.ask(leaveGroupApi, leaveVersion, leaving)).errorCode).toBe(0);
    expect(await heartbeat(client, joined, Math.min(version, 4))).toBe(25);
    const deleted = await client.ask(deleteGroupsApi, Math.min(version, 2), { groupsNames: ["g", "nobody"] });
    expect(deleted.results).toEqual([
      { groupId: "g", errorCode: 0 },
      { groupId: "nobody", errorCode: 69 },
    ]);
  });
}

test("an offset that members are subscribed to stays, another goes, and a group with members is not deleted", async () => {
  const { connect, context } = await open();
  await context.broker.topics.create("u", { partitions: 1, configs: {} });
  const client = await connect();
  const joined = await enter(client);
  await sync(client, joined);
  const { memberId, generationId } = joined;
  const both = ["t", "u"].map((name) => ({ name, partitions: [{ partitionIndex: 0, committedOffset: 1 }] }));
  await client.ask(offsetCommitApi, 8, {
    groupId: "g",
    generationIdOrMemberEpoch: generationId,
    memberId,
    topics: both,
  });
  const topics = ["t", "u", "nothing"].map((name) => ({ name, partitions: [{ partitionIndex: 0 }] }));
  const response = await client.ask(offsetDeleteApi, 0, { groupId: "g", topics });
  expect(response.topics.map(({ partitions }) => partitions[0]!.errorCode)).toEqual([86, 0, 3]);
  expect(context.offsets.list("g").map(({ topic }) => topic)).toEqual(["t"]);
  expect((await client.ask(deleteGroupsApi, 2, { groupsNames: ["g"] })).results[0]!.errorCode).toBe(68);
});

test("a thousand members in one group are told, described and listed, each whole", async () => {
  const { connect, context } = await open({ initialRebalanceDelayMs: 50 });
  const client = await connect();
  const waiting = Array.from(
    { length: 999 },
    (_, index) =>
      new Promise<unknown>((resolve) => {
        const protocols = [{ name: "range", metadata: METADATA }];
        const request = {
          memberId: "",
          instanceId: null,
          clientId: `c${index}`,
          clientHost: "/h",
          sessionTimeoutMs: 60_000,
          rebalanceTimeoutMs: 60_000,
          protocolType: "consumer",
          protocols,
          isTwoStep: false,
          canSkipAssignment: true,
        };
        context.groups.join("g", request, { respond: resolve });
      }),
  );
  await join(client, 3);
  await Promise.all(waiting);
  const described = await client.ask(describeGroupsApi, 5, { groups: ["g"] });
  expect([described.groups[0]!.members.length, described.groups[0]!.groupState]).toEqual([
    1000,
    "CompletingRebalance",
  ]);
});
