/**
 * A member of a consumer group, in the classic protocol: it joins, is told its partitions, says that it lives, and leaves.
 *
 *   join ──> JoinGroup ──> SyncGroup ──> partitions ──heartbeats──> (a rebalance) ──> mustJoin ──> join ...
 *                └ the leader shares the partitions among all (assignors.ts)
 *
 * Invariants
 *   - The member gives up all its partitions before it joins again: it commits what it has done, and reads on when `join` returns. So
 *     it may share a group with members of any client, those that keep their partitions (cooperative) included.
 *   - Requests of the group have a connection of their own: a JoinGroup waits at the broker for the other members.
 *   - Once it is lost, the group has given its partitions to others, and a commit of what was done is refused (`GroupMovedOn`).
 *   - A static member (`instanceId`) does not leave: it comes back within the session timeout to the same partitions.
 */

import type { Timer } from "../../base/clock.ts";
import { NO_ERROR, ObeliskError, toObeliskError } from "../../base/errors.ts";
import { SECOND_MS } from "../../base/units.ts";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type TopicPartition,
} from "../../protocol/group/consumer-protocol.ts";
import { heartbeatApi } from "../../protocol/kafka/apis/heartbeat.ts";
import { type JoinGroupResponse, joinGroupApi } from "../../protocol/kafka/apis/join-group.ts";
import { leaveGroupApi } from "../../protocol/kafka/apis/leave-group.ts";
import { syncGroupApi } from "../../protocol/kafka/apis/sync-group.ts";
import { brokerError } from "../broker-errors.ts";
import type { Cluster } from "../cluster.ts";
import type { Connection } from "../connection.ts";
import { type GroupMemberId, withCoordinator } from "../group-offsets.ts";
import { ASSIGNORS } from "./assignors.ts";

/** Short, because a person waits for what a dead member held; brokers allow no less than 6 s by default. */
const SESSION_TIMEOUT_MS = 10 * SECOND_MS;
/** A third of it, as Kafka's clients. */
const HEARTBEAT_MS = 3 * SECOND_MS;
/** How long a member may take to give its partitions up and join again. */
const REBALANCE_TIMEOUT_MS = 60 * SECOND_MS;
/** The leader looks so often whether topics have come or grown. */
const METADATA_CHECK_MS = 10 * SECOND_MS;
/** From this version on LeaveGroup names several members. */
const LEAVE_SEVERAL_FROM = 3;

const PROTOCOL_TYPE = "consumer";

/** Errors of the protocol that a member meets, by their numbers. */
const ILLEGAL_GENERATION = 22;
const INCONSISTENT_GROUP_PROTOCOL = 23;
const UNKNOWN_MEMBER_ID = 25;
const REBALANCE_IN_PROGRESS = 27;
const MEMBER_ID_REQUIRED = 79;
const FENCED_INSTANCE_ID = 82;

export interface GroupMemberOptions {
  readonly group: string;
  readonly topics: readonly string[];
  /** Makes it a static member of this name. */
  readonly instanceId?: string | undefined;
}

/** What a member is given in a generation of the group. */
export interface MemberAssignment {
  readonly generation: number;
  readonly memberId: string;
  readonly partitions: readonly TopicPartition[];
}

export class GroupMember {
  readonly #cluster: Cluster;
  readonly #options: GroupMemberOptions;
  #memberId = "";
  #generation = -1;
  #mustJoin = true;
  #isLost = false;
  #isLeader = false;
  /** As the leader last shared them: topics by their number of partitions. */
  #counts = new Map<string, number>();
  #checkedAtMs = 0;
  #error: ObeliskError | null = null;
  #timer: Timer | null = null;
  /** Raised by every join: a heartbeat of an older generation counts no more. */
  #round = 0;

