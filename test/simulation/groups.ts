/**
 * The coordinator under members that come, go, pause and crash, over a disk that is slow and sometimes full, with crashes of the server
 * in between. A seed is one history. At the end everything is well again, and then each group must come to rest: all members that are
 * left in one generation, with every partition assigned.
 *
 *     step: a member does what comes next for it, or crashes, or leaves; the disk does one thing; time passes; the server crashes
 */

import { silentLog } from "../../src/base/log.ts";
import { nextTurn } from "../../src/base/loop/turns.ts";
import type { JoinResponse, SyncResponse } from "../../src/consumer/group-requests.ts";
import { Groups } from "../../src/consumer/groups.ts";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { joinRequest } from "../support/group-scene.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { randomOf } from "../support/random.ts";
import { GroupOracle } from "./group-oracle.ts";
import { GroupState } from "./group-state.ts";

const GROUPS = ["g", "h"];
const PARTITIONS = [0, 1, 2, 3, 4];
const MEMBERS_MAX = 6;
const STEPS = 400;
const HISTORY_KEPT = 60;
const SESSION_MS = 10_000;
/** Rounds in which all members act after everything is well again. */
const CALM_ROUNDS_MAX = 200;

interface Client {
  readonly name: string;
  readonly group: string;
  readonly instanceId: string | null;
  memberId: string;
  generation: number;
  phase: "idle" | "waiting" | "joined" | "stable" | "gone";
  /** For the leader: who is to get something. */
  members: readonly string[];
  owned: readonly number[];
  readonly positions: Map<number, number>;
}

interface Life {
  readonly state: GroupState;
  readonly offsets: GroupOffsets;
  readonly groups: Groups;
}

export async function runGroupSeed(
  seed: number,
): Promise<{ broken: string | null; history: readonly string[] }> {
  const run = new GroupRun(seed);
  await run.whole();
  return { broken: run.oracle.broken[0] ?? null, history: run.history };
}

class GroupRun {
  readonly oracle = new GroupOracle();
  readonly history: string[] = [];
  readonly #random: () => number;
  readonly #clock = new ManualClock();
  readonly #entries = new MemoryState();
  readonly #clients: Client[] = [];
  #life!: Life;
  #names = 0;
  #ids = 0;

  constructor(seed: number) {
    this.#random = randomOf(seed);
  }

  async whole(): Promise<void> {
    await this.#begin();
    for (let step = 0; step < STEPS && this.oracle.broken.length === 0; step += 1) {
      await this.#step();
      await nextTurn();
    }
    if (this.oracle.broken.length === 0) await this.#calm();
    this.#life.groups.close();
  }

