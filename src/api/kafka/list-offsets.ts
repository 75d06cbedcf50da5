/**
 * ListOffsets: the offset for a timestamp, or for one of the special ones:
 *
 *   -1 latest (the high watermark)    -2 earliest    -3 the record with the largest timestamp (from version 7)
 *   -4 earliest on this machine (from version 8): the same as the earliest, because nothing is tiered
 *   -5 latest in tiered storage (from version 9): nothing    -6 earliest that is not in it (from version 11): nothing
 *
 * For a timestamp it is the first record at or after it; nothing there is timestamp -1 and offset -1, no error.
 * The leader epoch is that of the record; of the log where there is none.
 *
 * As in Kafka: a partition that is asked for twice in a request is INVALID_REQUEST, answered once, because two of them
 * cannot be told apart in the response; every other negative timestamp, and a special one that the version does not have, is
 * UNSUPPORTED_VERSION, also for a partition that is not there.
 *
 * Searches by time go to the disk: a request has a few of them under way at a time, and the others do not exist yet. Each partition is
 * answered as it is when its turn comes.
 */

import { NO_ERROR, wireCode } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Partition } from "../../broker/partition.ts";
import {
  type ListOffsetsRequest,
  type ListOffsetsResponseInput,
  TIMESTAMP_EARLIEST,
  TIMESTAMP_EARLIEST_LOCAL,
  TIMESTAMP_EARLIEST_UNTIERED,
  TIMESTAMP_LATEST,
  TIMESTAMP_LATEST_TIERED,
  TIMESTAMP_MAX,
} from "../../protocol/kafka/apis/list-offsets.ts";
import type { TimestampedOffset } from "../../storage/contract.ts";
import type { KafkaContext } from "./context.ts";
import { partitionError, partitionOf } from "./epochs.ts";
import type { Exchange } from "./exchange.ts";
import { lookedUp } from "./look-up.ts";

/** The first version of a special timestamp. */
const VERSIONS: Readonly<Record<number, number>> = {
  [TIMESTAMP_LATEST]: 0,
  [TIMESTAMP_EARLIEST]: 0,
  [TIMESTAMP_MAX]: 7,
  [TIMESTAMP_EARLIEST_LOCAL]: 8,
  [TIMESTAMP_LATEST_TIERED]: 9,
  [TIMESTAMP_EARLIEST_UNTIERED]: 11,
};

/** As many as search at once in all (docs/guarantees.md), so that one client alone can use them. */
const SEARCHES_AT_ONCE = 8;
const DUPLICATE = null;

type PartitionRequest = ListOffsetsRequest["topics"][number]["partitions"][number];
type PartitionResponse = ListOffsetsResponseInput["topics"][number]["partitions"][number];

const PENDING: PartitionResponse = { partitionIndex: -1, errorCode: -1 };

export async function listOffsets(
  context: KafkaContext,
  request: ListOffsetsRequest,
  version: number,
  exchange: Exchange<ListOffsetsResponseInput>,
): Promise<ListOffsetsResponseInput> {
  const share = new TurnShare(context.clock);
  const topics: { name: string; partitions: PartitionResponse[] }[] = [];
  const searches: Promise<void>[] = [];
  const failures: unknown[] = [];
  for (const [name, requests] of requestsByTopic(request)) {
    const topic = context.broker.topics.get(name);
    const partitions: PartitionResponse[] = [];
    topics.push({ name, partitions });
    for (const [index, requested] of requests) {
      if (share.isUsedUp) await share.rest();
      // Nobody is left to be answered.
      if (exchange.isDropped) return { topics };
      const response =
        requested === DUPLICATE
          ? refused(index, wireCode("INVALID_REQUEST"))
          : responseFor(partitionOf(topic, index), requested, version, () => !exchange.isDropped);
      if (response instanceof Promise) searches.push(complete(partitions, response, failures));
      else partitions.push(response);
      if (searches.length === SEARCHES_AT_ONCE) await Promise.all(searches.splice(0));
      if (failures.length > 0) throw failures[0];
    }
  }
  await Promise.all(searches);
  if (failures.length > 0) throw failures[0];
  return { topics };
}