  constructor(cluster: Cluster, options: GroupMemberOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Whether the broker of the group serves what a member needs. */
  async isSupported(): Promise<boolean> {
    return await withCoordinator(this.#cluster, this.#options.group, async () =>
      (await this.#connection()).supports(joinGroupApi),
    );
  }

  /** Whether the group moves on, so that the member has to give its partitions up and `join` again. @throws ObeliskError when it was fenced */
  get mustJoin(): boolean {
    if (this.#error !== null) throw this.#error;
    return this.#mustJoin;
  }

  /** In whose name to commit. */
  get identity(): GroupMemberId {
    return {
      memberId: this.#memberId,
      generation: this.#generation,
      instanceId: this.#options.instanceId ?? null,
    };
  }

  /** A commit was refused because the group has moved on. */
  lose(): void {
    this.#isLost = true;
    this.#mustJoin = true;
  }

  /** Joins the group, or its next generation; waits for the other members as long as the broker does. */
  async join(): Promise<MemberAssignment> {
    this.#stopHeartbeats();
    if (this.#isLost) this.#generation = -1;
    for (;;) {
      const partitions = await this.#cluster.attempt(() => this.#attempt());
      if (partitions === null) continue;
      this.#mustJoin = false;
      this.#isLost = false;
      this.#checkedAtMs = this.#cluster.clock.monotonicMs();
      this.#beatLater(this.#round);
      return { generation: this.#generation, memberId: this.#memberId, partitions };
    }
  }

  /** Leaves, so that the others need not wait for the session to time out. A static member stays. */
  async leave(): Promise<void> {
    this.#stopHeartbeats();
    const { group, instanceId } = this.#options;
    const memberId = this.#memberId;
    if (memberId === "" || instanceId !== undefined) return;
    this.#memberId = "";
    this.#mustJoin = true;
    // Not on the connection of the group: a JoinGroup may still wait there.
    const connection = await this.#cluster.coordinator(group);
    const hasSeveral = connection.versionOf(leaveGroupApi) >= LEAVE_SEVERAL_FROM;
    await connection.request(
      leaveGroupApi,
      hasSeveral
        ? { groupId: group, members: [{ memberId, reason: "the consumer is closed" }] }
        : { groupId: group, memberId },
    );
  }

  /** One JoinGroup and SyncGroup; null: the group has moved on meanwhile, at once again. */
  async #attempt(): Promise<TopicPartition[] | null> {
    const { group, instanceId } = this.#options;
    let connection: Connection;
    let joined: JoinGroupResponse;
    try {
      connection = await this.#connection();
      const metadata = encodeSubscription({
        topics: this.#options.topics,
        owned: [],
        generation: this.#generation,
      });
      joined = await connection.request(
        joinGroupApi,
        {
          groupId: group,
          sessionTimeoutMs: SESSION_TIMEOUT_MS,
          rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
          memberId: this.#memberId,
          groupInstanceId: instanceId ?? null,
          protocolType: PROTOCOL_TYPE,
          protocols: ASSIGNORS.map(({ name }) => ({ name, metadata })),
        },
        REBALANCE_TIMEOUT_MS + SESSION_TIMEOUT_MS,
      );
    } catch (thrown) {
      this.#cluster.evictCoordinator(group);
      throw thrown;
    }
    if (joined.errorCode === MEMBER_ID_REQUIRED) {
      this.#memberId = joined.memberId;
      return null;
    }
    if (joined.errorCode !== NO_ERROR) return this.#refused(joined.errorCode);
    this.#memberId = joined.memberId;
    this.#generation = joined.generationId;
    this.#isLeader = joined.leader === joined.memberId;
    const assignments = this.#isLeader && !joined.skipAssignment ? await this.#share(joined) : [];
    const synced = await connection.request(
      syncGroupApi,
      {
        groupId: group,
        generationId: this.#generation,
        memberId: this.#memberId,
        groupInstanceId: instanceId ?? null,
        protocolType: PROTOCOL_TYPE,
        protocolName: joined.protocolName,
        assignments,
      },
      REBALANCE_TIMEOUT_MS + SESSION_TIMEOUT_MS,
    );
    if (synced.errorCode !== NO_ERROR) return this.#refused(synced.errorCode);
    const partitions = decodeAssignment(synced.assignment);
    if (partitions !== null) return partitions;
    throw new ObeliskError("PROTOCOL_ERROR", {
      detail: `the leader of the group ${group} sent an assignment that is none`,
    });
  }

  /** Null: join again at once. @throws ObeliskError what does not pass, or may pass after a while */
  #refused(wire: number): null {
    const { group, instanceId } = this.#options;
    if (wire === REBALANCE_IN_PROGRESS || wire === ILLEGAL_GENERATION) return null;
    if (wire === UNKNOWN_MEMBER_ID) {
      this.#memberId = "";
      this.#generation = -1;
      return null;
    }
    if (wire === FENCED_INSTANCE_ID) throw fenced(group, instanceId);
    if (wire === INCONSISTENT_GROUP_PROTOCOL) {
      throw brokerError(wire, {
        detail: `the members of the group ${group} share partitions by a protocol that this client does not know`,
        remedy: "use another group, or give the others range, roundrobin or cooperative-sticky too",
      });
    }
    this.#cluster.evictCoordinator(group);
    throw brokerError(wire);
  }

  async #share(joined: JoinGroupResponse) {
    const assignor = ASSIGNORS.find(({ name }) => name === joined.protocolName);
    if (assignor === undefined)
      throw new ObeliskError("PROTOCOL_ERROR", {
        detail: "the broker chose a protocol that was not offered",
      });
    const members = joined.members.map(({ memberId, metadata }) => ({
      memberId,
      ...(decodeSubscription(metadata) ?? { topics: [], owned: [], generation: -1 }),
    }));
    this.#counts = await this.#partitionCounts(new Set(members.flatMap(({ topics }) => topics)));
    const assignments = assignor.assign(members, this.#counts);
    return [...assignments].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment(partitions),
    }));
  }