  async #begin(): Promise<void> {
    const state = new GroupState(this.#entries);
    const offsets = await GroupOffsets.open(state, this.#clock);
    const newId = () => `id${++this.#ids}`;
    const options = {
      initialRebalanceDelayMs: 50,
      membersMax: 4,
      sessionTimeoutMsMin: 1,
      sessionTimeoutMsMax: 60_000,
    };
    const parts = { state, offsets, clock: this.#clock, log: silentLog, newId };
    this.#life = { state, offsets, groups: await Groups.open(options, parts) };
  }

  async #step(): Promise<void> {
    const chance = this.#random();
    if (chance < 0.01) await this.#crash();
    else if (chance < 0.03) {
      this.#life.state.isFull = this.#random() < 0.5;
      this.#tell(this.#life.state.isFull ? "the disk is full" : "the disk has room");
    } else if (chance < 0.1) this.#pass(this.#random() < 0.2 ? SESSION_MS : 500);
    else if (chance < 0.4) await this.#moveDisk();
    else if (chance < 0.45 && this.#clients.length < MEMBERS_MAX) this.#appear();
    else {
      const client = this.#pick();
      if (client === undefined) this.#appear();
      else if (this.#random() < 0.02) this.#goAway(client);
      else this.#act(client);
    }
  }

  async #moveDisk(): Promise<void> {
    if (this.#random() < 0.5) await this.#life.state.apply();
    else this.#life.state.tell();
  }

  async #crash(): Promise<void> {
    this.#tell("the server crashes");
    this.#life.groups.close();
    const applied = Math.floor(this.#random() * 3);
    for (let call = 0; call < applied; call += 1) await this.#life.state.apply();
    for (const client of this.#clients) if (client.phase === "waiting") client.phase = "idle";
    await this.#begin();
    for (const group of GROUPS) {
      this.oracle.restored(group, this.#life.groups.classic(group)?.generationId ?? 0);
      for (const partition of PARTITIONS) this.#fetch(group, partition);
    }
  }

  #appear(): void {
    const name = `c${++this.#names}`;
    const group = GROUPS[Math.floor(this.#random() * GROUPS.length)]!;
    const instanceId = this.#random() < 0.3 ? `i${Math.floor(this.#random() * 2)}` : null;
    this.#tell(`${name} appears in ${group}${instanceId === null ? "" : ` as ${instanceId}`}`);
    this.#clients.push({
      name,
      group,
      instanceId,
      memberId: "",
      generation: -1,
      phase: "idle",
      members: [],
      owned: [],
      positions: new Map(),
    });
  }

  #goAway(client: Client): void {
    const { group, memberId, instanceId } = client;
    if (memberId !== "" && this.#random() < 0.5) {
      this.#tell(`${client.name} leaves`);
      void this.#life.groups.leave(group, [{ memberId, groupInstanceId: instanceId }]);
    } else this.#tell(`${client.name} crashes`);
    this.#drop(client);
  }

  #drop(client: Client): void {
    client.phase = "gone";
    this.#clients.splice(this.#clients.indexOf(client), 1);
  }

  #act(client: Client): void {
    if (client.phase === "idle") this.#join(client);
    else if (client.phase === "joined") this.#sync(client);
    else if (client.phase === "stable") {
      if (this.#random() < 0.5) this.#heartbeat(client);
      else void this.#commit(client);
    }
  }

  #join(client: Client): void {
    const { group, memberId, instanceId } = client;
    const life = this.#life;
    client.phase = "waiting";
    client.owned = [];
    const request = joinRequest({
      memberId,
      instanceId,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: 5000,
      isTwoStep: true,
      canSkipAssignment: true,
      protocols: [{ name: "range", metadata: Buffer.from(group) }],
    });
    life.groups.join(group, request, {
      respond: (response) => {
        if (life === this.#life && client.phase === "waiting") this.#joined(client, response);
      },
    });
  }

  #joined(client: Client, response: JoinResponse): void {
    const { error } = response;
    this.#tell(
      `${client.name} is told ${error ?? `generation ${response.generationId}`} as ${response.memberId}`,
    );
    client.phase = "idle";
    if (error === "MEMBER_ID_REQUIRED") client.memberId = response.memberId;
    else if (error === "UNKNOWN_MEMBER_ID") client.memberId = "";
    else if (error === "FENCED_INSTANCE_ID") this.#drop(client);
    else if (error === null) {
      client.memberId = response.memberId;
      client.generation = response.generationId;
      client.members = response.skipAssignment ? [] : response.members.map(({ memberId }) => memberId);
      client.phase = "joined";
    }
  }

  #sync(client: Client): void {
    const life = this.#life;
    const { group, memberId, instanceId, generation: generationId, members } = client;
    client.phase = "waiting";
    const assignments = new Map(
      members.map((id, index) => [
        id,
        Buffer.from(PARTITIONS.filter((slot) => slot % members.length === index)),
      ]),
    );
    const request = {
      memberId,
      instanceId,
      generationId,
      protocolType: null,
      protocolName: null,
      assignments,
    };
    life.groups.sync(group, request, {
      respond: (response) => {
        if (life === this.#life && client.phase === "waiting") this.#synced(client, response);
      },
    });
  }

