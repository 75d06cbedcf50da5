/**
 * `GET /groups/{group}`: who is in a group, and for each partition what is committed and how far that is behind. A partition is told when
 * the group has committed for it, or a member has it; lags are summed over all of them. What is not known is null, and `unknown` says why (consumer/group-lag.ts).
 */

import type { Clock } from "../../base/clock.ts";
import { ObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Broker } from "../../broker/broker.ts";
import type { ClassicGroup } from "../../consumer/group.ts";
import type { PartitionLag } from "../../consumer/group-lag.ts";
import { CONSUMER_PROTOCOL } from "../../consumer/group-phases.ts";
import type { ConsumerGroup } from "../../consumer/heartbeat-groups/group.ts";
import { decodeAssignment, type TopicPartition } from "../../protocol/group/consumer-protocol.ts";
import type { GroupParts } from "./group-parts.ts";

/** Partitions of one answer, some 150 bytes each; more are counted, and can be asked for topic by topic. */
const PARTITIONS_MAX = 50_000;

interface DescribedMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly host: string;
  /** Null: the group's protocol is not that of consumers, and only its members can read their assignment. */
  readonly partitions: readonly TopicPartition[] | null;
}

/** @throws ObeliskError GROUP_ID_NOT_FOUND */
export async function describeGroup(
  parts: GroupParts & { broker: Broker; clock: Clock },
  group: string,
  topic?: string,
): Promise<object> {
  const view = parts.groups.find(group);
  if (view === undefined) throw noGroup(group);
  const share = new TurnShare(parts.clock);
  const { type, state, protocolType } = view;
  const classic = parts.groups.classic(group);
  const consumer = parts.heartbeatGroups.get(group);
  const members =
    consumer === undefined
      ? await classicMembers(classic, share)
      : await consumerMembers(parts.broker, consumer, share);
  const lags = await lagsOf(parts, group, members, share);
  const wanted = topic === undefined ? lags : lags.filter(([lag]) => lag.topic === topic);
  const partitions = wanted.slice(0, PARTITIONS_MAX).map(([lag, memberId]) => partitionJson(lag, memberId));
  const leftOut = wanted.length - partitions.length;
  return {
    group,
    type,
    state,
    protocolType,
    assignor: consumer?.assignorName ?? classic?.protocolName ?? "",
    coordinator: parts.broker.nodeId,
    ...totalOf(lags),
    members,
    partitions,
    ...(leftOut === 0 ? {} : { partitionsLeftOut: leftOut }),
  };
}

export function noGroup(group: string): ObeliskError {
  return new ObeliskError("GROUP_ID_NOT_FOUND", { detail: `there is no group ${JSON.stringify(group)}` });
}

async function classicMembers(group: ClassicGroup | undefined, share: TurnShare): Promise<DescribedMember[]> {
  const described: DescribedMember[] = [];
  for (const { id, instanceId, clientId, clientHost, assignment } of group?.members.all() ?? []) {
    if (share.isUsedUp) await share.rest();
    // Before a group is stable its assignments are on their way.
    const partitions =
      group?.protocolType !== CONSUMER_PROTOCOL
        ? null
        : group.state === "Stable"
          ? decodeAssignment(assignment)
          : [];
    described.push({ memberId: id, instanceId, clientId, host: hostOf(clientHost), partitions });
  }
  return described;
}

async function consumerMembers(
  { topics }: Broker,
  group: ConsumerGroup,
  share: TurnShare,
): Promise<DescribedMember[]> {
  const described: DescribedMember[] = [];
  for (const { id, instanceId, clientId, clientHost, assigned, revoking } of [...group.members]) {
    if (share.isUsedUp) await share.rest();
    // What a member gives up it has, until it has given it up.
    const partitions = [...assigned, ...revoking].flatMap(([topicId, own]) => {
      const topic = topics.byId(topicId)?.name;
      return topic === undefined ? [] : Array.from(own.keys(), (partition) => ({ topic, partition }));
    });
    partitions.sort(byPlace);
    described.push({ memberId: id, instanceId, clientId, host: hostOf(clientHost), partitions });
  }
  return described;
}

/** By topic and partition, each with who has it. */
async function lagsOf(
  { groupLag }: GroupParts,
  group: string,
  members: readonly DescribedMember[],
  share: TurnShare,
): Promise<[lag: PartitionLag, memberId: string | null][]> {
  const owners = new Map<string, TopicPartition & { readonly memberId: string }>();
  for (const { memberId, partitions } of members)
    for (const place of partitions ?? []) owners.set(keyOf(place), { ...place, memberId });
  const lags: [PartitionLag, string | null][] = [];
  for (const lag of await groupLag.list(group)) {
    if (share.isUsedUp) await share.rest();
    const key = keyOf(lag);
    lags.push([lag, owners.get(key)?.memberId ?? null]);
    owners.delete(key);
  }
  if (owners.size === 0) return lags; // as they are listed
  for (const { topic, partition, memberId } of owners.values()) {
    if (share.isUsedUp) await share.rest();
    lags.push([groupLag.of(group, topic, partition), memberId]);
  }
  return lags.sort(([left], [right]) => byPlace(left, right));
}

function partitionJson(
  { topic, partition, committed, logEndOffset, lag, unknown }: PartitionLag,
  memberId: string | null,
): object {
  return {
    topic,
    partition,
    committedOffset: committed?.offset ?? null,
    logEndOffset,
    lag,
    unknown,
    metadata: committed?.metadata ?? null,
    memberId,
  };
}

/** The sum of what is known; null when nothing is. */
function totalOf(lags: readonly [PartitionLag, unknown][]): { lag: number | null; isLagComplete: boolean } {
  const known = lags.flatMap(([{ lag }]) => (lag === null ? [] : [lag]));
  const lag = known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0);
  return { lag, isLagComplete: known.length === lags.length };
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

export function byPlace(left: TopicPartition, right: TopicPartition): number {
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1;
  return left.partition - right.partition;
}

/** As Java writes addresses, so Kafka's clients are kept: /127.0.0.1. */
function hostOf(clientHost: string): string {
  return clientHost.replace(/^\//, "");
}
