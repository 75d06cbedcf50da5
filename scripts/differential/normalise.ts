/**
 * What is made equal in two responses before they are compared. Each rule has a name and a reason, applies to named fields
 * only, and changes only what a server was free to choose; everything else is compared as it is.
 *
 *   cluster id       chosen at the first start
 *   address          each server's own host and port; any other address stays
 *   topic id         an id that the server made becomes the topic's name; ids that were only echoed stay
 *   session id       of a fetch session, where there is one
 *   producer id      an id that the server handed out in this case
 *   member id        the random end of one that the server made up
 *   other groups     in a list of all groups only those that the case knows
 *   arrival time     log append times, and record timestamps that were set from them: when the run took place
 *   wording          the text of a message; whether there is one is compared
 *   order            lists that Kafka builds from hash tables are sorted, without losing duplicates
 *   joined topics    of a topic that a response repeats the partitions are taken together
 *   other topics     in a list of all topics only those that the case knows: other cases run at the same time
 *   directory, space where a server keeps its records, and what the disk has: whether the path is absolute is compared
 *   tables           APIs with their versions, settings and features are compared by name
 *   records          batches are compared by meaning (batches.ts)
 */

import type { Address } from "../bench/load.ts";
import { describeBatches } from "./batches.ts";

/** What is known about the server that responded. */
export interface Facts {
  readonly address: Address;
  /** Names of topics by the id that this server gave them. */
  readonly topicNames: ReadonlyMap<string, string>;
  readonly producerIds: ReadonlySet<string>;
  /** Whether the case has anything to do with a topic. */
  readonly isOwnTopic: (name: string) => boolean;
  /** From here on a time can be one of arrival. */
  readonly startedAtMs: number;
}

interface Rule {
  readonly name: string;
  /** Name of the API and path without indices, as in `Metadata clusterId`. */
  readonly where: RegExp;
  readonly apply: (value: unknown, facts: Facts) => unknown;
}

/** What both servers put behind a client id. Base64 in ids of the consumer protocol is the client's own. */
const MADE_UP_ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Times are of the run when they lie between its start and this much after now: clocks are read in between. */
const CLOCK_SLACK_MS = 60_000;

