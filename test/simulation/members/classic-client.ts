/**
 * A consumer of the classic protocol, which leads when it is told to: it gives up everything before it joins again ("range"), or keeps what it
 * has and joins once more when it has given something up ("cooperative-sticky"). In a group of the consumer protocol it does the same,
 * and the server assigns.
 */

import type { ErrorCode } from "../../../src/base/errors.ts";
import type { JoinedMember, JoinResponse, SyncResponse } from "../../../src/consumer/group-requests.ts";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../../../src/protocol/group/consumer-protocol.ts";
import { joinRequest } from "../../support/group-scene.ts";
import { Client, codeOf } from "./client.ts";
import type { Assigner } from "./oracle.ts";
import { partsOf, placesOf, REBALANCE_MS, SESSION_MS, TOPICS, type World } from "./world.ts";

export class ClassicClient extends Client {
  readonly kind = "classic";
  readonly isEager: boolean;
  #phase: "idle" | "joined" | "stable" = "idle";
  /** For the leader: who is to get something. */
  #members: readonly JoinedMember[] = [];

  constructor(
    name: string,
    group: string,
    instanceId: string | null,
    topics: readonly string[],
    isEager: boolean,
  ) {
    super(name, group, instanceId, topics);
    this.isEager = isEager;
  }

  get isMember(): boolean {
    return this.#phase === "stable" && this.waitingFor === 0;
  }

  act(world: World): void {
    this.locate(world);
    if (this.waitingFor > 0) {
      if (world.random() < 0.02) this.giveUpWaiting();
    } else if (this.#phase === "idle") this.#join(world);
    else if (this.#phase === "joined") this.#sync(world);
    else if (world.random() < 0.5) this.heartbeat(world);
    else this.commit(world);
  }

  giveUpWaiting(): void {
    this.waitingFor = 0;
    this.#phase = "idle";
  }

  heartbeat(world: World): void {
    if (this.waitingFor > 0 || this.#phase !== "stable") return;
    const { life, serial, sentAtMs } = this.begin(world);
    const { group, memberId, instanceId, epoch } = this;
    Promise.resolve()
      .then(() => life.groups.heartbeat(group, memberId, instanceId, epoch))
      .then(
        (error) => {
          if (!this.isAwaited(world, life, serial)) return;
          if (error === null || error === "REBALANCE_IN_PROGRESS") {
            world.oracle.wentOn(this, serial);
            this.processedAtMs = sentAtMs;
          }
          if (error === null) this.accepted(serial, sentAtMs);
          else this.#refused(world, error);
        },
        (thrown: unknown) => {
          if (this.isAwaited(world, life, serial)) this.#refused(world, codeOf(thrown));
        },
      );
  }

  leave(world: World): void {
    const { group, memberId, instanceId } = this;
    const { life } = world;
    void (async () => life.groups.leave(group, [{ memberId, groupInstanceId: instanceId }]))().catch(codeOf);
  }

  #join(world: World): void {
    if (this.isEager) for (const place of [...this.owned.keys()]) this.giveUp(world, place);
    if (this.#phase !== "idle") return;
    const { memberId, instanceId, topics, epoch: generation } = this;
    const { life, serial, sentAtMs } = this.begin(world);
    const owned = Array.from(this.owned.keys(), partsOf);
    const metadata = encodeSubscription({ topics, owned, generation });
    const request = joinRequest({
      memberId,
      instanceId,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      isTwoStep: true,
      canSkipAssignment: true,
      protocolType: "consumer",
      protocols: [{ name: this.isEager ? "range" : "cooperative-sticky", metadata }],
    });
    this.processedAtMs = sentAtMs;
    if (memberId === "") world.oracle.replaces(this, serial, false);
    try {
      life.groups.join(this.group, request, {
        respond: (response) => {
          if (this.isAwaited(world, life, serial)) this.#joined(world, response, serial, memberId === "");
        },
      });
    } catch (thrown) {
      this.waitingFor = 0;
      this.#refused(world, codeOf(thrown));
    }
  }

  #joined(world: World, response: JoinResponse, serial: number, isNew: boolean): void {
    const { error, memberId, generationId, members, skipAssignment } = response;
    if (error === "MEMBER_ID_REQUIRED") this.memberId = memberId;
    if (error !== null) {
      this.#refused(world, error);
      return;
    }
    world.tell(`${this.name} is told generation ${generationId} as ${memberId}`);
    if (isNew) {
      this.joinedSerial = serial;
      // What a classic group was told by who joins is durable with the assignment.
      world.oracle.replaces(this, serial, world.life.groups.classic(this.group) === undefined);
    }
    world.oracle.epoch(this, generationId, this.memberId !== memberId || this.owned.size === 0);
    this.memberId = memberId;
    this.epoch = generationId;
    this.accepted(serial, world.clock.steadyMs());
    this.#members = skipAssignment ? [] : members;
    this.#phase = "joined";
  }

  #sync(world: World): void {
    const { memberId, instanceId, epoch: generationId } = this;
    const { life, serial, sentAtMs } = this.begin(world);
    const assigner = life.groups.classic(this.group) === undefined ? "server" : "leader";
    const request = {
      memberId,
      instanceId,
      generationId,
      protocolType: null,
      protocolName: null,
      assignments: assign(this.#members),
    };
    try {
      life.groups.sync(this.group, request, {
        respond: (response) => {
          if (!this.isAwaited(world, life, serial)) return;
          if (response.error === null) this.processedAtMs = sentAtMs;
          // Who waits for a leader is heard of; a server only takes long to answer.
          const heardAtMs = assigner === "leader" ? world.clock.steadyMs() : sentAtMs;
          this.#synced(world, response, serial, assigner, heardAtMs);
        },
      });
    } catch (thrown) {
      this.waitingFor = 0;
      this.#refused(world, codeOf(thrown));
    }
  }

  #synced(
    world: World,
    { error, assignment }: SyncResponse,
    serial: number,
    assigner: Assigner,
    heardAtMs: number,
  ): void {
    if (error !== null) {
      this.#refused(world, error);
      return;
    }
    const places = (decodeAssignment(assignment) ?? []).map(
      ({ topic, partition }) => `${topic}/${partition}`,
    );
    world.tell(`${this.name} is assigned ${places}`);
    this.accepted(serial, heardAtMs);
    world.oracle.replaces(this, serial, true);
    this.assignedEpoch = this.epoch;
    this.#phase = "stable";
    const hasToGiveUp = [...this.owned.keys()].some((place) => !places.includes(place));
    this.take(world, places, assigner);
    if (hasToGiveUp) this.#phase = "idle";
  }

  #refused(world: World, error: ErrorCode | string): void {
    world.tell(`${this.name} is told ${error}`);
    this.#phase = "idle";
    if (error === "FENCED_INSTANCE_ID") world.drop(this);
    else if (error === "UNKNOWN_MEMBER_ID" || error === "ILLEGAL_GENERATION") {
      if (error === "UNKNOWN_MEMBER_ID") this.memberId = "";
      this.loseAll(world);
    }
  }

