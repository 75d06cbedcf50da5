/** A member of the consumer protocol (KIP-848): heartbeats, and what they tell it. */

import type {
  HeartbeatRequest,
  HeartbeatResponse,
} from "../../../src/consumer/heartbeat-groups/heartbeat.ts";
import { Client, codeOf } from "./client.ts";
import { partsOf, REBALANCE_MS, type World } from "./world.ts";

const PEER = { clientId: "c", clientHost: "/h" };

export class ConsumerClient extends Client {
  readonly kind = "consumer";
  readonly regex: string | null;
  /** Whether it was told nothing lately, so that it tells everything and is told everything. */
  #isUnsure = false;

  constructor(
    name: string,
    group: string,
    instanceId: string | null,
    topics: readonly string[],
    regex: string | null,
  ) {
    super(name, group, instanceId, topics);
    this.memberId = `m-${name}`;
    this.regex = regex;
  }

  get isMember(): boolean {
    return this.epoch > 0;
  }

  act(world: World): void {
    this.locate(world);
    if (this.waitingFor > 0) {
      if (world.random() < 0.05) this.giveUpWaiting();
    } else if (this.isMember && world.random() < 0.4) this.commit(world);
    else this.heartbeat(world);
  }

  giveUpWaiting(): void {
    this.waitingFor = 0;
    this.#isUnsure = true;
  }

  heartbeat(world: World): void {
    if (this.waitingFor > 0) return;
    const request = this.#request();
    const isJoining = this.epoch === 0;
    const { life, serial, sentAtMs } = this.begin(world);
    let outcome: HeartbeatResponse | Promise<HeartbeatResponse>;
    try {
      outcome = life.heartbeatGroups.heartbeat(request, 1, PEER);
    } catch (thrown) {
      this.waitingFor = 0;
      this.#refused(world, codeOf(thrown));
      return;
    }
    this.processedAtMs = sentAtMs;
    if (isJoining) world.oracle.replaces(this, serial, false);
    Promise.resolve(outcome).then(
      (response) => {
        if (!this.isAwaited(world, life, serial)) return;
        if (!isJoining) world.oracle.wentOn(this, serial);
        else {
          this.joinedSerial = serial;
          world.oracle.replaces(this, serial, true);
        }
        this.accepted(serial, sentAtMs);
        this.#told(world, response, isJoining);
      },
      (thrown: unknown) => {
        if (this.isAwaited(world, life, serial)) this.#refused(world, codeOf(thrown));
      },
    );
  }

  leave(world: World): void {
    const { life } = world;
    const last = this.#request();
    const isComingBack = this.instanceId !== null && world.random() < 0.7;
    const request = { ...last, memberEpoch: isComingBack ? -2 : -1, topicPartitions: null };
    const leaving = (async () => life.heartbeatGroups.heartbeat(request, 1, PEER))();
    leaving.then(
      () => {
        if (life === world.life) haunt(world, last);
      },
      () => {},
    );
  }

  #request(): HeartbeatRequest {
    const isJoining = this.epoch === 0;
    const isWhole = isJoining || this.#isUnsure;
    const names = this.regex === null ? this.topics : [];
    return {
      groupId: this.group,
      memberId: this.memberId,
      memberEpoch: this.epoch,
      instanceId: this.instanceId,
      rackId: null,
      rebalanceTimeoutMs: isWhole ? REBALANCE_MS : -1,
      subscribedTopicNames: isWhole ? names : null,
      subscribedTopicRegex: isWhole ? this.regex : null,
      serverAssignor: null,
      topicPartitions: isJoining ? [] : listOf(this.owned.keys()),
    };
  }

  #told(world: World, { memberEpoch, assignment }: HeartbeatResponse, isJoining: boolean): void {
    this.#isUnsure = false;
    world.oracle.epoch(this, memberEpoch, isJoining);
    if (memberEpoch !== this.epoch || assignment !== null)
      world.tell(
        `${this.name} is told epoch ${memberEpoch}${assignment === null ? "" : ` and ${JSON.stringify(assignment.topicPartitions)}`}`,
      );
    this.epoch = memberEpoch;
    this.assignedEpoch = memberEpoch;
    if (assignment === null) return;
    const places = assignment.topicPartitions.flatMap(({ topicId, partitions }) =>
      partitions.map((partition) => `${topicId.slice("id-".length)}/${partition}`),
    );
    this.take(world, places, "server");
  }

  #refused(world: World, error: string): void {
    world.tell(`${this.name} is told ${error}`);
    this.#isUnsure = true;
    if (error === "COORDINATOR_NOT_AVAILABLE") return;
    if (error === "UNRELEASED_INSTANCE_ID" && world.isCalm) return;
    if (error === "UNRELEASED_INSTANCE_ID" || error === "FENCED_INSTANCE_ID") {
      world.drop(this);
      return;
    }
    if (!["UNKNOWN_MEMBER_ID", "FENCED_MEMBER_EPOCH", "GROUP_ID_NOT_FOUND"].includes(error))
      world.oracle.broken.push(`${this.name} is told ${error}`);
    this.loseAll(world);
    this.epoch = 0;
  }

  /** The next heartbeat tells it why. */
  protected commitRefused(): void {}
}

/** Who has left is no member any more. */
function haunt(world: World, request: HeartbeatRequest): void {
  try {
    void world.life.heartbeatGroups.heartbeat(request, 1, PEER);
    world.oracle.broken.push(`${request.memberId} goes on, it has left`);
  } catch (thrown) {
    world.tell(`${request.memberId} has left and is told ${codeOf(thrown)}`);
  }
}

function listOf(places: Iterable<string>): { topicId: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const place of places) {
    const { topic, partition } = partsOf(place);
    topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  }
  return Array.from(topics, ([topic, partitions]) => ({ topicId: `id-${topic}`, partitions }));
}