  /** A topic that does not exist has no partitions. */
  async #partitionCounts(topics: Iterable<string>): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for (const topic of topics) counts.set(topic, (await this.#cluster.find(topic))?.partitions.length ?? 0);
    return counts;
  }

  #connection(): Promise<Connection> {
    return this.#cluster.coordinator(this.#options.group, "group");
  }

  #stopHeartbeats(): void {
    this.#round += 1;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #beatLater(round: number): void {
    this.#timer = this.#cluster.clock.after(HEARTBEAT_MS, () => {
      this.#beat(round).then(
        () => {
          if (round === this.#round) this.#beatLater(round);
        },
        () => {
          // The coordinator is not there: look for it again. When that takes longer than the session, the broker says so.
          this.#cluster.evictCoordinator(this.#options.group);
          if (round === this.#round) this.#beatLater(round);
        },
      );
    });
  }

  async #beat(round: number): Promise<void> {
    const { group, instanceId } = this.#options;
    const connection = await this.#connection();
    const { errorCode } = await connection.request(heartbeatApi, {
      groupId: group,
      generationId: this.#generation,
      memberId: this.#memberId,
      groupInstanceId: instanceId ?? null,
    });
    if (round !== this.#round) return;
    if (errorCode === REBALANCE_IN_PROGRESS) this.#mustJoin = true;
    else if (errorCode === FENCED_INSTANCE_ID) this.#error = fenced(group, instanceId);
    else if (errorCode === ILLEGAL_GENERATION || errorCode === UNKNOWN_MEMBER_ID) this.lose();
    else if (errorCode !== NO_ERROR) throw brokerError(errorCode);
    else if (this.#isLeader) await this.#lookForTopics(round);
  }

  async #lookForTopics(round: number): Promise<void> {
    const nowMs = this.#cluster.clock.monotonicMs();
    if (nowMs - this.#checkedAtMs < METADATA_CHECK_MS) return;
    this.#checkedAtMs = nowMs;
    const counts = await this.#partitionCounts(this.#counts.keys());
    const isSame = [...counts].every(([topic, count]) => this.#counts.get(topic) === count);
    if (!isSame && round === this.#round) this.#mustJoin = true;
  }
}

function fenced(group: string, instanceId: string | undefined): ObeliskError {
  const error = toObeliskError(brokerError(FENCED_INSTANCE_ID));
  return new ObeliskError(error.code, {
    ...error.facts,
    detail: `another consumer has taken the instance ${instanceId ?? ""} of the group ${group} over`,
    remedy: "give each consumer an --instance of its own",
  });
}
