/**
 * Groups of the consumer protocol as one kind of groups among others (group-kinds.ts): what requests ask that do not say which kind they
 * mean, and what members of the classic protocol ask (classic-members.ts).
 */

import { type ErrorCode, toObeliskError } from "../../base/errors.ts";
import type { StateChange } from "../../storage/contract.ts";
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
import { heartbeatClassic, joinClassic, leaveClassic, syncClassic } from "./classic-members.ts";
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

  release(name: string): StateChange[] {
    return this.#groups.release(name);
  }

  join(name: string, request: JoinRequest, waiter: JoinWaiter): void {
    const joined = this.#groups.perform(name, (scene) => joinClassic(scene, request));
    respond(waiter, joined, (error) => refusedJoin(error, request.memberId));
  }

  sync(name: string, request: SyncRequest, waiter: SyncWaiter): void {
    respond(
      waiter,
      this.#groups.perform(name, (scene) => syncClassic(scene, request)),
      refusedSync,
    );
  }

  heartbeat(
    name: string,
    memberId: string,
    instanceId: string | null,
    generationId: number,
  ): ErrorCode | null | Promise<ErrorCode | null> {
    return this.#groups.perform(name, (scene) => heartbeatClassic(scene, memberId, instanceId, generationId));
  }

  leave(name: string, members: readonly LeavingMember[]): LeftMember[] | Promise<LeftMember[]> {
    return this.#groups.perform(name, (scene) => leaveClassic(scene, members));
  }
}

/** When it is known; a store that refuses is an error of the protocol. */
function respond<Response>(
  waiter: { respond(response: Response): void },
  outcome: Response | Promise<Response>,
  refuse: (error: ErrorCode) => Response,
): void {
  if (!(outcome instanceof Promise)) {
    waiter.respond(outcome);
    return;
  }
  outcome.then(
    (response) => waiter.respond(response),
    (thrown: unknown) => waiter.respond(refuse(toObeliskError(thrown).code)),
  );
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
