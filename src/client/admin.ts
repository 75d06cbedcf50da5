/**
 * Requests about topics, brokers and the offsets of groups. Retriable errors are retried within the total time limit; creating
 * or deleting that was retried may therefore report what its first attempt did.
 */

import { NO_ERROR } from "../base/errors.ts";
import { SECOND_MS } from "../base/units.ts";
import { createTopicsApi } from "../protocol/kafka/apis/create-topics.ts";
import { deleteTopicsApi } from "../protocol/kafka/apis/delete-topics.ts";
import { brokerError } from "./broker-errors.ts";
import { Cluster, type ClusterOptions, type TopicMetadata } from "./cluster.ts";
import {
  type CommittedOffset,
  commitGroupOffsets,
  fetchGroupOffsets,
  type TopicPartition,
} from "./group-offsets.ts";
import { listPartitionOffsets, type OffsetQuery, type PartitionOffset } from "./partition-offsets.ts";

/** How long the broker may take. */
const TOPIC_TIMEOUT_MS = 30 * SECOND_MS;
/** From this version on DeleteTopics takes structures instead of names. */
const DELETE_BY_STRUCTURE_FROM = 6;

export interface NewTopic {
  readonly name: string;
  /** -1: the broker's default. */
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly configs?: Readonly<Record<string, string>>;
}

export class Admin {
  readonly cluster: Cluster;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /** @throws ObeliskError CONNECTION_FAILED, INVALID_USAGE */
  static async connect(options: ClusterOptions): Promise<Admin> {
    const admin = new Admin(new Cluster(options));
    try {
      await admin.cluster.contact();
    } catch (thrown) {
      await admin.close();
      throw thrown;
    }
    return admin;
  }

  /** All topics, sorted by name, internal ones included. */
  async listTopics(): Promise<TopicMetadata[]> {
    const topics = await this.cluster.attempt(() => this.cluster.refresh(null));
    return topics.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** One topic, or undefined when there is none of this name. Never creates it. */
  async describeTopic(name: string): Promise<TopicMetadata | undefined> {
    return await this.cluster.attempt(() => this.cluster.find(name));
  }

  /** @throws ObeliskError TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_CONFIG, ... */
  async createTopic(topic: NewTopic): Promise<void> {
    await this.cluster.attempt(async () => {
      const connection = await this.cluster.controller();
      const response = await connection.request(createTopicsApi, {
        topics: [
          {
            name: topic.name,
            numPartitions: topic.partitions ?? -1,
            replicationFactor: topic.replicationFactor ?? -1,
            configs: Object.entries(topic.configs ?? {}).map(([name, value]) => ({ name, value })),
          },
        ],
        timeoutMs: TOPIC_TIMEOUT_MS,
      });
      this.cluster.evict(topic.name);
      checkTopic(response.topics[0], topic.name);
    });
  }

  /** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, ... */
  async deleteTopic(name: string): Promise<void> {
    await this.cluster.attempt(async () => {
      const connection = await this.cluster.controller();
      const byStructure = connection.versionOf(deleteTopicsApi) >= DELETE_BY_STRUCTURE_FROM;
      const response = await connection.request(deleteTopicsApi, {
        ...(byStructure ? { topics: [{ name }] } : { topicNames: [name] }),
        timeoutMs: TOPIC_TIMEOUT_MS,
      });
      this.cluster.evict(name);
      checkTopic(response.responses[0], name);
    });
  }

  /** Offsets of partitions, in the order of the queries. */
  listOffsets(
    queries: readonly OffsetQuery[],
    options: { isCommittedOnly?: boolean } = {},
  ): Promise<PartitionOffset[]> {
    return listPartitionOffsets(this.cluster, queries, options);
  }

  /** A group's committed offsets; null: all that it has. */
  groupOffsets(group: string, partitions: readonly TopicPartition[] | null): Promise<CommittedOffset[]> {
    return fetchGroupOffsets(this.cluster, group, partitions);
  }

  /** Sets a group's offsets. @throws ObeliskError UNKNOWN_MEMBER_ID while the group has active members */
  setGroupOffsets(group: string, offsets: readonly CommittedOffset[]): Promise<void> {
    return commitGroupOffsets(this.cluster, group, offsets);
  }

  async close(): Promise<void> {
    await this.cluster.close();
  }
}

function checkTopic(
  response: { errorCode: number; errorMessage: string | null } | undefined,
  topic: string,
): void {
  if (response === undefined || response.errorCode === NO_ERROR) return;
  const facts = { topic };
  throw brokerError(
    response.errorCode,
    response.errorMessage === null ? facts : { ...facts, detail: response.errorMessage },
  );
}