export const RULES: readonly Rule[] = [
  {
    name: "cluster id",
    where: /^(Metadata|DescribeCluster) clusterId$/,
    apply: (value) => (typeof value === "string" && value !== "" ? "<cluster id>" : value),
  },
  {
    name: "address",
    where: /^((Metadata|DescribeCluster) brokers\[\]|FindCoordinator( coordinators\[\])?)[. ]host$/,
    apply: (value, { address }) => (value === address.host || value === "localhost" ? "<host>" : value),
  },
  {
    name: "address",
    where: /^((Metadata|DescribeCluster) brokers\[\]|FindCoordinator( coordinators\[\])?)[. ]port$/,
    apply: (value, { address }) => (value === address.port ? "<port>" : value),
  },
  {
    name: "topic id",
    where: /\btopicId$/,
    apply: (value, { topicNames }) => {
      const name = topicNames.get(value as string);
      return name === undefined ? value : `<id of ${name}>`;
    },
  },
  {
    name: "session id",
    where: /^Fetch sessionId$/,
    apply: (value) => (value === 0 ? 0 : "<session id>"),
  },
  {
    name: "producer id",
    where: /\bproducerId$/,
    apply: (value, { producerIds }) => (producerIds.has(String(value)) ? "<producer id>" : value),
  },
  {
    name: "arrival time",
    where:
      /\b(logAppendTimeMs|timestampMs|maxTimestamp|baseTimestamp|topics\[\]\.partitions\[\]\.timestamp)$/,
    apply: (value, { startedAtMs }) => {
      const atMs = Number(value);
      return atMs >= startedAtMs && atMs <= Date.now() + CLOCK_SLACK_MS ? "<time of arrival>" : value;
    },
  },
  {
    name: "wording",
    where: /\b(errorMessage|batchIndexErrorMessage)$/,
    apply: (value) => (typeof value === "string" && value !== "" ? "<words>" : value),
  },
  {
    name: "records",
    where: /^Fetch responses\[\]\.partitions\[\]\.records$/,
    apply: (value) => (Buffer.isBuffer(value) ? describeBatches(value) : value),
  },
  {
    name: "other topics",
    where: /^(Metadata|DescribeTopicPartitions) topics$/,
    apply: (value, { isOwnTopic }) =>
      Array.isArray(value) ? value.filter(({ name }) => !name || isOwnTopic(name)) : value,
  },
  {
    name: "other topics",
    where: /^ElectLeaders replicaElectionResults$/,
    apply: (value, { isOwnTopic }) =>
      Array.isArray(value) ? sorted(value.filter(({ topic }) => isOwnTopic(topic))) : value,
  },
  {
    name: "other topics",
    where: /^DescribeLogDirs results\[\]\.topics$/,
    apply: (value, { isOwnTopic }) =>
      Array.isArray(value) ? sorted(value.filter(({ name }) => isOwnTopic(name))) : value,
  },
  { name: "order", where: /^DescribeLogDirs results\[\]\.topics\[\]\.partitions$/, apply: sorted },
  {
    name: "directory",
    where: /^DescribeLogDirs results\[\]\.logDir$/,
    apply: (value) => String(value).slice(0, 1),
  },
  {
    name: "space",
    where: /^DescribeLogDirs results\[\]\.(total|usable)Bytes$/,
    apply: (value) => (Number(value) > 0 ? "<bytes>" : value),
  },
  {
    name: "arrival time",
    where: /^DescribeProducers .*lastTimestamp$/,
    apply: (value) => (Number(value) >= 0 ? "<time>" : value),
  },
  { name: "order", where: /^AlterReplicaLogDirs results(\[\]\.partitions)?$/, apply: sorted },
  {
    name: "arrival time",
    where: /^DescribeQuorum .*last(Fetch|CaughtUp)Timestamp$/,
    apply: (value) => (Number(value) > 0 ? "<time>" : value),
  },
  {
    name: "joined topics",
    where: /^Produce responses$/,
    apply: (value) => joined(value, "name", "partitionResponses"),
  },
  {
    name: "joined topics",
    where: /^Fetch responses$/,
    apply: (value) => joined(value, "topic", "partitions"),
  },
  {
    name: "member id",
    where: /\b(memberId|leader)$/,
    apply: (value) => (typeof value === "string" ? value.replace(MADE_UP_ID, "<id>") : value),
  },
  {
    name: "other groups",
    where: /^ListGroups groups$/,
    apply: (value, { isOwnTopic }) =>
      Array.isArray(value)
        ? sortedBy(
            value.filter(({ groupId }) => isOwnTopic(groupId)),
            "groupId",
          )
        : value,
  },
  { name: "order", where: /^(DescribeGroups groups\[\]\.|JoinGroup |LeaveGroup )members$/, apply: sorted },
  {
    name: "order",
    where: /^(DescribeGroups groups|DeleteGroups results)$/,
    apply: (value) => sortedBy(value, "groupId"),
  },
  {
    name: "other topics",
    where: /^ListConfigResources configResources$/,
    apply: (value, { isOwnTopic }) =>
      Array.isArray(value)
        ? value.filter(({ resourceName, resourceType }) => resourceType !== 2 || isOwnTopic(resourceName))
        : value,
  },
  { name: "order", where: /^ListConfigResources configResources$/, apply: sorted },
  { name: "wording", where: /^DescribeConfigs .*documentation$/, apply: () => "<words>" },
  {
    name: "order",
    where: /^(Produce responses\[\]\.partitionResponses|Fetch responses\[\]\.partitions)$/,
    apply: sorted,
  },
  {
    name: "order",
    where:
      /^(Metadata|ListOffsets|OffsetCommit|OffsetDelete|OffsetFetch|OffsetForLeaderEpoch|CreateTopics|CreatePartitions|DeleteRecords) (topics|results)(\[\]\.partitions)?$/,
    apply: sorted,
  },
  { name: "order", where: /^OffsetFetch groups\[\]\.topics(\[\]\.partitions)?$/, apply: sorted },
  { name: "order", where: /^DeleteTopics responses$/, apply: sorted },
  {
    name: "order",
    where: /\b(assignment|targetAssignment)\.topicPartitions$/,
    apply: (value, { topicNames }) => sortedByTopic(value, topicNames),
  },
  {
    name: "order",
    where: /^ConsumerGroupDescribe groups\[\]\.members$/,
    apply: (value) => sortedBy(value, "memberId"),
  },
  { name: "order", where: /\btopicPartitions\[\]\.partitions$/, apply: numbersInOrder },
  { name: "order", where: /^ConsumerGroupDescribe .*subscribedTopicNames$/, apply: textsInOrder },
  { name: "tables", where: /^ApiVersions apiKeys$/, apply: (value) => table(value, "apiKey") },
  {
    name: "tables",
    where:
      /^(ApiVersions (supported|finalized)Features|(CreateTopics topics|DescribeConfigs results)\[\]\.configs)$/,
    apply: (value) => table(value, "name"),
  },
];

