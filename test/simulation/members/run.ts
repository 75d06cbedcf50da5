/**
 * Groups with members of both protocols, that come, go, pause and crash, over a disk that is slow and sometimes full, with crashes of the
 * server in between. So groups change their kind, with members and without. A seed is one history. At the end everything is well, and then
 * each group must come to rest: of the kind of its members, all of them at one epoch, with every partition of their topics assigned once.
 */

import type { Facts } from "../../../src/base/log.ts";
import { nextTurn } from "../../../src/base/loop/turns.ts";
import { NEW_MEMBER_TIMEOUT_MS } from "../../../src/consumer/group.ts";
import { MemoryState } from "../../../src/storage/memory/state.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { randomOf } from "../../support/random.ts";
import { ClassicClient } from "./classic-client.ts";
import type { Client } from "./client.ts";
import { ConsumerClient } from "./consumer-client.ts";
import { MemberOracle, mayBeOut } from "./oracle.ts";
import { beginLife, endLife, type Life, partsOf, placesOf, SESSION_MS, TOPICS, type World } from "./world.ts";

const GROUPS = ["g", "h"];
const MEMBERS_MAX = 7;
const STEPS = 400;
const HISTORY_KEPT = 3000;
/** Rounds in which all members act after everything is well again. */
const CALM_ROUNDS_MAX = 120;

/** What a test does to a life, to see it found. */
export type Plant = (life: Life) => void;

export async function runMemberSeed(
  seed: number,
  plant: Plant = () => {},
): Promise<{ broken: string | null; history: readonly string[] }> {
  const run = new MemberRun(seed, plant);
  await run.whole();
  return { broken: run.oracle.broken[0] ?? null, history: run.history };
}

class MemberRun implements World {
  readonly clients: Client[] = [];
  readonly oracle = new MemberOracle(this.clients);
  readonly history: string[] = [];
  readonly clock = new ManualClock();
  readonly random: () => number;
  life!: Life;
  isCalm = false;
  readonly #entries = new MemoryState();
  readonly #plant: Plant;
  /** How many of those who appear are of the consumer protocol; it changes, so that groups do. */
  #consumers: number;
  readonly #isEager: boolean;
  /** With none an assignor has its turn when the members have had theirs. */
  readonly #assignorStepsAtOnce: number;
  #names = 0;
  #ids = 0;
  #serial = 0;

  constructor(seed: number, plant: Plant) {
    this.random = randomOf(seed);
    this.#plant = plant;
    this.#consumers = this.random();
    this.#isEager = this.random() < 0.5;
    this.#assignorStepsAtOnce = this.random() < 0.5 ? 0 : 100;
  }

  async whole(): Promise<void> {
    await this.#begin();
    for (let step = 0; step < STEPS && this.oracle.broken.length === 0; step += 1) {
      await this.#step();
      await nextTurn();
    }
    if (this.oracle.broken.length === 0) await this.#calm();
    endLife(this.life);
  }

  nextSerial(): number {
    return (this.#serial += 1);
  }

  tell(what: string): void {
    this.history.push(what);
    if (this.history.length > HISTORY_KEPT) this.history.shift();
  }

  drop(client: { readonly name: string }): void {
    const slot = this.clients.findIndex(({ name }) => name === client.name);
    if (slot !== -1) this.clients.splice(slot, 1);
  }

  async #begin(): Promise<void> {
    const nothing = () => {};
    const info = (_text: string, facts: Facts = {}) => {
      if (facts["deadline"] === undefined) return;
      this.tell(`${facts["member"]} is removed from ${facts["group"]}: ${facts["deadline"]}`);
      const { group, member, deadline } = facts as Record<string, string>;
      this.oracle.removed(group!, member!, deadline!, this.nextSerial(), this.clock.steadyMs());
    };
    const log = { debug: nothing, info, warn: nothing, error: nothing };
    const newId = () => `id${++this.#ids}`;
    this.life = await beginLife(this.#entries, this.clock, newId, log, this.#assignorStepsAtOnce);
    this.#plant(this.life);
  }

  async #step(): Promise<void> {
    const chance = this.random();
    const { state } = this.life;
    if (chance < 0.01) await this.#crash();
    else if (chance < 0.025) {
      state.isFull = this.random() < 0.5;
      this.tell(state.isFull ? "the disk is full" : "the disk has room");
    } else if (chance < 0.03) this.#consumers = this.random();
    else if (chance < 0.1) this.#pass(this.random() < 0.15 ? SESSION_MS : 500);
    else if (chance < 0.4) {
      if (this.random() < 0.5) await state.apply();
      else state.tell();
    } else if (chance < 0.45 && this.clients.length < MEMBERS_MAX) this.#appear();
    else {
      const client = this.clients[Math.floor(this.random() * this.clients.length)];
      if (client === undefined) this.#appear();
      else this.#act(client);
    }
  }