export function refuseListOffsets(request: ListOffsetsRequest, errorCode: number): ListOffsetsResponseInput {
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => refused(partitionIndex, errorCode)),
  }));
  return { topics };
}

/** By topic and partition, whichever way the request spreads them. */
function requestsByTopic(
  request: ListOffsetsRequest,
): Map<string, Map<number, PartitionRequest | typeof DUPLICATE>> {
  const topics = new Map<string, Map<number, PartitionRequest | typeof DUPLICATE>>();
  for (const { name, partitions } of request.topics) {
    const requests = topics.get(name) ?? new Map<number, PartitionRequest | typeof DUPLICATE>();
    topics.set(name, requests);
    for (const requested of partitions) {
      const index = requested.partitionIndex;
      requests.set(index, requests.has(index) ? DUPLICATE : requested);
    }
  }
  return topics;
}

/** Keeps the place of a response that is still searched for. Nobody may be waiting for it just then, so a fault of ours is only recorded. */
async function complete(
  partitions: PartitionResponse[],
  search: Promise<PartitionResponse>,
  failures: unknown[],
): Promise<void> {
  const place = partitions.length;
  partitions.push(PENDING);
  try {
    partitions[place] = await search;
  } catch (thrown) {
    failures.push(thrown);
  }
}

function responseFor(
  partition: Partition | undefined,
  { partitionIndex, currentLeaderEpoch, timestamp }: PartitionRequest,
  version: number,
  isWanted: () => boolean,
): PartitionResponse | Promise<PartitionResponse> {
  if (timestamp < 0 && !(version >= (VERSIONS[timestamp] ?? Number.POSITIVE_INFINITY))) {
    return refused(partitionIndex, wireCode("UNSUPPORTED_VERSION"));
  }
  if (partition === undefined) return refused(partitionIndex, wireCode("UNKNOWN_TOPIC_OR_PARTITION"));
  const fault = partitionError(partition, currentLeaderEpoch);
  if (fault !== NO_ERROR) return refused(partitionIndex, fault);
  const found = lookUp(partition, timestamp, isWanted);
  const respond = (place: TimestampedOffset | null) => responded(partitionIndex, place);
  if (!(found instanceof Promise)) return respond(found);
  return lookedUp(found, respond, (errorCode) => refused(partitionIndex, errorCode));
}

function responded(partitionIndex: number, found: TimestampedOffset | null): PartitionResponse {
  return {
    partitionIndex,
    errorCode: NO_ERROR,
    timestamp: found?.timestampMs ?? -1,
    offset: found?.offset ?? -1,
    leaderEpoch: found?.leaderEpoch ?? -1,
  };
}

function lookUp(
  partition: Partition,
  timestamp: number,
  isWanted: () => boolean,
): TimestampedOffset | null | Promise<TimestampedOffset | null> {
  if (timestamp === TIMESTAMP_LATEST_TIERED || timestamp === TIMESTAMP_EARLIEST_UNTIERED) return null;
  const { startLeaderEpoch, startOffset } = partition;
  if (timestamp === TIMESTAMP_LATEST) {
    const latest = partition.latestOffset();
    return latest instanceof Promise
      ? latest.then((offset) => endAt(offset, partition))
      : endAt(latest, partition);
  }
  if (timestamp === TIMESTAMP_EARLIEST || timestamp === TIMESTAMP_EARLIEST_LOCAL) {
    return { offset: startOffset, timestampMs: -1, leaderEpoch: startLeaderEpoch };
  }
  return timestamp === TIMESTAMP_MAX
    ? partition.offsetOfMaxTimestamp(isWanted)
    : partition.offsetForTimestamp(timestamp, isWanted);
}

function endAt(offset: number, { leaderEpoch }: Partition): TimestampedOffset {
  return { offset, timestampMs: -1, leaderEpoch };
}

function refused(partitionIndex: number, errorCode: number): PartitionResponse {
  return { partitionIndex, errorCode, timestamp: -1, offset: -1, leaderEpoch: -1 };
}
