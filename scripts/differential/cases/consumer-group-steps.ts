/**
 * Requests of members of one group of the consumer protocol, of both kinds, and of those who look at it: with what the server has told them
 * so far.
 */

import { encodeAssignment, encodeSubscription } from "../../../src/protocol/group/consumer-protocol.ts";
import { consumerGroupDescribeApi } from "../../../src/protocol/kafka/apis/consumer-group-describe.ts";
import { consumerGroupHeartbeatApi } from "../../../src/protocol/kafka/apis/consumer-group-heartbeat.ts";
import { deleteGroupsApi } from "../../../src/protocol/kafka/apis/delete-groups.ts";
import { heartbeatApi } from "../../../src/protocol/kafka/apis/heartbeat.ts";
import { joinGroupApi } from "../../../src/protocol/kafka/apis/join-group.ts";
import { listGroupsApi } from "../../../src/protocol/kafka/apis/list-groups.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { offsetDeleteApi } from "../../../src/protocol/kafka/apis/offset-delete.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import { syncGroupApi } from "../../../src/protocol/kafka/apis/sync-group.ts";
import { ask, type Memory, type Step } from "../case.ts";

const REBALANCE_MS = 60_000;

export interface Committer {
  readonly memberId: string;
  /** Missing: the one that it was told. */
  readonly epoch?: number;
}

type Fields = object | ((memory: Memory) => object);

export class ConsumerGroupSteps {
  readonly name: string;
  readonly topics: readonly string[];

  constructor(name: string, topics: readonly string[]) {
    this.name = name;
    this.topics = topics;
  }

  join(version: number, memberId: string, more: object = {}, note = ""): Step {
    return this.#send(version, `join ${note}`, () => ({ ...this.#joining(memberId), ...more }));
  }

  beat(
    version: number,
    memberId: string,
    more: Fields = {},
    note = "",
    repeatWhile?: (response: unknown) => boolean,
  ): Step {
    const request = (memory: Memory) => ({
      memberId,
      memberEpoch: epochOf(memory, memberId),
      ...fieldsOf(more, memory),
    });
    return this.#send(version, `beat ${note}`, request, repeatWhile);
  }

  leave(version: number, memberId: string, more: object = {}, note = ""): Step {
    return this.#send(version, `leave ${note}`, () => ({ memberId, memberEpoch: -1, ...more }));
  }

  /** What the member was told to have. */
  owned(memberId: string): (memory: Memory) => object {
    return (memory) => ({ topicPartitions: assignedTo(memory, memberId) });
  }

  /** All that a member says when it is not sure. */
  whole(memberId: string): (memory: Memory) => object {
    return (memory) => ({
      ...this.#joining(memberId),
      memberEpoch: epochOf(memory, memberId),
      topicPartitions: assignedTo(memory, memberId),
    });
  }

  describe(version: number, note = ""): Step {
    return ask(consumerGroupDescribeApi, version, { groupIds: [this.name] }, { note: `describe ${note}` });
  }

  list(): Step {
    return ask(listGroupsApi, 5, {});
  }

  remove(note = ""): Step {
    return ask(deleteGroupsApi, 2, { groupsNames: [this.name] }, { note });
  }

