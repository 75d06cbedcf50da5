/**
 * The topics: which exist, their ids, settings and partitions.
 *
 * The state store is the authority ("topic/NAME" -> `TopicState`).
 *
 *   creation   row in the state -> folders -> partitions opened -> there for everyone
 *   removal    detached from the store of records, gone for everyone -> durably so -> its room given back -> offsets -> row -> name free
 *
 *   - A crash during a creation leaves a topic that is completed at the next start. A creation that the disk refuses leaves
 *     nothing.
 *   - Detaching decides a removal, and no crash brings half of it back. It needs no room, and the rest gets the room that the
 *     records took: this is how a full disk is emptied. When even then the state cannot be written, the topic is gone all the
 *     same, and what is left is tried again: by the clock, before the name is used again, at the next start.
 *   - Everything that is done to one name is done in turn, and goes in slices: others are served between two partitions that are
 *     opened, and between two topics of one request.
 *   - Partitions that the store of records holds but the state does not know are adopted under a new id: nothing is deleted
 *     because it looked wrong.
 */

import type { Clock } from "../base/clock.ts";
import { type ErrorCode, isStorageError, ObeliskError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { loopTurns } from "../base/loop/loop-turns.ts";
import { Slices } from "../base/loop/turns.ts";
import { RateLimitedWarning } from "../base/rate-limited-warning.ts";
import type { StateStore, StorageEngine } from "../storage/contract.ts";
import { checkTopicName, isTopicName } from "../storage/names.ts";
import type { OwnedPartition, PartitionOpener, PartitionRules } from "./owned-partition.ts";
import { TOPIC_KEY_PREFIX, Topic, type TopicOptions, type TopicState, topicKey } from "./topic.ts";
import { checkTopicConfigs } from "./topic-configs.ts";
import { TopicLimits } from "./topic-limits.ts";
import { type RemovalListener, TopicRemovals } from "./topic-removals.ts";

/** Partitions opened, or topics detached, in one turn: about 3 ms. */
const PARTITIONS_A_TURN = 32;

export interface TopicsOptions {
  isAutoCreating: boolean;
  /** Partitions of a topic that does not say how many. */
  partitionsDefault: number;
  topicsMax: number;
  /** Partitions of all topics together. */
  partitionsMax: number;
  /** Largest record batch of a topic that does not say otherwise, bytes. */
  messageBytesMax: number;
  /** The most that a topic may ask for as its largest record batch, bytes. */
  messageBytesLimit: number;
}

export interface TopicsParts {
  engine: StorageEngine;
  partitions: PartitionOpener;
  state: StateStore;
  clock: Clock;
  log: Log;
  newId: () => string;
}

export class Topics {
  readonly #options: TopicsOptions;
  readonly #parts: TopicsParts;
  readonly #byName = new Map<string, Topic>();
  readonly #byId = new Map<string, Topic>();
  /** The last creation or removal of a name that is under way; never rejects. */
  readonly #busy = new Map<string, Promise<void>>();
  readonly #removals: TopicRemovals;
  readonly #limits: TopicLimits;
  readonly #slices = new Slices(PARTITIONS_A_TURN);
  /** Clients try on and on, so only a line tells that a disk is the cause. */
  readonly #refusedWarning: RateLimitedWarning;
  /** Rows that still say `isBeingMade`. */
  readonly #beingMade = new Map<string, TopicState>();

  constructor(options: TopicsOptions, parts: TopicsParts) {
    this.#options = options;
    this.#parts = parts;
    this.#limits = new TopicLimits(options.topicsMax, options.partitionsMax);
    this.#removals = new TopicRemovals(parts, (name, work) => this.#inTurn(name, work));
    this.#refusedWarning = new RateLimitedWarning(parts.log, parts.clock, "a topic could not be created");
  }

  get count(): number {
    return this.#byName.size;
  }

  get partitionCount(): number {
    return this.#limits.partitions;
  }

  /** The largest producer id that a partition remembers; -1 when there is none. O(partitions) */
  get producerIdMax(): number {
    let largest = -1;
    for (const topic of this.#byName.values()) largest = Math.max(largest, topic.producerIdMax);
    return largest;
  }

  /** Opens what the state knows and adopts what only the disk knows. `finishRemovals` is to follow. */
  async load(): Promise<void> {
    this.#removals.load();
    const entries = await this.#parts.state.list(TOPIC_KEY_PREFIX);
    const known = new Set<string>();
    for (const entry of entries) {
      const name = entry.key.slice(TOPIC_KEY_PREFIX.length);
      const state = JSON.parse(entry.value) as TopicState;
      known.add(name);
      if (this.#removals.has(name)) continue;
      const isMade = state.isBeingMade !== true;
      this.#add(name, state, await this.#openStored(name, state, isMade));
      if (!isMade) this.#beingMade.set(name, state);
    }
    for (const { topic, partitions } of this.#parts.engine.stored()) {
      if (!known.has(topic) && isTopicName(topic)) await this.#adopt(topic, partitions);
      else this.#warnOfUnserved(topic, partitions);
    }
    await this.#parts.partitions.ready();
    for (const topic of this.#byName.values()) this.#recordWhenUsed(topic);
  }

  /** Ends the removals that were interrupted, once the listeners are there. Nobody sees anything of those topics from the call on. */
  async finishRemovals(): Promise<void> {
    await this.#removals.finishAll();
  }

  /** Tries nothing again by itself any more. Everything is synced when the directory is marked clean. */
  async close(): Promise<void> {
    this.#removals.close();
    await Promise.all([...this.#beingMade].map(([name, state]) => this.#recordCreated(name, state)));
  }

  get(name: string): Topic | undefined {
    return this.#byName.get(name);
  }

  byId(id: string): Topic | undefined {
    return this.#byId.get(id);
  }

  /** Whether automatic creation is to leave the name alone: its topic is being removed or was so a moment ago. */
  isLeftAlone(name: string): boolean {
    return this.#options.isAutoCreating && this.#removals.isLeaving(name);
  }

  /** Sorted by name. */
  all(): Topic[] {
    return [...this.#byName.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** Of what belongs to topics and is not kept here. */
  onRemoved(listener: RemovalListener): void {
    this.#removals.onRemoved(listener);
  }

  /**
   * The topic, created with default settings if it is not there.
   * @throws ObeliskError INVALID_TOPIC_EXCEPTION, POLICY_VIOLATION, UNKNOWN_TOPIC_OR_PARTITION when auto-creation is off
   */
  async ensure(name: string): Promise<Topic> {
    const topic = this.#byName.get(name);
    if (topic !== undefined) return topic;
    checkTopicName(name);
    if (!this.#options.isAutoCreating) {
      throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", {
        detail: "there is no such topic, and topics are not created automatically",
        topic: name,
      });
    }
    const options = { partitions: -1, configs: {} };
    return this.#inTurn(name, async () => this.#byName.get(name) ?? this.#create(name, options));
  }

  /** @throws ObeliskError TOPIC_ALREADY_EXISTS and what `validate` throws */
  async create(name: string, options: TopicOptions): Promise<Topic> {
    return this.#inTurn(name, async () => {
      this.validate(name, options);
      return this.#create(name, options);
    });
  }

  /** Whether the name is allowed and free. @throws ObeliskError INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS */
  validateName(name: string): void {
    checkTopicName(name);
    if (this.#byName.has(name)) throw new ObeliskError("TOPIC_ALREADY_EXISTS", { topic: name });
  }

  /**
   * Whether `create` would be accepted.
   * @throws ObeliskError INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, INVALID_CONFIG, POLICY_VIOLATION
   */
  validate(name: string, options: TopicOptions): void {
    this.validateName(name);
    checkTopicConfigs(options.configs, this.#options.messageBytesLimit);
    const partitions = this.#partitionsOf(options);
    if (!Number.isInteger(partitions) || partitions < 1) {
      throw new ObeliskError("INVALID_PARTITIONS", {
        detail: `a topic cannot have ${partitions} partitions`,
        topic: name,
      });
    }
    this.#limits.check(name, partitions);
  }

  /**
   * Removes the topic with its records; with an `id` only the one that has it, and not another one made under its name since.
   * @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, KAFKA_STORAGE_ERROR (then it is still there)
   */
  async remove(name: string, id?: string): Promise<void> {
    await this.#inTurn(name, async () => {
      await this.#slices.next();
      loopTurns.enter("topic removal");
      const topic = this.#byName.get(name);
      if (topic === undefined || (id !== undefined && topic.id !== id)) {
        throw new ObeliskError(id === undefined ? "UNKNOWN_TOPIC_OR_PARTITION" : "UNKNOWN_TOPIC_ID", {
          topic: name,
        });
      }
      const detached = this.#parts.engine.detach(name);
      this.#drop(topic);
      await this.#removals.decided(name, detached, () => this.#takeBack(topic));
    });
  }

  /** Runs `work` after whatever is under way for this name. */
  async #inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#busy.get(name) ?? Promise.resolve()).then(work);
    const completed = turn.then(ignore, ignore);
    this.#busy.set(name, completed);
    try {
      return await turn;
    } finally {
      if (this.#busy.get(name) === completed) this.#busy.delete(name);
    }
  }

  async #create(name: string, options: TopicOptions): Promise<Topic> {
    await this.#removals.finish(name);
    this.#removals.checkRoom();
    const partitions = this.#partitionsOf(options);
    this.#limits.check(name, partitions);
    this.#limits.add(partitions);
    try {
      const createdAtMs = this.#parts.clock.nowMs();
      const state: TopicState = {
        id: this.#parts.newId(),
        partitions,
        configs: options.configs,
        createdAtMs,
        isBeingMade: true,
      };
      const isNew = await this.#parts.state.change([
        { key: topicKey(name), value: JSON.stringify(state), expectedVersion: 0 },
      ]);
      if (!isNew) throw new ObeliskError("TOPIC_ALREADY_EXISTS", { topic: name });
      const opened = await this.#openNew(name, state);
      this.#beingMade.set(name, state);
      const topic = this.#add(name, state, opened);
      this.#recordWhenUsed(topic);
      return topic;
    } catch (thrown) {
      if (thrown instanceof ObeliskError && isStorageError(thrown))
        this.#refusedWarning.tell({ topic: name, reason: thrown.message });
      throw thrown;
    } finally {
      this.#limits.remove(partitions);
    }
  }

  /** All partitions of a topic whose row has just been written, or none, and no row either. */
  async #openNew(name: string, state: TopicState): Promise<OwnedPartition[]> {
    const rules = this.#rulesOf(state.configs);
    try {
      await this.#parts.engine.create(name, state.partitions);
      const partitions = await this.#openEach(state, (index) =>
        this.#parts.partitions.openNew(name, index, rules),
      );
      for (const partition of partitions) partition.checkWritable();
      return partitions;
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      await this.#removals.clearAway(name);
      throw thrown;
    }
  }

  /** Until the row says so, nobody waits for it, and a folder that is missing then is no loss. */
  #recordWhenUsed(topic: Topic): void {
    const { name } = topic;
    const state = this.#beingMade.get(name);
    if (state === undefined) return;
    let isRecorded = false;
    topic.whenUsed((error: ErrorCode | null) => {
      if (error !== null || isRecorded) return;
      isRecorded = true; // by the first of its partitions
      void this.#recordCreated(name, state);
    });
  }

  /** What the disk refuses stays as it is: the next start knows no better. */
  async #recordCreated(name: string, state: TopicState): Promise<void> {
    await this.#inTurn(name, async () => {
      if (this.#beingMade.get(name) !== state) return;
      this.#beingMade.delete(name);
      const { isBeingMade: _, ...made } = state;
      try {
        await this.#parts.state.change([{ key: topicKey(name), value: JSON.stringify(made) }]);
      } catch (thrown) {
        if (!(thrown instanceof ObeliskError)) throw thrown;
      }
    });
  }

  #openStored(name: string, state: TopicState, mustExist: boolean): Promise<OwnedPartition[]> {
    const rules = this.#rulesOf(state.configs);
    return this.#openEach(state, (index) => this.#parts.partitions.openStored(name, index, rules, mustExist));
  }

  /** In slices: each partition before the next. */
  async #openEach(
    state: TopicState,
    open: (index: number) => Promise<OwnedPartition>,
  ): Promise<OwnedPartition[]> {
    const partitions: OwnedPartition[] = [];
    for (let index = 0; index < state.partitions; index += 1) {
      await this.#slices.next();
      loopTurns.enter("topic creation");
      partitions.push(await open(index));
    }
    return partitions;
  }

  #add(name: string, state: TopicState, partitions: readonly OwnedPartition[]): Topic {
    const topic = new Topic(name, state, partitions);
    this.#byName.set(name, topic);
    this.#byId.set(topic.id, topic);
    this.#limits.add(partitions.length);
    return topic;
  }

  /** Its row is from before the topic was made anew with more. What lies there is left alone: clients spread keys by the number. */
  #warnOfUnserved(name: string, partitions: number): void {
    const served = this.#byName.get(name)?.partitions.length ?? partitions;
    if (partitions <= served) return;
    const message =
      "there are partitions on disk beyond those that the state knows, and they are not served: is meta.db an older copy?";
    this.#parts.log.warn(message, { topic: name, partitions, served });
  }

  async #adopt(name: string, partitions: number): Promise<void> {
    const state: TopicState = {
      id: this.#parts.newId(),
      partitions,
      configs: {},
      createdAtMs: this.#parts.clock.nowMs(),
    };
    this.#parts.log.warn(
      "found a topic on disk that the state does not know, serving it with default settings",
      {
        topic: name,
        partitions,
      },
    );
    await this.#parts.state.change([{ key: topicKey(name), value: JSON.stringify(state) }]);
    this.#add(name, state, await this.#openStored(name, state, false));
  }

  #drop(topic: Topic): void {
    this.#byName.delete(topic.name);
    this.#byId.delete(topic.id);
    this.#beingMade.delete(topic.name);
    this.#limits.remove(topic.partitions.length);
    topic.retire();
  }

  /** Its removal could not be made durable: it is there, and offline. */
  #takeBack(topic: Topic): void {
    topic.restore();
    this.#byName.set(topic.name, topic);
    this.#byId.set(topic.id, topic);
    this.#limits.add(topic.partitions.length);
  }

  #partitionsOf(options: TopicOptions): number {
    return options.partitions === -1 ? this.#options.partitionsDefault : options.partitions;
  }

  #rulesOf(configs: Readonly<Record<string, string>>): PartitionRules {
    const own = configs["max.message.bytes"];
    return {
      bytesMax: own === undefined ? this.#options.messageBytesMax : Number(own),
      isLogAppendTime: configs["message.timestamp.type"] === "LogAppendTime",
    };
  }
}

function ignore(): void {}
