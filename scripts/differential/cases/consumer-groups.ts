/**
 * Groups of the consumer protocol (KIP-848): what members are told in each state of their group, by both versions, and what others are told
 * of it. Members go on with the epochs and partitions that the server has told them.
 */

import { consumerGroupDescribeApi } from "../../../src/protocol/kafka/apis/consumer-group-describe.ts";
import { createPartitionsApi } from "../../../src/protocol/kafka/apis/create-partitions.ts";
import { describeGroupsApi } from "../../../src/protocol/kafka/apis/describe-groups.ts";
import { heartbeatApi } from "../../../src/protocol/kafka/apis/heartbeat.ts";
import { leaveGroupApi } from "../../../src/protocol/kafka/apis/leave-group.ts";
import { listGroupsApi } from "../../../src/protocol/kafka/apis/list-groups.ts";
import { syncGroupApi } from "../../../src/protocol/kafka/apis/sync-group.ts";
import { ask, type Case, type Memory, type Names, type Step, type TopicPlan } from "../case.ts";
import {
  type Committer,
  ConsumerGroupSteps,
  classicMember,
  hasPartitions,
  owning,
} from "./consumer-group-steps.ts";

const VERSIONS = [0, 1];
/** Client ids of members, as Java makes them: uuids in base64. */
const A = "AAAAAAAAAAAAAAAAAAAAAQ";
const B = "AAAAAAAAAAAAAAAAAAAAAg";
const STATIC = { instanceId: "instance" };

export function consumerGroupCases(names: Names): Case[] {
  const made = (
    what: string,
    steps: (group: ConsumerGroupSteps) => readonly Step[],
    topics = [names.topic()],
  ): Case => ({
    name: `consumer group: ${what}`,
    topics: topics.map((name): TopicPlan => ({ name, partitions: 4 })),
    steps: steps(new ConsumerGroupSteps(names.group(), topics)),
  });
  return [
    ...VERSIONS.map((version) => made(`a life ${version}`, (group) => life(group, version))),
    ...VERSIONS.map((version) => made(`a static member ${version}`, (group) => staticMember(group, version))),
    ...VERSIONS.map((version) => made(`errors ${version}`, (group) => errors(group, version))),
    made("responses that were missed", missed),
    made("regular expressions", regexes),
    made("a static member with another subscription", otherSubscription),
    made("assignors", assignors, [names.topic(), names.topic()]),
    made("topics that come and grow", topicsChange),
    made("commits and fetches", commits),
    made("seen by others", others),
    made("a classic member and the way back", migration),
    made("a classic member comes to it", classicComes),
    made("a classic member that it does not know", classicUnknown),
  ];
}

/** One member, a second one, what moves, and both leave. */
function life(group: ConsumerGroupSteps, version: number): Step[] {
  return [
    group.describe(1, "not there"),
    group.join(version, A),
    group.describe(version),
    group.beat(version, A),
    group.beat(version, A, group.whole(A), "everything again"),
    group.join(version, B),
    group.describe(version),
    group.beat(version, A, {}, "told to give up"),
    group.describe(version, "reconciling"),
    group.beat(version, B, {}, "waits"),
    group.beat(version, A, group.owned(A), "has given up"),
    group.beat(version, B, {}, "gets it"),
    group.beat(version, B, group.owned(B)),
    group.describe(version, "stable"),
    group.list(),
    group.remove("with members"),
    group.leave(version, B),
    group.beat(version, B, {}, "after it has left"),
    group.beat(version, A),
    group.describe(version, "one is left"),
    group.leave(version, A),
    group.describe(version, "empty"),
    group.list(),
    group.join(version, A, {}, "again"),
    group.leave(version, A),
    group.remove(),
    group.describe(version, "removed"),
  ];
}

