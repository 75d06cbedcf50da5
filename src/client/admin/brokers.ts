/** What a cluster is: its id, its brokers and controller, the features that are in force, and the sizes of partitions. */

import { NO_ERROR } from "../../base/errors.ts";
import type { TopicPartition } from "../../protocol/group/consumer-protocol.ts";
import { describeLogDirsApi } from "../../protocol/kafka/apis/describe-log-dirs.ts";
import { apiByKey } from "../../protocol/kafka/apis.ts";
import { brokerError, checkResponse } from "../broker-errors.ts";
import type { Cluster, ClusterMember } from "../cluster.ts";
import type { Feature } from "../connection.ts";

export interface ServedApi {
  readonly key: number;
  /** Null: one that this client does not know. */
  readonly name: string | null;
  readonly versionMin: number;
  readonly versionMax: number;
}

export interface ClusterDescription {
  /** Null: the broker does not say. */
  readonly id: string | null;
  /** -1: there is none. */
  readonly controller: number;
  /** Sorted by id. */
  readonly brokers: readonly ClusterMember[];
  readonly features: readonly Feature[];
  /** Of one broker, sorted by key. */
  readonly apis: readonly ServedApi[];
}

export interface PartitionSize extends TopicPartition {
  readonly broker: number;
  readonly logDir: string;
  readonly bytes: number;
}

export async function describeCluster(cluster: Cluster): Promise<ClusterDescription> {
  return await cluster.attempt(async () => {
    await cluster.refresh([]);
    const { clusterId, controllerId, brokers } = cluster.members;
    const { features, versions } = await cluster.any();
    return {
      id: clusterId,
      controller: controllerId,
      brokers: brokers.toSorted((a, b) => a.id - b.id),
      features: features.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      apis: [...versions]
        .map(([key, { min, max }]) => ({
          key,
          name: apiByKey(key)?.name ?? null,
          versionMin: min,
          versionMax: max,
        }))
        .sort((a, b) => a.key - b.key),
    };
  });
}

/** The sizes of topics' partitions on each broker; null when the brokers do not tell. */
export async function partitionSizes(
  cluster: Cluster,
  partitions: ReadonlyMap<string, readonly number[]>,
): Promise<PartitionSize[] | null> {
  return await cluster.attempt(async () => {
    await cluster.refresh([]);
    const sizes: PartitionSize[] = [];
    for (const { id } of cluster.members.brokers) {
      const connection = await cluster.node(id);
      if (!connection.supports(describeLogDirsApi)) return null;
      const response = await connection.request(describeLogDirsApi, {
        topics: [...partitions].map(([topic, own]) => ({ topic, partitions: own })),
      });
      if (response.errorCode !== NO_ERROR) throw brokerError(response.errorCode);
      for (const directory of response.results) {
        checkResponse(directory.errorCode, {
          detail: `the log directory ${directory.logDir} cannot be used`,
        });
        for (const { name, partitions: entries } of directory.topics) {
          for (const { partitionIndex, partitionSize, isFutureKey } of entries) {
            if (isFutureKey) continue; // A copy that is being moved there, not yet a replica.
            sizes.push({
              topic: name,
              partition: partitionIndex,
              broker: id,
              logDir: directory.logDir,
              bytes: partitionSize,
            });
          }
        }
      }
    }
    return sizes;
  });
}
