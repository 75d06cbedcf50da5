/**
 * The topics: which exist, their ids, settings and partitions.
 *
 * The state store is the authority ("topic/NAME" -> `TopicState`).
 *
 *   creation   row in the state -> folders -> partitions opened -> there for everyone
 *   growth     topic-growth.ts
 *   removal    detached from the store of records, gone for everyone -> durably so -> its room given back -> offsets -> row -> name free
 *
 *   - A crash during a creation leaves a topic that is completed at the next start, and one while partitions are added leaves the
 *     topic without them or is completed. A creation that the disk refuses leaves nothing, and so do partitions.
 *   - Detaching decides a removal, and no crash brings half of it back. It needs no room, and the rest gets the room that the
 *     records took: this is how a full disk is emptied. When even then the state cannot be written, the topic is gone all the
 *     same, and what is left is tried again: by the clock, before the name is used again, at the next start.
 *   - Everything that is done to one name is done in turn, and goes in slices: others are served between two partitions that are
 *     opened, and between two topics of one request.
 *   - Partitions that the store of records holds but the state does not know are adopted under a new id, and keep everything: nothing
 *     is deleted because it looked wrong.
 */

import type { Clock } from "../base/clock.ts";
import { isStorageError, ObeliskError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { loopTurns } from "../base/loop/loop-turns.ts";
import { Slices } from "../base/loop/turns.ts";
import { RateLimitedWarning } from "../base/rate-limited-warning.ts";
import type { StateStore, StorageEngine } from "../storage/contract.ts";
import { checkTopicName, isTopicName } from "../storage/names.ts";
import type { OwnedPartition, PartitionOpener, PartitionRules } from "./owned-partition.ts";
import { Topic, type TopicOptions, type TopicState } from "./topic.ts";
import { checkTopicConfigs, isCompactedBy, type TopicConfigValues } from "./topic-configs.ts";
import { TopicGrowth } from "./topic-growth.ts";
import { TopicLimits } from "./topic-limits.ts";
import { type RemovalListener, TopicRemovals } from "./topic-removals.ts";
import { TopicRows } from "./topic-rows.ts";
import { partitionRules, type TopicDefaults } from "./topic-rules.ts";
import { TopicsBeingMade } from "./topics-being-made.ts";

/** Partitions opened, or topics detached, in one turn: about 3 ms. */
const PARTITIONS_A_TURN = 32;

export interface TopicsOptions {
  isAutoCreating: boolean;
  /** Partitions of a topic that does not say how many. */
  partitionsDefault: number;
  topicsMax: number;
  /** Partitions of all topics together. */
  partitionsMax: number;
  /** The most that a topic may ask for as its largest record batch, bytes. */
  messageBytesLimit: number;
  /** The settings of topics that do not say otherwise. */
  defaults: TopicDefaults;
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
  readonly #rows: TopicRows;
  readonly #growth: TopicGrowth;
  readonly #slices = new Slices(PARTITIONS_A_TURN);
  /** Clients try on and on, so only a line tells that a disk is the cause. */
  readonly #refusedWarning: RateLimitedWarning;
  #version = 0;
  readonly #beingMade: TopicsBeingMade;

  constructor(options: TopicsOptions, parts: TopicsParts) {
    this.#options = options;
    this.#parts = parts;
    this.#limits = new TopicLimits(options.topicsMax, options.partitionsMax);
    this.#rows = new TopicRows(parts.state);
    this.#beingMade = new TopicsBeingMade(this.#rows, (name, work) => this.#inTurn(name, work));
    this.#growth = new TopicGrowth({
      engine: parts.engine,
      rows: this.#rows,
      inTurn: (name, work) => this.#inTurn(name, work),
      open: (topic, first, count, opened) => this.#openAdded(topic, first, count, opened),
    });
    this.#removals = new TopicRemovals(parts, (name, work) => this.#inTurn(name, work));
    this.#refusedWarning = new RateLimitedWarning(parts.log, parts.clock, "a topic could not be created");
  }

  get count(): number {
    return this.#byName.size;
  }

  /** Another number after each change of which topics there are, and with how many partitions. */
  get version(): number {
    return this.#version;
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
    const known = new Set<string>();
    const growing = new Map<string, number>();
    const beingMade: string[] = [];
    for (const { name, state } of await this.#rows.list()) {
      known.add(name);
      if (this.#removals.has(name)) continue;
      const isMade = state.isBeingMade !== true;
      await this.#openStored(name, state, isMade);
      if (!isMade) beingMade.push(name);
      if (state.partitionsMade !== undefined) growing.set(name, state.partitionsMade);
    }
    for (const { topic, partitions } of this.#parts.engine.stored()) {
      if (!known.has(topic) && isTopicName(topic)) await this.#adopt(topic, partitions);
      else this.#warnOfUnserved(topic, partitions);
    }
    await this.#parts.partitions.ready();
    for (const name of beingMade) this.#beingMade.recordWhenUsed(this.#byName.get(name)!);
    for (const [name, made] of growing) this.#growth.resume(this.#byName.get(name)!, made);
  }

  /** Ends the removals that were interrupted, once the listeners are there. Nobody sees anything of those topics from the call on. */
  async finishRemovals(): Promise<void> {
    await this.#removals.finishAll();
  }

  /** Tries nothing again by itself any more. Everything is synced when the directory is marked clean. */
  async close(): Promise<void> {
    this.#removals.close();
    await this.#beingMade.recordAll();
    await this.#growth.close();
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

  names(): Iterable<string> {
    return this.#byName.keys();
  }

  /** Sorted by name. */
  all(): Topic[] {
    return [...this.#byName.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** In any order; topics may come and go meanwhile. */
  each(): Iterable<Topic> {
    return this.#byName.values();
  }

  /** The partitions of all topics, likewise. */
  *owned(): Generator<OwnedPartition> {
    for (const topic of this.#byName.values()) yield* topic.owned;
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
   * Gives the topic the settings that `change` makes of those that it has; its partitions obey them when this resolves. With
   * `isValidateOnly` everything is checked and nothing changed.
   * @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, INVALID_CONFIG, what `change` throws, and what the state throws
   */
  async alter(
    name: string,
    change: (configs: TopicConfigValues) => TopicConfigValues,
    isValidateOnly = false,
  ): Promise<void> {
    await this.#inTurn(name, async () => {
      const topic = this.#byName.get(name);
      const configs = change(topic?.configs ?? {});
      checkTopicConfigs(configs, this.#options.messageBytesLimit);
      if (topic === undefined) throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name });
      if (isValidateOnly) return;
      await this.#rows.change(name, topic.id, (state) => ({ ...state, configs }));
      topic.configs = configs;
      topic.obey(this.#rulesOf(configs));
      if (isCompactedBy(configs["cleanup.policy"] ?? "")) this.#tellOfCompaction(name);
    });
  }

  /**
   * Gives the topic more partitions, `count` in all; they are there for everyone when this resolves. With `isValidateOnly` everything is
   * checked and nothing changed.
   * @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS, POLICY_VIOLATION, and what storage and state throw; then it
   *   has as many as before
   */
  async addPartitions(name: string, count: number, isValidateOnly = false): Promise<void> {
    await this.#inTurn(name, async () => {
      const topic = this.#byName.get(name);
      if (topic === undefined) throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name });
      const before = topic.partitions.length;
      checkGrowth(name, before, count);
      this.#limits.checkGrowth(name, count - before);
      if (isValidateOnly) return;
      this.#limits.grow(count - before);
      try {
        await this.#growth.grow(topic, count);
        this.#version += 1;
      } catch (thrown) {
        this.#limits.grow(before - count);
        throw thrown;
      }
    });
  }

  /** The settings of topics that do not say otherwise have changed. O(topics) */
  defaultsChanged(): void {
    for (const topic of this.#byName.values()) topic.obey(this.#rulesOf(topic.configs));
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
      const { configs } = options;
      const state: TopicState = {
        id: this.#parts.newId(),
        partitions,
        configs,
        createdAtMs,
        isBeingMade: true,
      };
      await this.#rows.add(name, state);
      const topic = await this.#openNew(name, state);
      this.#beingMade.recordWhenUsed(topic);
      if (isCompactedBy(configs["cleanup.policy"] ?? "")) this.#tellOfCompaction(name);
      return topic;
    } catch (thrown) {
      if (thrown instanceof ObeliskError && isStorageError(thrown))
        this.#refusedWarning.tell({ topic: name, reason: thrown.message });
      throw thrown;
    } finally {
      this.#limits.remove(partitions);
    }
  }

  /** A topic whose row has just been written with all its partitions, or nothing, and no row either. */
  async #openNew(name: string, state: TopicState): Promise<Topic> {
    const rules = this.#rulesOf(state.configs);
    try {
      await this.#parts.engine.create(name, state.partitions);
      const partitions = await this.#openEach(0, state.partitions, (index) =>
        this.#parts.partitions.openNew(name, index, rules),
      );
      for (const partition of partitions) partition.checkWritable();
      return this.#add(name, state, partitions, rules);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      await this.#removals.clearAway(name);
      throw thrown;
    }
  }

  async #openStored(name: string, state: TopicState, mustExist: boolean): Promise<void> {
    const rules = this.#rulesOf(state.configs);
    const { partitions: count, partitionsMade = count } = state;
    const partitions = await this.#openEach(0, count, (index) =>
      this.#parts.partitions.openStored(name, index, rules, mustExist && index < partitionsMade),
    );
    this.#add(name, state, partitions, rules);
  }

  async #openAdded(
    { name, rules }: Topic,
    first: number,
    count: number,
    opened: (partition: OwnedPartition) => void,
  ): Promise<void> {
    await this.#openEach(first, count, async (index) => {
      const partition = await this.#parts.partitions.openNew(name, index, rules);
      opened(partition);
      return partition;
    });
  }

  /** In slices: each partition before the next. */
  async #openEach(
    first: number,
    count: number,
    open: (index: number) => Promise<OwnedPartition>,
  ): Promise<OwnedPartition[]> {
    const partitions: OwnedPartition[] = [];
    for (let index = first; index < count; index += 1) {
      await this.#slices.next();
      loopTurns.enter("topic creation");
      partitions.push(await open(index));
    }
    return partitions;
  }

  #add(name: string, state: TopicState, partitions: readonly OwnedPartition[], rules: PartitionRules): Topic {
    const topic = new Topic(name, state, partitions, rules);
    this.#byName.set(name, topic);
    this.#byId.set(topic.id, topic);
    this.#limits.add(partitions.length);
    this.#version += 1;
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
      configs: { "retention.ms": "-1" }, // what its settings were is not known, and nothing is deleted on doubt
      createdAtMs: this.#parts.clock.nowMs(),
    };
    this.#parts.log.warn(
      "found a topic on disk that the state does not know, serving it with default settings and without an end of its records",
      {
        topic: name,
        partitions,
      },
    );
    await this.#rows.put(name, state);
    await this.#openStored(name, state, false);
  }

  #drop(topic: Topic): void {
    this.#byName.delete(topic.name);
    this.#byId.delete(topic.id);
    this.#beingMade.removed(topic.name);
    this.#growth.removed(topic.name);
    this.#limits.remove(topic.partitions.length);
    this.#version += 1;
    topic.retire();
  }

  /** Its removal could not be made durable: it is there, and offline. */
  #takeBack(topic: Topic): void {
    topic.restore();
    this.#byName.set(topic.name, topic);
    this.#byId.set(topic.id, topic);
    this.#limits.add(topic.partitions.length);
    this.#version += 1;
  }

  #tellOfCompaction(topic: string): void {
    this.#parts.log.warn("a topic is to be compacted, which comes later: until then it keeps everything", {
      topic,
    });
  }

  #partitionsOf(options: TopicOptions): number {
    return options.partitions === -1 ? this.#options.partitionsDefault : options.partitions;
  }

  #rulesOf(configs: TopicConfigValues): PartitionRules {
    return partitionRules(configs, this.#options.defaults);
  }
}

/** @throws ObeliskError INVALID_PARTITIONS */
function checkGrowth(topic: string, before: number, count: number): void {
  if (count > before) return;
  const detail =
    count === before
      ? `the topic has ${before} partition(s) already`
      : `the topic has ${before} partition(s), and ${count} would not be an increase`;
  throw new ObeliskError("INVALID_PARTITIONS", { detail, topic });
}

function ignore(): void {}