  commit(version: number, { memberId, epoch }: Committer, note: string): Step {
    const request = (memory: Memory) => ({
      groupId: this.name,
      generationIdOrMemberEpoch: epoch ?? epochOf(memory, memberId),
      memberId,
      topics: [
        {
          name: this.topics[0],
          partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: "m" }],
        },
      ],
    });
    return ask(offsetCommitApi, version, request, { note });
  }

  /** Null: nobody in particular asks. */
  fetch(version: number, member: Committer | null, note: string): Step {
    const request = (memory: Memory) => {
      const own =
        member === null
          ? {}
          : { memberId: member.memberId, memberEpoch: member.epoch ?? epochOf(memory, member.memberId) };
      const topics = [{ name: this.topics[0], partitionIndexes: [0, 1] }];
      return { groups: [{ groupId: this.name, ...own, topics }] };
    };
    return ask(offsetFetchApi, version, request, { note });
  }

  deleteOffsets(note: string): Step {
    const topics = [{ name: this.topics[0], partitions: [{ partitionIndex: 0 }] }];
    return ask(offsetDeleteApi, 0, { groupId: this.name, topics }, { note });
  }

  classicJoin(
    note: string,
    who: (memory: Memory) => ClassicMember = () => ({ memberId: "", generationId: -1 }),
    owned: readonly number[] = [],
    more: object = {},
  ): Step {
    const request = (memory: Memory) => {
      const { memberId, generationId: generation } = who(memory);
      const partitions = owned.map((partition) => ({ topic: this.topics[0]!, partition }));
      const metadata = encodeSubscription({ topics: this.topics, owned: partitions, generation });
      return {
        groupId: this.name,
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 10_000,
        memberId,
        protocolType: "consumer",
        protocols: [{ name: "cooperative-sticky", metadata }],
        ...more,
      };
    };
    return ask(joinGroupApi, 3, request, { note: `classic join ${note}` });
  }

  /** `leads`: it gives itself everything. */
  classicSync(who: (memory: Memory) => ClassicMember, leads = false): Step {
    const all = [0, 1, 2, 3].map((partition) => ({ topic: this.topics[0]!, partition }));
    const request = (memory: Memory) => {
      const { memberId, generationId } = who(memory);
      const assignments = leads ? [{ memberId, assignment: encodeAssignment(all) }] : [];
      return { groupId: this.name, generationId, memberId, assignments };
    };
    return ask(syncGroupApi, 3, request, { note: "classic sync" });
  }

  classicBeat(who: (memory: Memory) => ClassicMember, note = ""): Step {
    return ask(heartbeatApi, 4, (memory: Memory) => ({ groupId: this.name, ...who(memory) }), {
      note: `classic beat ${note}`,
    });
  }

  #joining(memberId: string): object {
    return {
      memberId,
      memberEpoch: 0,
      rebalanceTimeoutMs: REBALANCE_MS,
      subscribedTopicNames: this.topics,
      topicPartitions: [],
    };
  }

  #send(
    version: number,
    note: string,
    request: (memory: Memory) => object,
    repeatWhile?: (response: unknown) => boolean,
  ): Step {
    return ask(
      consumerGroupHeartbeatApi,
      version,
      (memory: Memory) => ({ groupId: this.name, ...request(memory) }),
      { note: note.trim(), ...(repeatWhile === undefined ? {} : { repeatWhile }) },
    );
  }
}

export interface ClassicMember {
  readonly memberId: string;
  readonly generationId: number;
}

interface BeatResponse {
  readonly errorCode: number;
  readonly memberId: string | null;
  readonly memberEpoch: number;
  readonly assignment: {
    readonly topicPartitions: readonly { topicId: string; partitions: number[] }[];
  } | null;
}

function fieldsOf(fields: Fields, memory: Memory): object {
  return typeof fields === "function" ? fields(memory) : fields;
}

/** Of the first topic. */
export function owning(group: ConsumerGroupSteps, partitions: number[]): (memory: Memory) => object {
  return ({ topicId }) => ({ topicPartitions: [{ topicId: topicId(group.topics[0]!), partitions }] });
}

function beats({ responses }: Memory, memberId: string): BeatResponse[] {
  return responses.filter(
    (response): response is BeatResponse =>
      isObject(response) && "memberEpoch" in response && response["memberId"] === memberId,
  );
}

/** 0: it was told none. */
function epochOf(memory: Memory, memberId: string): number {
  return beats(memory, memberId).findLast(({ errorCode }) => errorCode === 0)?.memberEpoch ?? 0;
}

function assignedTo(memory: Memory, memberId: string): readonly { topicId: string; partitions: number[] }[] {
  return (
    beats(memory, memberId).findLast(({ assignment }) => assignment !== null)?.assignment?.topicPartitions ??
    []
  );
}

export function hasPartitions(response: unknown): boolean {
  const { assignment } = response as BeatResponse;
  return (assignment?.topicPartitions.length ?? 0) > 0;
}

/** Whoever was told an id and a generation last. */
export function classicMember({ responses }: Memory): ClassicMember {
  const found = responses.findLast(
    (response) => isObject(response) && "generationId" in response && response["memberId"] !== "",
  );
  if (!isObject(found)) return { memberId: "", generationId: -1 };
  return { memberId: String(found["memberId"]), generationId: Number(found["generationId"]) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