function staticMember(group: ConsumerGroupSteps, version: number): Step[] {
  return [
    group.join(version, A, STATIC),
    group.join(version, B, STATIC, "while the first is there"),
    group.beat(version, B, { ...STATIC, memberEpoch: 2 }, "somebody else"),
    group.beat(version, A, { instanceId: "other" }, "another instance"),
    group.beat(version, A, {}, "without its instance"),
    group.leave(version, A, { instanceId: "other" }, "another instance"),
    group.leave(version, A, { ...STATIC, memberEpoch: -2 }, "to come back"),
    group.describe(version),
    group.beat(version, A, STATIC, "while it is away"),
    group.join(version, B, STATIC, "back"),
    group.describe(version),
    group.beat(version, A, { ...STATIC, memberEpoch: 2 }, "replaced"),
    group.leave(version, A, STATIC, "replaced"),
    group.beat(version, B, STATIC),
    group.leave(version, B, STATIC),
    group.describe(version, "empty"),
  ];
}

/** What is refused, without a group, with one, and in one that others have. */
function errors(group: ConsumerGroupSteps, version: number): Step[] {
  const nowhere = new ConsumerGroupSteps("", group.topics);
  const wrong = (note: string, more: object) => group.join(version, A, more, note);
  return [
    group.beat(version, A, { memberEpoch: 3 }, "no group"),
    group.leave(version, A, {}, "no group"),
    nowhere.join(version, A, {}, "no group name"),
    wrong("no member id", { memberId: "" }),
    wrong("an empty instance", { instanceId: "" }),
    wrong("an empty rack", { rackId: "" }),
    wrong("no rebalance timeout", { rebalanceTimeoutMs: -1 }),
    wrong("no subscription", { subscribedTopicNames: null }),
    wrong("partitions at the start", { topicPartitions: null }),
    wrong("an assignor that is not there", { serverAssignor: "nothing" }),
    wrong("an epoch that there is not", { memberEpoch: -3 }),
    wrong("a dynamic member that means to come back", { memberEpoch: -2 }),
    group.describe(version, "nothing came of it"),
    group.join(version, A),
    group.beat(version, B, { memberEpoch: 2 }, "no member"),
    group.beat(version, A, { memberEpoch: 1 }, "an old epoch"),
    group.beat(version, A, { memberEpoch: 9 }, "a later epoch"),
    group.beat(
      version,
      A,
      (memory) => ({ ...owning(group, [])(memory), memberEpoch: 1 }),
      "an old epoch, and nothing",
    ),
    group.beat(version, A, { serverAssignor: "nothing" }, "another assignor"),
    group.leave(version, B, {}, "no member"),
    group.join(version, A, {}, "again from the start"),
    group.beat(version, A, { rebalanceTimeoutMs: 5000 }, "another timeout"),
    group.beat(version, A, { subscribedTopicNames: [] }, "subscribed to nothing"),
    group.beat(version, A, group.owned(A), "has given up"),
    group.describe(version),
    group.leave(version, A),
  ];
}

/** Who has missed a response comes with the epoch before. */
function missed(group: ConsumerGroupSteps): Step[] {
  return [
    group.join(1, A),
    group.join(1, B),
    group.beat(1, A, {}, "told to give up"),
    group.beat(1, A, group.owned(A), "has given up"),
    group.beat(1, A, { memberEpoch: 2 }, "says nothing of what it has"),
    group.beat(1, A, (memory) => ({ ...group.owned(A)(memory), memberEpoch: 2 }), "has what it was told"),
    group.beat(1, A, (memory) => ({ ...group.whole(A)(memory), memberEpoch: 2 }), "says everything"),
    group.beat(1, A, (memory) => ({ ...owning(group, [0, 1, 2, 3])(memory), memberEpoch: 2 }), "has more"),
    group.describe(1),
  ];
}

function regexes(group: ConsumerGroupSteps): Step[] {
  const [topic = ""] = group.topics;
  const all = {
    subscribedTopicNames: null,
    subscribedTopicRegex: `${topic.slice(0, -1)}[${topic.slice(-1)}]`,
  };
  return [
    group.join(1, A, { ...all, subscribedTopicRegex: "(" }, "not one"),
    group.join(1, A, { ...all, subscribedTopicRegex: "(a)\\1" }, "a back reference"),
    group.join(1, A, { ...all, subscribedTopicRegex: "" }, "none"),
    group.describe(1, "after those"),
    group.leave(1, A),
    group.join(1, A, all),
    group.beat(1, A, {}, "until it is resolved", (response) => !hasPartitions(response)),
    group.describe(1),
    group.join(
      1,
      B,
      { subscribedTopicNames: [], subscribedTopicRegex: "nothing-of-this-name" },
      "matches nothing",
    ),
    group.beat(1, B, { subscribedTopicRegex: "" }, "none any more"),
    group.describe(1, "two"),
    group.leave(1, B),
    group.leave(1, A),
  ];
}

