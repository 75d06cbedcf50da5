/**
 * Requests about topics, settings, brokers and groups (admin/). Retriable errors are retried within the total time limit;
 * creating or deleting that was retried may therefore report what its first attempt did.
 */

import type { TopicPartition } from "../protocol/group/consumer-protocol.ts";
import {
  type ClusterDescription,
  describeCluster,
  type PartitionSize,
  partitionSizes,
} from "./admin/brokers.ts";
import {
  alterConfigs,
  type Config,
  type ConfigChange,
  type ConfigResource,
  describeConfigs,
} from "./admin/configs.ts";
import {
  type DescribedGroup,
  deleteGroup,
  describeGroup,
  type ListedGroup,
  listGroups,
} from "./admin/groups.ts";
import {
  createPartitions,
  createTopic,
  deleteRecords,
  deleteTopic,
  type NewTopic,
  type RecordsBefore,
} from "./admin/topics.ts";
import { Cluster, type ClusterOptions, type TopicMetadata } from "./cluster.ts";
import { type CommittedOffset, commitGroupOffsets, fetchGroupOffsets } from "./group-offsets.ts";
import { listPartitionOffsets, type OffsetQuery, type PartitionOffset } from "./partition-offsets.ts";

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
  createTopic(topic: NewTopic): Promise<void> {
    return createTopic(this.cluster, topic);
  }

  /** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, ... */
  deleteTopic(name: string): Promise<void> {
    return deleteTopic(this.cluster, name);
  }

  /** Raises the number of partitions of a topic to `count`. @throws ObeliskError INVALID_PARTITIONS when that is not more */
  createPartitions(topic: string, count: number, options: { isDryRun?: boolean } = {}): Promise<void> {
    return createPartitions(this.cluster, topic, count, options.isDryRun ?? false);
  }

  /** Deletes the records below an offset of each partition; the log start offsets afterwards. */
  deleteRecords(ranges: readonly RecordsBefore[]): Promise<RecordsBefore[]> {
    return deleteRecords(this.cluster, ranges);
  }

  /** The settings of a topic or a broker, sorted by name; `names`: only these. */
  describeConfigs(resource: ConfigResource, names: readonly string[] | null = null): Promise<Config[]> {
    return describeConfigs(this.cluster, resource, names);
  }

  /** Changes single settings: all of them, or none when one is refused. @throws ObeliskError INVALID_CONFIG, ... */
  alterConfigs(
    resource: ConfigResource,
    changes: readonly ConfigChange[],
    options: { isDryRun?: boolean } = {},
  ): Promise<void> {
    return alterConfigs(this.cluster, resource, changes, options.isDryRun ?? false);
  }

  describeCluster(): Promise<ClusterDescription> {
    return describeCluster(this.cluster);
  }

  /** The sizes of topics' partitions on each broker; null when the brokers do not tell. */
  partitionSizes(partitions: ReadonlyMap<string, readonly number[]>): Promise<PartitionSize[] | null> {
    return partitionSizes(this.cluster, partitions);
  }

  /** The groups of all brokers, sorted by name. */
  listGroups(): Promise<ListedGroup[]> {
    return listGroups(this.cluster);
  }

  /** One group, or undefined when there is none of this name. */
  describeGroup(group: string): Promise<DescribedGroup | undefined> {
    return describeGroup(this.cluster, group);
  }

  /** Deletes a group with its committed offsets. @throws ObeliskError while it has members */
  deleteGroup(group: string): Promise<void> {
    return deleteGroup(this.cluster, group);
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