  #synced(client: Client, { error, assignment }: SyncResponse): void {
    const { group, generation, instanceId, memberId } = client;
    this.#tell(
      `${client.name} is ${error === null ? `assigned ${[...assignment]}` : `told ${error} by sync`}`,
    );
    client.phase = "idle";
    if (error === "UNKNOWN_MEMBER_ID") client.memberId = "";
    else if (error === "FENCED_INSTANCE_ID") this.#drop(client);
    if (error !== null) return;
    client.phase = "stable";
    client.owned = [...assignment];
    this.oracle.assigned(group, generation, instanceId ?? memberId, client.owned);
    client.positions.clear();
    for (const partition of client.owned) client.positions.set(partition, this.#fetch(group, partition) ?? 0);
  }

  #fetch(group: string, partition: number): number | null {
    const offset = this.#life.offsets.fetch(group, "t", partition)?.offset ?? null;
    this.oracle.offsets.fetched(`${group}/${partition}`, offset);
    return offset;
  }

  #heartbeat(client: Client): void {
    const { group, memberId, instanceId, generation } = client;
    const error = this.#life.groups.heartbeat(group, memberId, instanceId, generation);
    if (typeof error === "string") this.#refused(client, error);
  }

  async #commit(client: Client): Promise<void> {
    const { group, memberId, instanceId, generation, positions } = client;
    const life = this.#life;
    const partition = client.owned[Math.floor(this.#random() * client.owned.length)];
    if (partition === undefined) return;
    const committer = { memberId, instanceId, generationId: generation, version: 8 };
    const error = life.groups.commitFault(group, committer, []);
    if (error !== null) {
      this.#refused(client, error);
      return;
    }
    const offset = (positions.get(partition) ?? 0) + 1 + Math.floor(this.#random() * 5);
    positions.set(partition, offset);
    const place = `${group}/${partition}`;
    const commit = this.oracle.taken(group, generation, place, offset);
    try {
      await life.offsets.commit(group, [{ topic: "t", partition, offset, leaderEpoch: -1, metadata: "" }]);
    } catch {
      return;
    }
    if (life !== this.#life) return;
    this.#tell(`${client.name} has committed ${offset} for ${group}-${partition}`);
    this.oracle.offsets.acknowledged(place, commit);
  }

  #refused(client: Client, error: string): void {
    this.#tell(`${client.name} is told ${error}`);
    if (error === "REBALANCE_IN_PROGRESS" && client.phase === "stable") client.phase = "idle";
    else if (error === "FENCED_INSTANCE_ID") this.#drop(client);
    else if (error === "UNKNOWN_MEMBER_ID" || error === "ILLEGAL_GENERATION") {
      if (error === "UNKNOWN_MEMBER_ID") client.memberId = "";
      client.phase = "idle";
    }
  }

  /** Nothing goes wrong any more: every group comes to rest. */
  async #calm(): Promise<void> {
    this.#tell("all is well from here on");
    this.#life.state.isFull = false;
    // Those whose name somebody else has are what they are: only one of each lives on.
    for (const client of [...this.#clients]) {
      const { group, instanceId } = client;
      const isDouble = this.#clients.some(
        (other) =>
          other !== client && instanceId !== null && other.group === group && other.instanceId === instanceId,
      );
      if (isDouble) this.#drop(client);
    }
    for (let round = 0; round < CALM_ROUNDS_MAX; round += 1) {
      for (const client of [...this.#clients]) {
        if (client.phase === "stable") this.#heartbeat(client);
        else this.#act(client);
      }
      while (!this.#life.state.isQuiet) {
        await this.#life.state.apply();
        this.#life.state.tell();
        await nextTurn();
      }
      this.#pass(1000);
      await nextTurn();
      if (this.oracle.broken.length > 0) return;
    }
    for (const group of GROUPS) this.#judgeRest(group);
  }

  #judgeRest(name: string): void {
    const members = this.#clients.filter(({ group }) => group === name);
    const inside = members.filter(({ phase }) => phase === "stable");
    const { state, generationId } = this.#life.groups.classic(name) ?? { state: "Empty", generationId: 0 };
    const owned = inside.flatMap((client) => client.owned).sort();
    const isRight =
      inside.length === Math.min(members.length, 4) &&
      inside.every(({ generation }) => generation === generationId) &&
      (inside.length === 0 ? state === "Empty" : state === "Stable" && String(owned) === String(PARTITIONS));
    if (isRight) return;
    const seen = members.map(({ name: client, phase, generation }) => `${client} ${phase} ${generation}`);
    this.oracle.broken.push(
      `${name} does not come to rest: ${state} ${generationId}, ${seen.join(", ")}, owned ${owned}`,
    );
  }

  #pass(ms: number): void {
    this.#tell(`${ms} ms pass`);
    this.#clock.advance(ms);
  }

  #pick(): Client | undefined {
    return this.#clients[Math.floor(this.#random() * this.#clients.length)];
  }

  #tell(what: string): void {
    this.history.push(what);
    if (this.history.length > HISTORY_KEPT) this.history.shift();
  }
}