function otherSubscription(group: ConsumerGroupSteps): Step[] {
  const regex = { subscribedTopicNames: null, subscribedTopicRegex: "nothing-of-this-name" };
  return [
    group.join(1, A, { ...STATIC, ...regex }, "by an expression"),
    group.leave(1, A, { ...STATIC, memberEpoch: -2 }),
    group.join(1, B, STATIC, "back, by name"),
    group.describe(1),
    group.leave(1, B, { ...STATIC, memberEpoch: -2 }),
    group.join(1, A, { ...STATIC, ...regex }, "and back by the expression"),
    group.describe(1, "again"),
  ];
}

function assignors(group: ConsumerGroupSteps): Step[] {
  const range = { serverAssignor: "range" };
  return [
    group.join(1, A, range),
    group.join(1, B, range),
    group.beat(1, A),
    group.beat(1, A, group.owned(A)),
    group.beat(1, B),
    group.describe(1, "range"),
    group.beat(1, A, { serverAssignor: "uniform" }, "another one"),
    group.describe(1, "one each"),
    group.leave(1, A),
    group.leave(1, B),
  ];
}

function topicsChange(group: ConsumerGroupSteps): Step[] {
  const [topic = ""] = group.topics;
  const more = ask(createPartitionsApi, 3, {
    topics: [{ name: topic, count: 6, assignments: null }],
    timeoutMs: 10_000,
    validateOnly: false,
  });
  return [
    group.join(1, A, { subscribedTopicNames: [topic, "no-such-topic"] }),
    group.describe(1),
    more,
    group.beat(1, A, {}, "until it has grown", (response) => !hasPartitions(response)),
    group.beat(1, A, group.owned(A)),
    group.describe(1, "grown"),
    group.leave(1, A),
  ];
}

function commits(group: ConsumerGroupSteps): Step[] {
  const me: Committer = { memberId: A };
  return [
    group.commit(9, { memberId: "", epoch: -1 }, "no group, nobody"),
    group.commit(9, { memberId: A, epoch: 2 }, "no group"),
    group.join(1, A),
    ...[8, 9].map((version) => group.commit(version, me, "a member")),
    group.commit(9, { memberId: A, epoch: 1 }, "an old epoch"),
    group.commit(9, { memberId: A, epoch: 7 }, "a later epoch"),
    group.commit(9, { memberId: A, epoch: -1 }, "a member without its epoch"),
    group.commit(9, { memberId: B, epoch: 2 }, "no member"),
    group.commit(9, { memberId: "", epoch: -1 }, "nobody"),
    group.fetch(9, me, "a member"),
    group.fetch(9, { memberId: A, epoch: 1 }, "an old epoch"),
    group.fetch(9, { memberId: A, epoch: 7 }, "a later epoch"),
    group.fetch(9, { memberId: B, epoch: 2 }, "no member"),
    group.fetch(9, { memberId: "", epoch: -1 }, "an empty name"),
    group.fetch(9, null, "nobody"),
    group.fetch(8, null, "nobody, an old version"),
    group.deleteOffsets("subscribed"),
    group.leave(1, A),
    group.commit(9, { memberId: "", epoch: -1 }, "empty"),
    group.commit(9, { memberId: A, epoch: 2 }, "empty, a member that was"),
    group.fetch(9, null, "empty"),
    group.deleteOffsets("empty"),
    group.fetch(9, null, "deleted"),
  ];
}

