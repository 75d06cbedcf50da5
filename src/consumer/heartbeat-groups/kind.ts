/**
 * Groups of the consumer protocol as one kind of groups among others (group-kinds.ts): what requests ask that do not say which kind they
 * mean. A member of the classic protocol that comes to a group of this kind with members is refused, and so is one of this protocol that
 * comes to a classic group with members (heartbeat-groups.ts): without members a group is of the kind of whoever comes first.
 */

import type { ErrorCode } from "../../base/errors.ts";
import type { ConsumerGroups, GroupView, TopicPartition } from "../group-kinds.ts";
import type {
  Committer,
  JoinRequest,
  JoinWaiter,
  LeavingMember,
  LeftMember,
  SyncRequest,
  SyncWaiter,
} from "../group-requests.ts";
import { refusedJoin, refusedSync } from "../group-requests.ts";
import { commitFault, fetchFault } from "./commit-check.ts";
import type { ConsumerGroup } from "./group.ts";
import type { HeartbeatGroups } from "./heartbeat-groups.ts";
import type { TopicView } from "./topic-view.ts";

export class HeartbeatGroupKind implements ConsumerGroups {
  readonly #groups: HeartbeatGroups;
  readonly #topics: TopicView;

  constructor(groups: HeartbeatGroups, topics: TopicView) {
    this.#groups = groups;
    this.#topics = topics;
  }

  find(name: string): GroupView | undefined {
    const group = this.#groups.get(name);
    return group === undefined ? undefined : new View(group, this.#topics);
  }

  *names(): Iterable<string> {
    for (const { id } of this.#groups.all()) yield id;
  }

  async remove(name: string): Promise<void> {
    await this.#groups.remove(name);
  }

  join(_name: string, { memberId }: JoinRequest, waiter: JoinWaiter): void {
    waiter.respond(refusedJoin("INCONSISTENT_GROUP_PROTOCOL", memberId));
  }

  sync(_name: string, _request: SyncRequest, waiter: SyncWaiter): void {
    waiter.respond(refusedSync("UNKNOWN_MEMBER_ID"));
  }

  heartbeat(): ErrorCode {
    return "UNKNOWN_MEMBER_ID";
  }

  leave(_name: string, members: readonly LeavingMember[]): LeftMember[] {
    return members.map((member) => ({ ...member, error: "UNKNOWN_MEMBER_ID" }));
  }
}

class View implements GroupView {
  readonly type = "consumer";
  readonly protocolType = "consumer";
  readonly #group: ConsumerGroup;
  readonly #topics: TopicView;

  constructor(group: ConsumerGroup, topics: TopicView) {
    this.#group = group;
    this.#topics = topics;
  }

  get state(): string {
    return this.#group.state;
  }

  get isEmpty(): boolean {
    return this.#group.memberCount === 0;
  }

  /** Only a heartbeat is a sign of life. */
  commit(
    { memberId, generationId, version }: Committer,
    partitions: Iterable<TopicPartition>,
  ): ErrorCode | null {
    return commitFault(
      this.#group,
      { memberId, epoch: generationId, version },
      withIds(partitions, this.#topics),
    );
  }

  fetchFault(memberId: string | null, memberEpoch: number): ErrorCode | null {
    return fetchFault(this.#group, memberId, memberEpoch);
  }

  offsetDeleteFault(): null {
    return null;
  }

  isSubscribedTo(topic: string): boolean {
    return this.#group.subscriptions.includes(topic);
  }

  unusedSinceMs(committedAtMs: number): number {
    return committedAtMs;
  }
}

function* withIds(
  partitions: Iterable<TopicPartition>,
  topics: TopicView,
): Generator<{ topicId: string; partition: number }> {
  for (const { topic, partition } of partitions) yield { topicId: topics.get(topic)?.id ?? "", partition };
}
