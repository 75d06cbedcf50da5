/**
 * Groups of the classic protocol: what members are told in each state of their group. A case has one connection, so a request that
 * waits for other members waits until they are out, a second.
 */

import { deleteGroupsApi } from "../../../src/protocol/kafka/apis/delete-groups.ts";
import { describeGroupsApi } from "../../../src/protocol/kafka/apis/describe-groups.ts";
import { heartbeatApi } from "../../../src/protocol/kafka/apis/heartbeat.ts";
import { joinGroupApi } from "../../../src/protocol/kafka/apis/join-group.ts";
import { leaveGroupApi } from "../../../src/protocol/kafka/apis/leave-group.ts";
import { listGroupsApi } from "../../../src/protocol/kafka/apis/list-groups.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { offsetDeleteApi } from "../../../src/protocol/kafka/apis/offset-delete.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import { syncGroupApi } from "../../../src/protocol/kafka/apis/sync-group.ts";
import { ask, type Case, type Memory, type Names, type Step } from "../case.ts";

const TIMEOUT_MS = 10_000;
/** How long a member that does not come again holds up the others. */
const REBALANCE_MS = 1000;

interface Member {
  readonly memberId: string;
  readonly generationId?: number;
  readonly groupInstanceId?: string | null;
}

/** From what was told so far. */
type Asker = (memory: Memory) => Member;

const NOBODY: Asker = () => ({ memberId: "nobody" });

export function groupCases(names: Names, topic: string): Case[] {
  return [
    ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((version) => wholeLife(new Group(names.group()), version, topic)),
    ...[5, 7, 9].map((version) => staticMembers(new Group(names.group()), version, topic)),
    errors(new Group(names.group()), topic),
    protocols(new Group(names.group())),
    pending(new Group(names.group())),
    secondMember(new Group(names.group()), topic),
    leaving(new Group(names.group())),
    opaque(new Group(names.group()), topic),
    withoutMembers(new Group(names.group()), topic),
    namesAndFilters(new Group(names.group()), topic),
  ];
}

/** Joined, assigned, alive, committed, described, left, deleted. */
function wholeLife(group: Group, version: number, topic: string): Case {
  const me = last("memberId");
  const steps = [
    ...group.enter(version),
    group.sync(Math.min(version, 5), me, { assignments: true }),
    group.heartbeat(Math.min(version, 4), me),
    group.commit(Math.min(2 + version, 8), me, topic),
    group.describe(Math.min(version, 6)),
    group.list(Math.min(version, 5)),
    group.deleteOffsets(topic),
    group.remove(Math.min(version, 2)),
    group.commit(8, () => ({ memberId: "" }), topic),
    group.leave(Math.min(version, 5), me),
    group.describe(Math.min(version, 6)),
    group.heartbeat(Math.min(version, 4), me),
    group.commit(8, me, topic),
    group.commit(8, () => ({ memberId: "" }), topic),
    group.fetch(topic),
    group.deleteOffsets(topic),
    group.fetch(topic),
    group.list(5),
    group.remove(Math.min(version, 2)),
    group.remove(2),
    group.describe(6),
    group.fetch(topic),
  ];
  return { name: `group: a life, JoinGroup ${version}`, steps };
}

/** A static member that comes back, and the one that it fences. */
function staticMembers(group: Group, version: number, topic: string): Case {
  const instance = { groupInstanceId: "instance" };
  const first: Asker = (memory) => ({ ...joined(memory, 0), ...instance });
  const second: Asker = (memory) => ({ ...joined(memory, 1), ...instance });
  const syncVersion = Math.min(version, 5);
  const steps = [
    group.join(version, () => ({ memberId: "", ...instance }), "joined"),
    group.sync(syncVersion, first, { assignments: true }),
    group.join(version, () => ({ memberId: "", ...instance }), "came back"),
    group.sync(syncVersion, second, {}),
    group.heartbeat(4, second),
    group.heartbeat(4, first, "fenced"),
    group.sync(syncVersion, first, {}, "fenced"),
    group.commit(8, first, topic, "fenced"),
    group.commit(8, second, topic),
    group.join(version, first, "fenced"),
    group.heartbeat(4, (memory) => ({ ...second(memory), groupInstanceId: "other" }), "another instance"),
    group.describe(5),
    group.leave(4, first, "fenced"),
    group.leave(4, () => ({ memberId: "", groupInstanceId: "other" }), "another instance"),
    group.leave(4, () => ({ memberId: "", ...instance }), "by instance"),
    group.leave(4, () => ({ memberId: "", ...instance }), "again"),
    group.describe(5),
    group.remove(2),
  ];
  return { name: `group: a static member, JoinGroup ${version}`, steps };
}

