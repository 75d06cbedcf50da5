/**
 * A consumer of either protocol, as an honest client: one request at a time, it uses what it was told to have, commits what it has read,
 * gives up what it is told to, and everything when it learns that it is no member any more. Responses may be lost, and it may fall silent.
 */

import { ObeliskError } from "../../../src/base/errors.ts";
import { nextTurn } from "../../../src/base/loop/turns.ts";
import type { Assigner } from "./oracle.ts";
import { type Life, partsOf, type World } from "./world.ts";

/** A partition that a member has; null until it knows where to go on. */
interface Owned {
  position: number | null;
  isLocating: boolean;
}

export abstract class Client {
  abstract readonly kind: "consumer" | "classic";
  readonly name: string;
  readonly group: string;
  readonly instanceId: string | null;
  readonly topics: readonly string[];
  memberId = "";
  /** Or generation. */
  epoch = 0;
  /** The last one that it was told an assignment of: what a leader has not assigned yet is not durable. */
  assignedEpoch = 0;
  readonly owned = new Map<string, Owned>();
  isPaused = false;
  /** The serial number of the request under way; 0: none is. */
  waitingFor = 0;
  /** Of the last request that was answered well: when it was sent. */
  acceptedSerial = 0;
  acceptedAtMs = 0;
  /** When the last request was sent that the server took, whatever became of the response. */
  processedAtMs = 0;
  /** When it may have been removed, when it was replaced for sure, and when its membership began. */
  outSerial = 0;
  replacedSerial = 0;
  joinedSerial = 0;
  #losses = 0;

  constructor(name: string, group: string, instanceId: string | null, topics: readonly string[]) {
    this.name = name;
    this.group = group;
    this.instanceId = instanceId;
    this.topics = topics;
  }

  abstract get isMember(): boolean;
  /** Does what comes next. */
  abstract act(world: World): void;
  abstract leave(world: World): void;
  /** The response will not come: it was lost, or the server has crashed. */
  abstract giveUpWaiting(): void;
  /** One after which nothing is asked of it. */
  abstract heartbeat(world: World): void;

  protected begin(world: World): { life: Life; serial: number; sentAtMs: number } {
    const serial = world.nextSerial();
    this.waitingFor = serial;
    return { life: world.life, serial, sentAtMs: world.clock.steadyMs() };
  }

  /** Whether the response to this request is still waited for; it is not any more then. */
  protected isAwaited(world: World, life: Life, serial: number): boolean {
    if (life !== world.life || this.waitingFor !== serial) return false;
    this.waitingFor = 0;
    return true;
  }

  protected accepted(serial: number, sentAtMs: number): void {
    this.acceptedSerial = serial;
    this.acceptedAtMs = sentAtMs;
  }

  /** It has these places now, and no others. */
  protected take(world: World, places: readonly string[], by: Assigner): void {
    const losses = this.#losses;
    for (const place of [...this.owned.keys()]) if (!places.includes(place)) this.giveUp(world, place);
    // A last commit told it that it is no member any more.
    if (losses !== this.#losses) return;
    world.oracle.told(this, places, by, world.clock.steadyMs());
    for (const place of places)
      if (!this.owned.has(place)) this.owned.set(place, { position: null, isLocating: false });
    this.locate(world);
  }

  protected giveUp(world: World, place: string): void {
    if (world.random() < 0.7) this.commitPlace(world, place);
    this.owned.delete(place);
    world.oracle.gaveUp(this, place);
  }

  /** It is no member any more, and uses nothing. */
  protected loseAll(world: World): void {
    for (const place of this.owned.keys()) world.oracle.gaveUp(this, place);
    this.owned.clear();
    this.#losses += 1;
  }

  locate(world: World): void {
    for (const [place, owned] of this.owned)
      if (owned.position === null && !owned.isLocating) void this.#locate(world, place, owned);
  }

  async #locate(world: World, place: string, owned: Owned): Promise<void> {
    const { life, oracle } = world;
    const { topic, partition } = partsOf(place);
    owned.isLocating = true;
    const until = oracle.offsets.serial;
    const settled = life.offsets.settled(this.group);
    if (settled !== null) await settled;
    const offset = life.offsets.fetch(this.group, topic, partition)?.offset ?? null;
    // Whoever waits for one of those commits is told in this turn.
    await nextTurn();
    owned.isLocating = false;
    if (life !== world.life) return;
    oracle.offsets.settled(`${this.group}/${place}`, until, offset);
    owned.position = offset ?? 0;
  }

  commit(world: World): void {
    const places = [...this.owned.keys()];
    const place = places[Math.floor(world.random() * places.length)];
    if (place !== undefined) this.commitPlace(world, place);
  }

  protected commitPlace(world: World, place: string): void {
    const owned = this.owned.get(place);
    if (owned === undefined || owned.position === null) return;
    const { life, oracle, random } = world;
    const { topic, partition } = partsOf(place);
    const committer = {
      memberId: this.memberId,
      instanceId: this.instanceId,
      generationId: this.epoch,
      version: 9,
    };
    const fault = life.groups.commitFault(this.group, committer, [{ topic, partition }]);
    if (fault !== null) {
      world.tell(`${this.name} may not commit ${place}: ${fault}`);
      this.commitRefused(world, fault);
      return;
    }
    oracle.taken(this, place);
    const offset = owned.position + 1 + Math.floor(random() * 5);
    owned.position = offset;
    const commit = oracle.offsets.madeOn(`${this.group}/${place}`, offset);
    life.offsets.commit(this.group, [{ topic, partition, offset, leaderEpoch: -1, metadata: "" }]).then(
      () => {
        if (life !== world.life) return;
        world.tell(`${this.name} has committed ${place} ${offset}`);
        oracle.offsets.acknowledged(`${this.group}/${place}`, commit);
      },
      () => oracle.offsets.refused(commit),
    );
  }

  protected abstract commitRefused(world: World, error: string): void;
}

/** The code of what was thrown. */
export function codeOf(thrown: unknown): string {
  if (thrown instanceof ObeliskError) return thrown.code;
  throw thrown;
}
