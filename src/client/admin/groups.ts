/**
 * Groups: which there are, what state they are in and who is in them, and their deletion. Every broker knows the groups that it
 * coordinates, and a group's coordinator alone describes and deletes it.
 */

import { ERRORS, NO_ERROR, ObeliskError, toObeliskError } from "../../base/errors.ts";
import { decodeAssignment, type TopicPartition } from "../../protocol/group/consumer-protocol.ts";
import { consumerGroupDescribeApi } from "../../protocol/kafka/apis/consumer-group-describe.ts";
import { deleteGroupsApi } from "../../protocol/kafka/apis/delete-groups.ts";
import { describeGroupsApi } from "../../protocol/kafka/apis/describe-groups.ts";
import { listGroupsApi } from "../../protocol/kafka/apis/list-groups.ts";
import { brokerError } from "../broker-errors.ts";
import type { Cluster } from "../cluster.ts";
import type { Connection } from "../connection.ts";
import { withCoordinator } from "../group-offsets.ts";

export interface ListedGroup {
  readonly group: string;
  /** Empty where the broker does not say. */
  readonly state: string;
  /** `classic`, `consumer`, `share` and so on; empty where the broker does not say. */
  readonly type: string;
  readonly protocolType: string;
  readonly coordinator: number;
}

export interface DescribedMember {
  readonly memberId: string;
  /** Null: not a static member. */
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly host: string;
  /** Null: the group's protocol is not that of consumers, and only its members can read their assignment. */
  readonly partitions: readonly TopicPartition[] | null;
}

export interface DescribedGroup {
  readonly group: string;
  readonly type: "classic" | "consumer";
  /** As the broker names it: Stable, Empty, Dead, PreparingRebalance, CompletingRebalance, Assigning, Reconciling. */
  readonly state: string;
  readonly protocolType: string;
  /** The assignor that the group uses; empty without members. */
  readonly assignor: string;
  /** The broker that coordinates it, as `HOST:PORT`. */
  readonly coordinator: string;
  readonly members: readonly DescribedMember[];
}

/** A group that does not exist is described as dead. */
const DEAD = "Dead";
/** Error 69: there is no such group. */
const GROUP_ID_NOT_FOUND = 69;
/** Error 68: the group has members. */
const NON_EMPTY_GROUP = 68;

/** All groups of all brokers, sorted by name. */
export async function listGroups(cluster: Cluster): Promise<ListedGroup[]> {
  return await cluster.attempt(async () => {
    await cluster.refresh([]);
    const groups: ListedGroup[] = [];
    for (const { id } of cluster.members.brokers) {
      const connection = await cluster.node(id);
      const response = await connection.request(listGroupsApi, {});
      if (response.errorCode !== NO_ERROR) throw brokerError(response.errorCode);
      for (const { groupId, groupState, groupType, protocolType } of response.groups)
        groups.push({ group: groupId, state: groupState, type: groupType, protocolType, coordinator: id });
    }
    return groups.sort((a, b) => (a.group < b.group ? -1 : 1));
  });
}

/** One group, or undefined when there is none of this name. */
export async function describeGroup(cluster: Cluster, group: string): Promise<DescribedGroup | undefined> {
  return await withCoordinator(cluster, group, async () => {
    const connection = await cluster.coordinator(group);
    const found = connection.supports(consumerGroupDescribeApi)
      ? await describeConsumers(connection, group)
      : undefined;
    return found ?? (await describeClassic(connection, group));
  });
}

/** A group of the newer protocol (KIP-848); undefined: there is none of this name that is of that kind. */
async function describeConsumers(connection: Connection, group: string): Promise<DescribedGroup | undefined> {
  const response = await connection.request(consumerGroupDescribeApi, { groupIds: [group] });
  const found = response.groups[0];
  if (found === undefined || found.errorCode === GROUP_ID_NOT_FOUND) return undefined;
  if (found.errorCode !== NO_ERROR) throw groupError(found.errorCode, group, found.errorMessage);
  return {
    group,
    type: "consumer",
    state: found.groupState,
    protocolType: "consumer",
    assignor: found.assignorName,
    coordinator: connection.address,
    members: found.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      clientId: member.clientId,
      host: member.clientHost.replace(/^\//, ""),
      partitions: member.assignment.topicPartitions.flatMap(({ topicName, partitions }) =>
        partitions.map((partition) => ({ topic: topicName, partition })),
      ),
    })),
  };
}

async function describeClassic(connection: Connection, group: string): Promise<DescribedGroup | undefined> {
  const response = await connection.request(describeGroupsApi, { groups: [group] });
  const found = response.groups[0];
  if (found === undefined)
    throw new ObeliskError("PROTOCOL_ERROR", { detail: "the response leaves out the group" });
  if (found.errorCode === GROUP_ID_NOT_FOUND) return undefined;
  if (found.errorCode !== NO_ERROR) throw groupError(found.errorCode, group, found.errorMessage);
  if (found.groupState === DEAD) return undefined;
  const isConsumers = found.protocolType === "consumer" || found.protocolType === "";
  return {
    group,
    type: "classic",
    state: found.groupState,
    protocolType: found.protocolType,
    assignor: found.protocolData,
    coordinator: connection.address,
    members: found.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.groupInstanceId,
      clientId: member.clientId,
      host: member.clientHost.replace(/^\//, ""), // Kafka writes Java's addresses, as /127.0.0.1.
      partitions: isConsumers ? decodeAssignment(member.memberAssignment) : null,
    })),
  };
}

/** @throws ObeliskError when there is no such group, or it has members */
export async function deleteGroup(cluster: Cluster, group: string): Promise<void> {
  await withCoordinator(cluster, group, async () => {
    const connection = await cluster.coordinator(group);
    const response = await connection.request(deleteGroupsApi, { groupsNames: [group] });
    const found = response.results[0];
    if (found !== undefined && found.errorCode !== NO_ERROR) throw groupError(found.errorCode, group, null);
  });
}

/** The number of an error in the protocol, whether our table has a name for it or not. */
export function wireOf(thrown: unknown): number {
  const error = toObeliskError(thrown);
  return error.facts.wire ?? ERRORS[error.code].wire;
}

/** Whether an error says that there is no such group. */
export function isNoGroup(thrown: unknown): boolean {
  return wireOf(thrown) === GROUP_ID_NOT_FOUND;
}

function groupError(wire: number, group: string, message: string | null): ObeliskError {
  if (wire === GROUP_ID_NOT_FOUND) return brokerError(wire, { detail: `group ${group} does not exist` });
  if (wire === NON_EMPTY_GROUP) {
    const remedy = "stop its consumers, then try again";
    return brokerError(wire, { detail: `the group ${group} has members`, remedy });
  }
  return brokerError(wire, message === null || message === "" ? {} : { detail: message });
}