/** What members are told that are not of the group, or not of its generation, in each state. */
function errors(group: Group, topic: string): Case {
  const me = last("memberId");
  const old: Asker = (memory) => ({ ...me(memory), generationId: 7 });
  const before: Asker = (memory) => ({ ...me(memory), generationId: -1 });
  const look = (note: string): Step[] => [
    ...[NOBODY, old, before].flatMap((asker, index) => [
      group.heartbeat(4, asker, `${note} ${index}`),
      group.sync(5, asker, {}, `${note} ${index}`),
      group.commit(8, asker, topic, `${note} ${index}`),
    ]),
    group.join(9, NOBODY, note),
    group.leave(5, NOBODY, note),
    group.describe(6, note),
  ];
  const steps = [
    ...look("not there"),
    ...group.enter(9),
    ...look("completing"),
    group.commit(8, me, topic, "completing"),
    group.heartbeat(4, me, "completing"),
    group.sync(5, me, { protocolType: null }, "without a type"),
    group.sync(5, me, { protocolName: null }, "without a protocol"),
    group.sync(5, me, { protocolType: "connect" }, "another type"),
    group.sync(5, me, { protocolName: "other" }, "another protocol"),
    group.sync(5, me, { assignments: true }),
    ...look("stable"),
    group.sync(5, me, {}, "again"),
    group.leave(5, me),
    ...look("empty"),
    group.remove(2),
  ];
  return { name: "group: errors in each state", steps };
}

function protocols(group: Group): Case {
  const me = last("memberId");
  const other = { protocols: [{ name: "other", metadata: Buffer.from("m") }] };
  const steps = [
    group.join(3, () => ({ memberId: "" }), "no protocols", { protocols: [] }),
    group.join(3, () => ({ memberId: "" }), "no type", { protocolType: "" }),
    group.join(3, () => ({ memberId: "" }), "session too short", { sessionTimeoutMs: 1 }),
    group.join(3, () => ({ memberId: "" }), "session too long", { sessionTimeoutMs: 2 ** 31 - 1 }),
    ...group.enter(9),
    group.join(9, () => ({ memberId: "" }), "another type", { protocolType: "connect" }),
    group.join(9, () => ({ memberId: "" }), "another protocol", other),
    group.join(9, me, "the leader again, unchanged"),
    group.sync(5, me, { assignments: true }),
    group.join(9, me, "the leader again, stable"),
    group.join(9, me, "with another protocol", other),
    group.leave(5, me),
    group.remove(2),
  ];
  return { name: "group: protocols", steps };
}

/** Ids that nobody joins with. */
function pending(group: Group): Case {
  const steps = [
    group.join(9, () => ({ memberId: "" }), "an id"),
    group.heartbeat(4, last("memberId")),
    group.commit(8, last("memberId"), "nothing"),
    group.leave(5, last("memberId")),
    group.leave(5, last("memberId"), "again"),
    group.join(9, last("memberId"), "too late"),
  ];
  return { name: "group: pending members", steps };
}

/** One comes, and the first does not join again: it is out, and what it says is refused. */
function secondMember(group: Group, topic: string): Case {
  const first: Asker = (memory) => joined(memory, 0);
  const second: Asker = (memory) => joined(memory, 1);
  const steps = [
    group.join(3, () => ({ memberId: "" }), "first"),
    group.sync(3, first, { assignments: true }),
    group.join(3, () => ({ memberId: "" }), "second"),
    group.heartbeat(3, first, "out"),
    group.commit(6, first, topic, "out"),
    group.heartbeat(3, second),
    group.sync(3, second, { assignments: true }),
    group.commit(6, second, topic),
    group.describe(4),
    group.leave(2, second),
    group.remove(2),
  ];
  return { name: "group: a second member", steps };
}

function leaving(group: Group): Case {
  const me = last("memberId");
  const batch = (memory: Memory) => [
    { memberId: "nobody", groupInstanceId: null },
    { memberId: "nobody", groupInstanceId: "nothing" },
    { memberId: "", groupInstanceId: null },
    { memberId: me(memory).memberId, groupInstanceId: "nothing" },
    { memberId: me(memory).memberId, groupInstanceId: null },
    { memberId: me(memory).memberId, groupInstanceId: null },
  ];
  const steps = [
    ...group.enter(9),
    ...[3, 4, 5].map((version) =>
      ask(leaveGroupApi, version, (memory: Memory) => ({ groupId: group.name, members: batch(memory) }), {
        note: `a batch ${version}`,
      }),
    ),
    ask(leaveGroupApi, 5, { groupId: group.name, members: [] }, { note: "nobody" }),
    group.remove(2),
  ];
  return { name: "group: leaving in batches", steps };
}

