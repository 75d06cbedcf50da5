/**
 * The broker: topics with their partitions, the batcher for single messages, the group commit under both, and what they share.
 *
 *   protocols -> partition.append / batcher.append -> log -> group commit -> high watermark -> acknowledgements, readers
 *
 * Built by `Broker.open` over a storage engine; `close` commits what is pending, checkpoints and leaves the engine to
 * its owner. It knows no protocol and no socket.
 */

import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { StateStore, StorageEngine } from "../storage/contract.ts";
import { Batcher } from "./batcher.ts";
import { BrokerConfigs } from "./broker-configs.ts";
import { BrokerCounters } from "./counters.ts";
import { DiskNews } from "./disk-news.ts";
import { type Durability, GroupCommit } from "./group-commit.ts";
import type { PartitionParts } from "./log-partition.ts";
import { LogPartitions } from "./log-partitions.ts";
import type { PartitionOpener } from "./owned-partition.ts";
import { ProducerIds } from "./producer-ids.ts";
import { RecentBatches } from "./recent-batches.ts";
import { Retention } from "./retention.ts";
import { TopicDefaults, type TopicDefaultsOptions } from "./topic-rules.ts";
import { Topics } from "./topics.ts";

export interface BrokerOptions {
  clusterId: string;
  nodeId: number;
  durability: Durability;
  isAutoCreating: boolean;
  partitionsDefault: number;
  topicsMax: number;
  partitionsMax: number;
  /** The most that a topic may ask for as its largest record batch, bytes. */
  messageBytesLimit: number;
  /** What topics obey that do not say otherwise. */
  topicDefaults: TopicDefaultsOptions;
  /** Batches of single messages: records, bytes, and how long they stay open while a sync runs. */
  batchCountMax: number;
  batchBytesMax: number;
  lingerMs: number;
  /** Newest batches kept in memory, bytes over all partitions. */
  recentBytesMax: number;
  /** How long a silent producer is remembered. */
  producerIdExpirationMs: number;
  /** Operations that the health components look back at. */
  healthWindow: number;
}

export interface BrokerParts {
  engine: StorageEngine;
  clock: Clock;
  log: Log;
  newId: () => string;
  /** How partitions are kept. Default: as logs of the engine. */
  openPartitions?: (engine: StorageEngine, parts: PartitionParts) => PartitionOpener;
}

const openLogPartitions = (engine: StorageEngine, parts: PartitionParts) => new LogPartitions(engine, parts);

export class Broker {
  readonly options: BrokerOptions;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly topics: Topics;
  /** The settings of topics that do not say otherwise, and what was changed of them while a server ran. */
  readonly topicDefaults: TopicDefaults;
  readonly configs: BrokerConfigs;
  readonly batcher: Batcher;
  readonly counters: BrokerCounters;
  readonly recent: RecentBatches;
  readonly state: StateStore;
  readonly engine: StorageEngine;
  readonly #commit: GroupCommit;
  readonly #partitions: PartitionOpener;
  readonly #producerIds: ProducerIds;
  readonly #retention: Retention;

  private constructor(options: BrokerOptions, parts: BrokerParts) {
    const { engine, clock, log, newId, openPartitions = openLogPartitions } = parts;
    this.options = options;
    this.clusterId = options.clusterId;
    this.nodeId = options.nodeId;
    this.engine = engine;
    this.state = engine.state;
    this.counters = new BrokerCounters(options.healthWindow, clock);
    this.recent = new RecentBatches(options.recentBytesMax);
    this.#commit = new GroupCommit({
      engine,
      durability: options.durability,
      clock,
      counters: this.counters,
      beforeSync: () => this.batcher.flush(),
    });
    this.batcher = new Batcher(
      { countMax: options.batchCountMax, bytesMax: options.batchBytesMax, lingerMs: options.lingerMs, clock },
      this.#commit,
    );
    this.#retention = new Retention({
      clock,
      log,
      counters: this.counters,
      partitions: () => this.topics.owned(),
    });
    this.#partitions = openPartitions(engine, {
      commit: this.#commit,
      recent: this.recent,
      counters: this.counters,
      clock,
      log,
      diskNews: new DiskNews(log, clock),
      producerIdExpirationMs: options.producerIdExpirationMs,
      retention: this.#retention,
    });
    this.topicDefaults = new TopicDefaults(options.topicDefaults);
    this.topics = new Topics(
      {
        isAutoCreating: options.isAutoCreating,
        partitionsDefault: options.partitionsDefault,
        topicsMax: options.topicsMax,
        partitionsMax: options.partitionsMax,
        defaults: this.topicDefaults,
        messageBytesLimit: options.messageBytesLimit,
      },
      {
        engine,
        state: engine.state,
        partitions: this.#partitions,
        clock,
        log,
        newId,
      },
    );
    this.configs = new BrokerConfigs({
      state: engine.state,
      nodeId: options.nodeId,
      defaults: this.topicDefaults,
      messageBytesLimit: options.messageBytesLimit,
      changed: () => this.topics.defaultsChanged(),
    });
    this.#producerIds = new ProducerIds(engine.state, () => this.topics.producerIdMax);
  }

  /** Opens every topic that the engine knows, recovering what a crash left. */
  static async open(options: BrokerOptions, parts: BrokerParts): Promise<Broker> {
    const broker = new Broker(options, parts);
    await broker.configs.load();
    await broker.topics.load();
    broker.#retention.start();
    return broker;
  }

  /** A producer id that was never assigned before, also not before a crash. @throws ObeliskError as `ProducerIds.allocate` */
  allocateProducerId(): Promise<number> {
    return this.#producerIds.allocate();
  }

  /** Commits everything pending and stores the producers' states where that is worth it. The engine stays open. */
  async close(): Promise<void> {
    this.batcher.flush();
    await this.#retention.close();
    await this.#partitions.drain();
    await this.topics.close();
    for (const topic of this.topics.all()) topic.close();
  }
}
