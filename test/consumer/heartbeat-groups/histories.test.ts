/**
 * Groups of the consumer protocol under random histories: members join, go on, miss responses, leave, fall silent and come back; topics
 * come, go and grow; the disk refuses; the server is started anew from what it had stored. Members are as honest clients: they use what they
 * were told, give up what they are told to, and start anew when they are fenced.
 *
 * At every step no partition is used by two members that the group knows at once. In the end, when all go on for a while, every partition is
 * with one member, the group is stable, and further heartbeats change nothing.
 */

import { expect, setDefaultTimeout, test } from "bun:test";
import { ObeliskError } from "../../../src/base/errors.ts";
import { GroupConfigs } from "../../../src/consumer/group-configs.ts";
import type { HeartbeatRequest } from "../../../src/consumer/heartbeat-groups/heartbeat.ts";
import { HeartbeatGroups } from "../../../src/consumer/heartbeat-groups/heartbeat-groups.ts";
import type { TopicView, ViewedTopic } from "../../../src/consumer/heartbeat-groups/topic-view.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { randomOf } from "../../support/random.ts";
import { FULL, RefusingState } from "../../support/refusing-state.ts";

setDefaultTimeout(60_000);

const SEEDS = 60;
const STEPS = 150;
const SESSION_MS = 10_000;
const REBALANCE_MS = 4_000;
const GROUP = "g";

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

class Topics implements TopicView {
  version = 0;
  readonly #topics = new Map<string, ViewedTopic>();
  #next = 0;

  get(name: string): ViewedTopic | undefined {
    return this.#topics.get(name);
  }

  names(): Iterable<string> {
    return this.#topics.keys();
  }

  set(name: string, partitions: number): void {
    const id = this.#topics.get(name)?.id ?? `id-${(this.#next += 1)}`;
    this.#topics.set(name, { id, partitions });
    this.version += 1;
  }

  remove(name: string): void {
    this.#topics.delete(name);
    this.version += 1;
  }

  places(): string[] {
    return [...this.#topics.values()].flatMap(({ id, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => `${id}/${partition}`),
    );
  }
}

class Client {
  memberId: string;
  epoch = 0;
  owned = new Set<string>();
  isSilent = false;
  /** A response was missed: everything is told again, so that everything is answered again. */
  isUnsure = false;
  readonly instanceId: string | null;
  readonly regex: string | null;
  readonly names: string[];

  constructor(memberId: string, instanceId: string | null, regex: string | null, names: string[]) {
    this.memberId = memberId;
    this.instanceId = instanceId;
    this.regex = regex;
    this.names = names;
  }

  request(): HeartbeatRequest {
    const isJoining = this.epoch === 0;
    const isWhole = isJoining || this.isUnsure;
    return {
      groupId: GROUP,
      memberId: this.memberId,
      memberEpoch: this.epoch,
      instanceId: this.instanceId,
      rackId: null,
      rebalanceTimeoutMs: isWhole ? REBALANCE_MS : -1,
      subscribedTopicNames: isWhole ? this.names : null,
      subscribedTopicRegex: isWhole ? this.regex : null,
      serverAssignor: null,
      topicPartitions: isJoining ? [] : listOf(this.owned),
    };
  }
}

function listOf(places: ReadonlySet<string>): { topicId: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const place of places) {
    const [id = "", partition] = place.split("/");
    topics.set(id, [...(topics.get(id) ?? []), Number(partition)]);
  }
  return Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions }));
}

class World {
  readonly clock = new ManualClock();
  readonly state = new RefusingState();
  readonly topics = new Topics();
  readonly clients: Client[] = [];
  readonly random: () => number;
  groups!: HeartbeatGroups;
  #next = 0;

  constructor(seed: number) {
    this.random = randomOf(seed);
  }