/** Members whose metadata means nothing to a server. */
function opaque(group: Group, topic: string): Case {
  const me = last("memberId");
  const steps = [
    ...group.enter(9, { protocolType: "connect" }),
    group.sync(5, me, { assignments: true, protocolType: "connect" }),
    group.commit(8, me, topic),
    group.describe(5),
    group.list(5),
    group.deleteOffsets(topic),
    group.leave(5, me),
    group.list(5),
    group.deleteOffsets(topic),
    group.remove(2),
  ];
  return { name: "group: another protocol type", steps };
}

function withoutMembers(group: Group, topic: string): Case {
  const steps = [
    group.describe(5),
    group.remove(2),
    group.deleteOffsets(topic),
    group.commit(8, () => ({ memberId: "" }), topic),
    group.describe(5),
    group.describe(6),
    group.list(3),
    group.list(5),
    group.commit(8, () => ({ memberId: "m", generationId: 3 }), topic),
    group.commit(8, () => ({ memberId: "m" }), topic),
    group.heartbeat(4, NOBODY),
    group.sync(5, NOBODY, {}),
    group.leave(5, NOBODY),
    group.join(9, NOBODY, "nobody"),
    group.deleteOffsets("no-such-topic"),
    group.deleteOffsets(topic, 99),
    group.deleteOffsets(topic),
    group.fetch(topic),
    group.remove(1),
  ];
  return { name: "group: offsets without members", steps };
}

/** The empty name, filters, and what stands twice. */
function namesAndFilters(group: Group, topic: string): Case {
  const none = new Group("");
  const filter = (version: number, filters: object, note: string) =>
    ask(listGroupsApi, version, filters, { note });
  const steps = [
    none.join(9, () => ({ memberId: "" }), "no name"),
    none.sync(5, NOBODY, {}),
    none.heartbeat(4, NOBODY),
    none.leave(5, NOBODY),
    none.deleteOffsets(topic),
    ask(describeGroupsApi, 5, { groups: ["", group.name, group.name] }, { note: "twice" }),
    ask(
      describeGroupsApi,
      6,
      { groups: [group.name], includeAuthorizedOperations: true },
      { note: "operations" },
    ),
    group.commit(8, () => ({ memberId: "" }), topic),
    ask(
      describeGroupsApi,
      5,
      { groups: [group.name], includeAuthorizedOperations: true },
      { note: "operations" },
    ),
    filter(4, { statesFilter: ["empty"] }, "in small letters"),
    filter(4, { statesFilter: [" EMPTY ", "Stable"] }, "with spaces"),
    filter(4, { statesFilter: ["Stable"] }, "another state"),
    filter(4, { statesFilter: ["nothing"] }, "no such state"),
    filter(5, { typesFilter: ["classic"] }, "a type"),
    filter(5, { typesFilter: ["Classic", "consumer"] }, "two types"),
    filter(5, { typesFilter: ["consumer"] }, "another type"),
    filter(5, { statesFilter: ["Empty"], typesFilter: ["classic"] }, "both"),
    filter(5, { typesFilter: ["nothing"] }, "no such type"),
    ask(deleteGroupsApi, 2, { groupsNames: [group.name, group.name, "no-such-group"] }, { note: "twice" }),
  ];
  return { name: "group: names and filters", steps };
}

class Group {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** A first member: twice from version 4 on, the second time with its id. */
  enter(version: number, more: object = {}): Step[] {
    const first = this.join(version, () => ({ memberId: "" }), "joined", more);
    return version < 4 ? [first] : [first, this.join(version, last("memberId"), "joined with the id", more)];
  }

  join(version: number, asker: Asker, note: string, more: object = {}): Step {
    return ask(
      joinGroupApi,
      version,
      (memory: Memory) => {
        const { memberId, groupInstanceId } = asker(memory);
        return {
          groupId: this.name,
          sessionTimeoutMs: TIMEOUT_MS,
          ...(version >= 1 ? { rebalanceTimeoutMs: REBALANCE_MS } : {}),
          memberId,
          ...(version >= 5 ? { groupInstanceId: groupInstanceId ?? null } : {}),
          protocolType: "consumer",
          protocols: [{ name: "range", metadata: subscription("some-topic") }],
          ...more,
        };
      },
      { note },
    );
  }