  #act(client: Client): void {
    const chance = this.random();
    if (chance < 0.02) this.#goAway(client);
    else if (chance < 0.04) this.#pause(client);
    else if (!client.isPaused) client.act(this);
  }

  #appear(): void {
    const name = `c${++this.#names}`;
    const group = GROUPS[Math.floor(this.random() * GROUPS.length)]!;
    const instanceId = this.random() < 0.3 ? `i${Math.floor(this.random() * 2)}` : null;
    const isConsumer = this.random() < this.#consumers;
    const regex = isConsumer && this.random() < 0.3 ? "t[12]" : null;
    // A classic group does not rebalance for a static member that comes back, so it wants what it wanted before.
    const wantsAll = isConsumer || instanceId === null ? this.random() < 0.6 : instanceId === "i0";
    const topics = regex !== null || wantsAll ? [...TOPICS.keys()] : ["t1"];
    this.tell(
      `${name} appears in ${group}${instanceId === null ? "" : ` as ${instanceId}`}, ${isConsumer ? "consumer" : "classic"}`,
    );
    this.clients.push(
      isConsumer
        ? new ConsumerClient(name, group, instanceId, topics, regex)
        : new ClassicClient(name, group, instanceId, topics, this.#isEager),
    );
  }

  #goAway(client: Client): void {
    this.drop(client);
    if (client.isMember && this.random() < 0.6) {
      this.tell(`${client.name} leaves`);
      client.leave(this);
    } else this.tell(`${client.name} crashes`);
  }

  #pause(client: Client): void {
    client.isPaused = !client.isPaused;
    this.tell(`${client.name} ${client.isPaused ? "falls silent" : "goes on"}`);
  }

  async #crash(): Promise<void> {
    this.tell("the server crashes");
    const { state } = this.life;
    endLife(this.life);
    this.oracle.offsets.crashed();
    const applied = Math.floor(this.random() * 3);
    for (let call = 0; call < applied; call += 1) await state.apply();
    const members = this.clients.filter((client) => client.isMember && client.waitingFor === 0);
    for (const client of this.clients) if (client.waitingFor > 0) client.giveUpWaiting();
    await this.#begin();
    for (const client of members) this.#judgeRestored(client);
    for (const group of GROUPS) for (const place of placesOf(TOPICS.keys())) this.#judgeOffset(group, place);
  }

  /** Who was a member and had an answer to all that it asked is one still, at no earlier epoch. */
  #judgeRestored(client: Client): void {
    const { name, group, memberId, epoch } = client;
    if (mayBeOut(client, this.clock.steadyMs())) return;
    const { groups, heartbeatGroups } = this.life;
    const known = groups.classic(group)?.generationId ?? heartbeatGroups.get(group)?.epoch ?? 0;
    if (known < epoch) this.oracle.broken.push(`${group} comes back at ${known}, ${name} was told ${epoch}`);
    const restored = heartbeatGroups.get(group)?.member(memberId)?.epoch ?? -1;
    if (client.kind === "consumer" && restored < epoch)
      this.oracle.broken.push(`${name} comes back at ${restored}, it was told ${epoch}`);
    const isBoth = groups.classic(group) !== undefined && heartbeatGroups.get(group) !== undefined;
    if (isBoth) this.oracle.broken.push(`${group} comes back as a group of both kinds`);
  }

  #judgeOffset(group: string, place: string): void {
    const { topic, partition } = partsOf(place);
    const offset = this.life.offsets.fetch(group, topic, partition)?.offset ?? null;
    this.oracle.offsets.fetched(`${group}/${place}`, offset);
  }

  /** Nothing goes wrong any more: every group comes to rest. */
  async #calm(): Promise<void> {
    this.tell("all is well from here on");
    this.isCalm = true;
    this.life.state.isFull = false;
    for (const client of [...this.clients]) {
      client.isPaused = false;
      // Only one lives on of those with one name.
      const { group, instanceId } = client;
      const isDouble = this.clients.some(
        (other) =>
          other !== client && instanceId !== null && other.group === group && other.instanceId === instanceId,
      );
      if (isDouble) this.drop(client);
    }
    for (let round = 0; round < CALM_ROUNDS_MAX; round += 1) {
      for (const client of [...this.clients]) {
        if (client.isMember) client.heartbeat(this);
        else client.act(this);
      }
      await this.#settleDisk();
      this.#pass(500);
      await nextTurn();
      if (this.oracle.broken.length > 0) return;
    }
    for (const group of GROUPS) if (this.#membersOf(group).length > 0) this.#judgeRest(group);
    // Who went away while it waited for others to join is given up last.
    this.#pass(NEW_MEMBER_TIMEOUT_MS);
    for (const group of GROUPS) if (this.#membersOf(group).length === 0) this.#judgeRest(group);
    for (const group of GROUPS) for (const place of placesOf(TOPICS.keys())) this.#judgeOffset(group, place);
  }

  async #settleDisk(): Promise<void> {
    await nextTurn();
    while (!this.life.state.isQuiet) {
      await this.life.state.apply();
      this.life.state.tell();
      await nextTurn();
    }
  }

  #judgeRest(name: string): void {
    const members = this.#membersOf(name);
    const view = this.life.groups.find(name);
    const state = view?.state ?? "Empty";
    const wanted = placesOf(new Set(members.flatMap(({ topics }) => topics))).sort();
    const owned = members.flatMap((client) => [...client.owned.keys()]).sort();
    const hasConsumers = members.some(({ kind }) => kind === "consumer");
    const type = hasConsumers ? "consumer" : "classic";
    const isRight =
      members.length === 0
        ? state === "Empty"
        : state === "Stable" &&
          view?.type === type &&
          members.every((client) => client.isMember && client.epoch === members[0]!.epoch) &&
          String(owned) === String(wanted);
    if (isRight) return;
    const seen = members.map(
      (client) => `${client.name} ${client.kind} ${client.epoch} ${[...client.owned.keys()]}`,
    );
    this.oracle.broken.push(
      `${name} does not come to rest: ${view?.type} ${state}, wanted ${type} ${wanted}, ${seen.join("; ")}`,
    );
  }

  #membersOf(name: string): Client[] {
    return this.clients.filter(({ group }) => group === name);
  }

  #pass(ms: number): void {
    this.tell(`${ms} ms pass`);
    this.clock.advance(ms);
  }
}