  async start(): Promise<void> {
    this.groups = await HeartbeatGroups.open({
      state: this.state,
      topics: this.topics,
      clock: this.clock,
      log,
      newId: () => `made-${(this.#next += 1)}`,
      membersMax: 100,
      migrationPolicy: "bidirectional",
      configs: await GroupConfigs.open(this.state, {
        sessionTimeoutMs: SESSION_MS,
        heartbeatIntervalMs: 1000,
        assignmentIntervalMs: 500,
      }),
    });
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.random() * from.length)];
  }

  addClient(): void {
    const number = (this.#next += 1);
    const isStatic = this.random() < 0.3;
    const regex = this.random() < 0.3 ? "t.*" : null;
    const names = regex === null ? ["t1", "t2", "t3"].filter(() => this.random() < 0.8) : [];
    const instanceId = isStatic ? `i${Math.floor(this.random() * 3)}` : null;
    this.clients.push(new Client(`m${number}`, instanceId, regex, names));
  }

  /** `isLost`: the response does not reach the client. */
  async beat(client: Client, isLost = false): Promise<boolean> {
    try {
      const response = await this.groups.heartbeat(client.request(), 1, { clientId: "c", clientHost: "/h" });
      client.isUnsure = isLost;
      if (isLost) return false;
      const hasChanged = client.epoch !== response.memberEpoch || response.assignment !== null;
      client.epoch = response.memberEpoch;
      if (response.assignment !== null)
        client.owned = new Set(
          response.assignment.topicPartitions.flatMap(({ topicId, partitions }) =>
            partitions.map((partition) => `${topicId}/${partition}`),
          ),
        );
      return hasChanged;
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      client.isUnsure = true;
      if (thrown.code === "COORDINATOR_NOT_AVAILABLE") return true;
      if (thrown.code === "UNRELEASED_INSTANCE_ID" || thrown.code === "FENCED_INSTANCE_ID") {
        // Another one has its name: it ends, as real clients do.
        this.clients.splice(this.clients.indexOf(client), 1);
        return true;
      }
      expect(["UNKNOWN_MEMBER_ID", "FENCED_MEMBER_EPOCH", "GROUP_ID_NOT_FOUND"]).toContain(thrown.code);
      client.epoch = 0;
      client.owned = new Set();
      return true;
    }
  }

  async leave(client: Client): Promise<void> {
    this.clients.splice(this.clients.indexOf(client), 1);
    if (client.epoch === 0) return;
    const memberEpoch = client.instanceId !== null && this.random() < 0.7 ? -2 : -1;
    const request = { ...client.request(), memberEpoch, topicPartitions: null };
    await Promise.allSettled([
      (async () => this.groups.heartbeat(request, 1, { clientId: "c", clientHost: "/h" }))(),
    ]);
  }

  /** No partition is used by two that the group knows. */
  check(): void {
    const group = this.groups.get(GROUP);
    const users = new Map<string, string>();
    for (const { memberId, owned, epoch } of this.clients) {
      if (epoch === 0 || group?.member(memberId) === undefined) continue;
      for (const place of owned) {
        expect(users.get(place)).toBeUndefined();
        users.set(place, memberId);
      }
    }
  }

  async step(): Promise<void> {
    const dice = this.random();
    const client = this.pick(this.clients.filter(({ isSilent }) => !isSilent));
    if (dice < 0.1 && this.clients.length < 8) this.addClient();
    else if (dice < 0.65 && client !== undefined) await this.beat(client);
    else if (dice < 0.72 && client !== undefined) await this.beat(client, true);
    else if (dice < 0.76 && client !== undefined) await this.leave(client);
    else if (dice < 0.79 && client !== undefined) client.isSilent = true;
    else if (dice < 0.82) {
      for (const each of this.clients) each.isSilent = false;
    } else if (dice < 0.92) this.clock.advance(Math.floor(this.random() * 3000));
    else if (dice < 0.95) this.topics.set(`t${1 + Math.floor(this.random() * 4)}`, this.partitions());
    else if (dice < 0.96) this.topics.remove(`t${1 + Math.floor(this.random() * 4)}`);
    else if (dice < 0.98) this.state.refuses = this.state.refuses === null ? FULL : null;
    else {
      // As after kill -9: what is in memory alone is gone.
      this.groups.close();
      await this.start();
    }
  }

  /** Never fewer than there were. */
  partitions(): number {
    return 8 + Math.floor(this.clock.monotonicMs() / 10_000);
  }

  async quiesce(): Promise<void> {
    this.state.refuses = null;
    for (const client of this.clients) client.isSilent = false;
    this.clients.push(new Client("last", null, "t.*", []));
    for (let round = 0; round < 40; round += 1) {
      this.clock.advance(1000);
      for (const client of [...this.clients]) {
        await this.beat(client);
        this.check();
      }
      await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
    }
  }
}

test("no history gives a partition two users, and each ends with all partitions assigned", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const world = new World(seed);
    try {
      world.topics.set("t1", 6);
      world.topics.set("t2", 3);
      await world.start();
      for (let step = 0; step < STEPS; step += 1) {
        await world.step();
        world.check();
      }
      await world.quiesce();
      const group = world.groups.get(GROUP)!;
      expect(group.state).toBe("Stable");
      const used = world.clients.flatMap(({ owned }) => [...owned]);
      expect(used.sort()).toEqual(world.topics.places().sort());
      for (const client of world.clients) expect(await world.beat(client)).toBe(false);
      const rows = await world.state.list("consumer-group");
      for (const client of world.clients) await world.beat(client);
      expect(await world.state.list("consumer-group")).toEqual(rows);
    } catch (thrown) {
      throw new Error(`seed ${seed}: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
    } finally {
      world.groups.close();
    }
  }
});