  sync(
    version: number,
    asker: Asker,
    more: { assignments?: boolean } & Record<string, unknown>,
    note = "",
  ): Step {
    const { assignments, ...rest } = more;
    return ask(
      syncGroupApi,
      version,
      (memory: Memory) => {
        const { memberId, generationId = 1, groupInstanceId } = asker(memory);
        return {
          groupId: this.name,
          generationId,
          memberId,
          ...(version >= 3 ? { groupInstanceId: groupInstanceId ?? null } : {}),
          assignments: assignments === true ? [{ memberId, assignment: Buffer.from("assignment") }] : [],
          ...(version >= 5 ? { protocolType: "consumer", protocolName: "range" } : {}),
          ...rest,
        };
      },
      { note },
    );
  }

  heartbeat(version: number, asker: Asker, note = ""): Step {
    return ask(
      heartbeatApi,
      version,
      (memory: Memory) => {
        const { memberId, generationId = 1, groupInstanceId } = asker(memory);
        const instance = version >= 3 ? { groupInstanceId: groupInstanceId ?? null } : {};
        return { groupId: this.name, generationId, memberId, ...instance };
      },
      { note },
    );
  }

  leave(version: number, asker: Asker, note = ""): Step {
    return ask(
      leaveGroupApi,
      version,
      (memory: Memory) => {
        const { memberId, groupInstanceId = null } = asker(memory);
        return version < 3
          ? { groupId: this.name, memberId }
          : { groupId: this.name, members: [{ memberId, groupInstanceId }] };
      },
      { note },
    );
  }

  commit(version: number, asker: Asker, topic: string, note = ""): Step {
    return ask(
      offsetCommitApi,
      version,
      (memory: Memory) => {
        const { memberId, generationId = memberId === "" ? -1 : 1, groupInstanceId } = asker(memory);
        return {
          groupId: this.name,
          generationIdOrMemberEpoch: generationId,
          memberId,
          ...(version >= 7 ? { groupInstanceId: groupInstanceId ?? null } : {}),
          topics: [
            { name: topic, partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: "m" }] },
          ],
        };
      },
      { note },
    );
  }

  fetch(topic: string): Step {
    const topics = [{ name: topic, partitionIndexes: [0, 1] }];
    return ask(offsetFetchApi, 8, { groups: [{ groupId: this.name, topics }] });
  }

  describe(version: number, note = ""): Step {
    return ask(describeGroupsApi, version, { groups: [this.name] }, { note });
  }

  /** Those that the case knows are kept (normalise.ts); the describing names them. */
  list(version: number): Step {
    return ask(listGroupsApi, version, {});
  }

  remove(version: number): Step {
    return ask(deleteGroupsApi, version, { groupsNames: [this.name] });
  }

  deleteOffsets(topic: string, partitionIndex = 0): Step {
    return ask(offsetDeleteApi, 0, {
      groupId: this.name,
      topics: [{ name: topic, partitions: [{ partitionIndex }] }],
    });
  }
}

/** Whoever was told an id and a generation last. */
function last(_what: "memberId"): Asker {
  return ({ responses }) => {
    const found = responses.findLast(
      (response) => isJoin(response) && response.memberId !== "" && response.memberId !== "nobody",
    );
    return isJoin(found) ? memberOf(found) : { memberId: "" };
  };
}

/** The member of the join with this number, of those that succeeded. */
function joined({ responses }: Memory, index: number): Member {
  const found = responses.filter((response) => isJoin(response) && response.errorCode === 0)[index];
  return isJoin(found) ? memberOf(found) : { memberId: "" };
}

interface JoinResponse {
  readonly errorCode: number;
  readonly memberId: string;
  readonly generationId: number;
}

function isJoin(response: unknown): response is JoinResponse {
  return (
    typeof response === "object" && response !== null && "leader" in response && "generationId" in response
  );
}

function memberOf({ memberId, generationId }: JoinResponse): Member {
  return generationId < 0 ? { memberId } : { memberId, generationId };
}

function subscription(topic: string): Buffer {
  const name = Buffer.from(topic);
  return Buffer.concat([
    Buffer.from([0, 1, 0, 0, 0, 1, 0, name.length]),
    name,
    Buffer.from([255, 255, 255, 255]),
  ]);
}