/** A copy of a decoded response in which everything is made equal that the rules name. */
export function normalise(api: string, response: unknown, facts: Facts): unknown {
  return walk(`${api} `, response, facts);
}

function walk(place: string, value: unknown, facts: Facts): unknown {
  let current = value;
  for (const { where, apply } of RULES) if (where.test(place)) current = apply(current, facts);
  if (Array.isArray(current)) return current.map((entry) => walk(`${place}[]`, entry, facts));
  if (Buffer.isBuffer(current)) return current.toString("hex");
  if (typeof current !== "object" || current === null) return current;
  return Object.fromEntries(
    Object.entries(current).map(([name, inner]) => [
      name,
      walk(place.endsWith(" ") ? place + name : `${place}.${name}`, inner, facts),
    ]),
  );
}

/** Topics in order, each once with all partitions that the list has for it. */
function joined(value: unknown, nameField: string, listField: string): unknown {
  if (!Array.isArray(value)) return value;
  const topics = new Map<unknown, Record<string, unknown>>();
  for (const topic of value as Record<string, unknown>[]) {
    const key = topic[nameField] || topic["topicId"];
    const known = topics.get(key);
    const lists = [known?.[listField] ?? [], topic[listField]] as unknown[][];
    topics.set(key, { ...topic, [listField]: lists.flat() });
  }
  return sorted([...topics.values()]);
}

/** A list as an object by the field that tells its entries apart. */
function table(value: unknown, key: string): unknown {
  if (!Array.isArray(value)) return value;
  return Object.fromEntries(
    value.map((entry: Record<string, unknown>) => {
      const { [key]: name, ...rest } = entry;
      return [String(name), rest];
    }),
  );
}

/** By the names that ids have: the ids themselves are a server's own. */
function sortedByTopic(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (!Array.isArray(value)) return value;
  const nameOf = ({ topicId }: { topicId: string }) => names.get(topicId) ?? topicId;
  return [...value].sort((a, b) => compareKeys(nameOf(a), nameOf(b)));
}

function numbersInOrder(value: unknown): unknown {
  return Array.isArray(value) ? [...value].sort((a, b) => Number(a) - Number(b)) : value;
}

function textsInOrder(value: unknown): unknown {
  return Array.isArray(value) ? [...value].sort() : value;
}

function sortedBy(value: unknown, field: string): unknown {
  if (!Array.isArray(value)) return value;
  return [...value].sort((a, b) => compareKeys(String(a[field]), String(b[field])));
}

/** By name or number, then by content, so that duplicates stand together. */
function sorted(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return [...value].sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
}

function keyOf(entry: unknown): string {
  const fields = entry as Record<string, unknown>;
  const number = fields["index"] ?? fields["partitionIndex"] ?? fields["partition"];
  const lead = typeof number === "number" ? String(number + 2 ** 31).padStart(10, "0") : "";
  const name = fields["name"] ?? fields["topic"] ?? fields["topicId"] ?? "";
  return `${lead} ${name} ${JSON.stringify(entry, (key, inner) => (key === "topicId" ? undefined : inner))}`;
}

function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
