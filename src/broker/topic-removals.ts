/**
 * Removals of topics that are decided: the topics are closed to everyone, and what is left of them goes step by step.
 *
 *     detached from the store of records -> its room given back -> whatever else belongs to it -> row in the state -> name free
 *
 * Each step may meet a full disk or a crash, so all of it can be done again: by the clock, before the name is used again, and at the
 * next start. A creation that the disk refused is cleared away like that, too.
 */

import type { Clock, Timer } from "../base/clock.ts";
import { ObeliskError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { loopTurns } from "../base/loop/loop-turns.ts";
import { nextTurn } from "../base/loop/turns.ts";
import { RateLimitedWarning } from "../base/rate-limited-warning.ts";
import { SECOND_MS } from "../base/units.ts";
import type { StateStore, StorageEngine } from "../storage/contract.ts";
import { topicKey } from "./topic.ts";

/** How long what is left of a removal waits for the disk: whoever frees some space need not wait for long. */
const RETRY_MS = 10 * SECOND_MS;
/** What refused creations may leave; each costs two syncs when it is cleared away. Beyond it no creation is begun. */
export const UNFINISHED_MAX = 100;
/** How long a removed name is left to who removed it: a tool that makes the topic anew does so within milliseconds. */
const LEAVING_MS = SECOND_MS;

export interface TopicRemovalsParts {
  readonly engine: StorageEngine;
  readonly state: StateStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** Whoever keeps something of topics. */
export interface RemovalListener {
  /** The topic is gone for everyone, in this moment. */
  hideTopic(name: string): void;
  /** It is back: its removal could not be made durable. */
  showTopic(name: string): void;
  /** Its records are gone, and its name is free when this resolves. Called again after a crash, or when it was rejected. */
  removeTopic(name: string): Promise<void>;
}

export class TopicRemovals {
  readonly #parts: TopicRemovalsParts;
  readonly #inTurn: (name: string, work: () => Promise<void>) => Promise<void>;
  readonly #listeners: RemovalListener[] = [];
  readonly #unfinished = new Set<string>();
  /** Those of them that the disk has held up. */
  readonly #heldUp = new Set<string>();
  /** Names whose removal is under way or ended a moment ago, with what ends that. */
  readonly #leaving = new Map<string, Timer | null>();
  readonly #warning: RateLimitedWarning;
  /** Planned, or under way. */
  #retry: Timer | null = null;
  #isClosed = false;

  /** `inTurn` does the work after whatever is under way for the name. */
  constructor(parts: TopicRemovalsParts, inTurn: (name: string, work: () => Promise<void>) => Promise<void>) {
    this.#parts = parts;
    this.#inTurn = inTurn;
    const message = "a topic is gone, but the disk still holds something of it; this is tried again";
    this.#warning = new RateLimitedWarning(parts.log, parts.clock, message);
  }

  onRemoved(listener: RemovalListener): void {
    this.#listeners.push(listener);
  }

  /** Whether a removal of the name is decided and not finished. */
  has(name: string): boolean {
    return this.#unfinished.has(name);
  }

  /** Whether a removal of the name is under way or ended a moment ago. */
  isLeaving(name: string): boolean {
    return this.#leaving.has(name);
  }

  /** What a crash or a full disk interrupted. `finishAll` is to follow, once the listeners are there. */
  load(): void {
    for (const name of this.#parts.engine.detached()) this.#unfinished.add(name);
  }

  /** One after another: each may take two syncs, and everybody else is served between. Nobody sees anything of them from the call on. */
  async finishAll(): Promise<void> {
    for (const listener of this.#listeners) for (const name of this.#unfinished) listener.hideTopic(name);
    for (const name of [...this.#unfinished]) {
      await this.#inTurn(name, () => this.#tryToFinish(name));
      await nextTurn();
    }
  }

  /** Whether a creation that the disk refuses could be cleared away. @throws ObeliskError KAFKA_STORAGE_ERROR */
  checkRoom(): void {
    if (this.#heldUp.size < UNFINISHED_MAX) return;
    throw new ObeliskError("KAFKA_STORAGE_ERROR", {
      detail:
        "the disk holds what is left of topics that it has refused, and no topic is made until it is cleared away",
      limit: UNFINISHED_MAX,
    });
  }

  /**
   * The topic was detached just now, in its turn; `detached` resolves when that is durable. When it is not, it is taken back.
   * @throws what `detached` is rejected with
   */
  async decided(name: string, detached: Promise<void>, takeBack: () => void): Promise<void> {
    this.#leaving.get(name)?.cancel();
    this.#leaving.set(name, null);
    for (const listener of this.#listeners) listener.hideTopic(name);
    try {
      await this.#durably(name, detached, takeBack);
      this.#unfinished.add(name);
      await this.#tryToFinish(name, true);
    } finally {
      if (this.#isClosed) this.#leaving.delete(name);
      else this.#leaveSoon(name);
    }
  }

  /** Takes everything of that name away, now or later. In its turn. */
  async clearAway(name: string): Promise<void> {
    this.#unfinished.add(name);
    await this.#tryToFinish(name);
  }

  /** Before the name is used again, in its turn. @throws ObeliskError DISK_FULL and the like; then it can be called again */
  async finish(name: string, isDetached = false): Promise<void> {
    if (!this.#unfinished.has(name)) return;
    const { engine, state } = this.#parts;
    if (!isDetached) await engine.detach(name);
    await engine.discard(name);
    for (const listener of this.#listeners) await listener.removeTopic(name);
    await state.change([{ key: topicKey(name), value: null }]);
    await engine.release(name);
    this.#unfinished.delete(name);
    this.#heldUp.delete(name);
  }

  /** Tries nothing again by itself any more. */
  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#retry = null;
    for (const timer of this.#leaving.values()) timer?.cancel();
    this.#leaving.clear();
  }

  #leaveSoon(name: string): void {
    const timer = this.#parts.clock.after(LEAVING_MS, () => this.#leaving.delete(name));
    this.#leaving.set(name, timer);
  }

  async #durably(name: string, detached: Promise<void>, takeBack: () => void): Promise<void> {
    try {
      await detached;
    } catch (thrown) {
      takeBack();
      for (const listener of this.#listeners) listener.showTopic(name);
      throw thrown;
    }
  }

  async #tryToFinish(name: string, isDetached = false): Promise<void> {
    try {
      await this.finish(name, isDetached);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      if (this.#isClosed) return; // the next start goes on with it
      this.#heldUp.add(name);
      this.#warning.tell({ topic: name, reason: thrown.message });
      this.#planRetry();
    }
  }

  /** Not while one is planned or under way. */
  #planRetry(): void {
    if (this.#isClosed) return;
    this.#retry ??= this.#parts.clock.after(RETRY_MS, () => {
      loopTurns.enter("topic removal");
      void this.#tryAgain();
    });
  }

  async #tryAgain(): Promise<void> {
    await this.finishAll();
    this.#retry = null;
    if (this.#heldUp.size > 0) this.#planRetry();
  }
}