  protected commitRefused(world: World, error: string): void {
    if (error === "REBALANCE_IN_PROGRESS") this.#phase = "idle";
    else if (
      error === "UNKNOWN_MEMBER_ID" ||
      error === "ILLEGAL_GENERATION" ||
      error === "FENCED_INSTANCE_ID"
    )
      this.#refused(world, error);
  }
}

/** Each place to one of those who want it; one that somebody else still has waits until it was given up. */
function assign(members: readonly JoinedMember[]): Map<string, Buffer> {
  const subscriptions = members.map(({ memberId, metadata }) => {
    const subscription = decodeSubscription(metadata);
    return {
      memberId,
      topics: new Set(subscription?.topics ?? []),
      owned: new Set((subscription?.owned ?? []).map(({ topic, partition }) => `${topic}/${partition}`)),
    };
  });
  const assigned = new Map(members.map(({ memberId }) => [memberId, [] as string[]]));
  for (const [slot, place] of placesOf(TOPICS.keys()).entries()) {
    const wanting = subscriptions.filter(({ topics }) => topics.has(partsOf(place).topic));
    const next = wanting[slot % wanting.length];
    if (next === undefined) continue;
    const isElsewhere = subscriptions.some((other) => other !== next && other.owned.has(place));
    if (!isElsewhere) assigned.get(next.memberId)!.push(place);
  }
  return new Map(Array.from(assigned, ([id, places]) => [id, encodeAssignment(places.map(partsOf))]));
}