/** What is asked of a group by those who do not know its kind. */
function others(group: ConsumerGroupSteps): Step[] {
  const groupIds = ["", group.name, "no-such-group", group.name];
  const classic = { groupId: group.name, generationId: 1, memberId: "m", groupInstanceId: null };
  return [
    group.join(1, A),
    ask(consumerGroupDescribeApi, 1, { groupIds }, { note: "several" }),
    ask(
      consumerGroupDescribeApi,
      1,
      { groupIds: [group.name], includeAuthorizedOperations: true },
      { note: "operations" },
    ),
    ask(consumerGroupDescribeApi, 0, { groupIds: [] }, { note: "none" }),
    ...[5, 6].map((version) =>
      ask(describeGroupsApi, version, { groups: [group.name] }, { note: "as classic" }),
    ),
    ask(heartbeatApi, 4, classic, { note: "as classic" }),
    ask(
      syncGroupApi,
      5,
      { ...classic, protocolType: "consumer", protocolName: "range", assignments: [] },
      {
        note: "as classic",
      },
    ),
    ask(
      leaveGroupApi,
      5,
      { groupId: group.name, members: [{ memberId: "m", groupInstanceId: null }] },
      {
        note: "as classic",
      },
    ),
    ask(listGroupsApi, 5, { typesFilter: ["consumer"] }, { note: "of the type" }),
    ask(listGroupsApi, 5, { typesFilter: ["classic"] }, { note: "of the other type" }),
    ask(listGroupsApi, 4, { statesFilter: ["Stable"] }, { note: "stable" }),
    ask(listGroupsApi, 5, { statesFilter: ["assigning", "reconciling"] }, { note: "states of this kind" }),
    group.leave(1, A),
    ask(describeGroupsApi, 6, { groups: [group.name] }, { note: "empty, as classic" }),
    ask(listGroupsApi, 5, { statesFilter: ["Empty"] }, { note: "empty" }),
    group.remove(),
  ];
}

/** A classic group of one member: one of the consumer protocol comes, and leaves again. */
function migration(group: ConsumerGroupSteps): Step[] {
  const me = (memory: Memory) => classicMember(memory);
  return [
    group.classicJoin("first"),
    group.classicSync(me, true),
    ask(consumerGroupDescribeApi, 1, { groupIds: [group.name] }, { note: "a classic group" }),
    group.join(1, B),
    group.list(),
    ask(describeGroupsApi, 6, { groups: [group.name] }, { note: "upgraded" }),
    group.describe(1, "upgraded"),
    group.classicBeat(me, "to join again"),
    group.classicJoin("again", me, [0, 1, 2, 3]),
    group.classicSync(me),
    group.beat(1, B, {}, "waits"),
    group.classicBeat(me, "has to give up"),
    group.classicJoin("has given up", me, [0, 1]),
    group.classicSync(me),
    group.classicBeat(me),
    group.beat(1, B, {}, "gets it"),
    group.describe(1, "both"),
    group.leave(1, B),
    group.list(),
    ask(describeGroupsApi, 6, { groups: [group.name] }, { note: "downgraded" }),
    group.classicBeat(me, "downgraded"),
    group.classicJoin("downgraded", me),
    group.classicSync(me, true),
    group.classicBeat(me, "a classic group again"),
    ask(leaveGroupApi, 5, (memory: Memory) => ({
      groupId: group.name,
      members: [{ memberId: me(memory).memberId, groupInstanceId: null }],
    })),
    group.remove(),
  ];
}

/** A classic member comes to a group that is not its kind. */
function classicComes(group: ConsumerGroupSteps): Step[] {
  const me = (memory: Memory) => classicMember(memory);
  return [
    group.join(1, A),
    group.classicJoin("an id"),
    group.classicJoin("with the id", me),
    group.classicSync(me),
    group.classicBeat(me),
    group.beat(1, A, {}, "told to give up"),
    group.beat(1, A, group.owned(A), "has given up"),
    group.classicBeat(me, "to join again"),
    group.classicJoin("for what is free", me),
    group.classicSync(me),
    group.classicBeat(me, "stable"),
    group.classicJoin("another type", me, [], { protocolType: "connect" }),
    group.describe(1, "both"),
    ask(leaveGroupApi, 5, (memory: Memory) => ({
      groupId: group.name,
      members: [{ memberId: me(memory).memberId, groupInstanceId: null }],
    })),
    group.beat(1, A),
    group.leave(1, A),
  ];
}

function classicUnknown(group: ConsumerGroupSteps): Step[] {
  const me = () => ({ memberId: "removed", generationId: 2 });
  return [
    group.join(1, A),
    group.classicSync(me),
    group.classicBeat(me),
    group.classicJoin("with partitions", me, [0]),
  ];
}
