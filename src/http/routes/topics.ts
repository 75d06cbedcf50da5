/**
 * Topics.
 *
 *   GET    /topics                 all, or a page of them, by name
 *   POST   /topics                 creates one
 *   GET    /topics/{topic}         one, with its partitions and settings
 *   PATCH  /topics/{topic}         changes settings, adds partitions
 *   DELETE /topics/{topic}         with all of its records
 *   POST   /topics/{topic}/trim    deletes the records before an offset
 */

import { type AnyElysia, Elysia, t } from "elysia";
import { ObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { trimmed } from "../../broker/config-kinds.ts";
import type { Partition } from "../../broker/partition.ts";
import type { Topic } from "../../broker/topic.ts";
import type { TopicConfigValues } from "../../broker/topic-configs.ts";
import { documented } from "../access.ts";
import type { HttpParts } from "../http-parts.ts";
import { jsonBody } from "../json-body.ts";
import { longJson } from "../long-json.ts";
import { TOPIC, TOPICS_PAGE, TRIMMED } from "../openapi/schemas/topics.ts";
import { describedConfigs, describedPartition, listedTopic } from "../topic-json.ts";
import { partitionIn, topicNamed } from "../topic-lookup.ts";

/** Topics of one page: some 300 bytes each. */
const PAGE_MAX = 10_000;
/** As a request of Kafka's clients. */
const PARTITIONS_MAX = 10_000;

const CONFIG_VALUE = t.Union([t.String(), t.Number(), t.Boolean()]);

export const TOPIC_EXAMPLE = {
  name: "orders",
  id: "7f2c1f0e-5b3a-4c7e-9d55-0a1b2c3d4e5f",
  isInternal: false,
  partitions: [
    {
      partition: 0,
      startOffset: 0,
      highWatermark: 120,
      bytes: 9184,
      leader: 1,
      leaderEpoch: 0,
      isUnavailable: false,
    },
  ],
  configs: [
    {
      name: "retention.ms",
      value: "604800000",
      default: "604800000",
      source: "default",
      type: "long",
      must: "an integer of at least -1",
      stance: "obeyed",
      documentation:
        "How long records are kept, in milliseconds, where cleanup.policy has delete. -1: for ever.",
      isReadOnly: false,
    },
  ],
};

export function topicsRoutes(parts: HttpParts): AnyElysia {
  const { broker, clock } = parts;
  const json = jsonBody(parts);
  const describe = async (topic: Topic, headers?: Readonly<Record<string, string>>): Promise<Response> => {
    const share = new TurnShare(clock);
    const partitions: object[] = [];
    for (const partition of topic.partitions) {
      if (share.isUsedUp) await share.rest();
      partitions.push(describedPartition(broker, partition));
    }
    const { name, id } = topic;
    const described = { name, id, isInternal: false, partitions, configs: describedConfigs(broker, topic) };
    return await longJson(described, clock, headers === undefined ? {} : { status: 201, headers });
  };
  return new Elysia()
    .get(
      "/topics",
      async ({ query: { prefix = "", after = "", limit = PAGE_MAX } }) => {
        const share = new TurnShare(clock);
        const topics: object[] = [];
        let last = "";
        for (const topic of broker.topics.all()) {
          if (!topic.name.startsWith(prefix) || topic.name <= after) continue;
          if (topics.length === limit) return await longJson({ topics, next: last }, clock);
          if (share.isUsedUp) await share.rest();
          topics.push(listedTopic(broker, topic));
          last = topic.name;
        }
        return await longJson({ topics }, clock);
      },
      {
        query: t.Object({
          prefix: t.Optional(t.String({ description: "Only topics whose names begin so." })),
          after: t.Optional(
            t.String({ description: "Only topics that come later by name: `next` of a page." }),
          ),
          limit: t.Optional(t.Integer({ minimum: 1, maximum: PAGE_MAX, description: "Topics of a page." })),
        }),
        ...documented({
          access: ["describe", "topic"],
          tag: "topics",
          summary: "List topics",
          responses: {
            200: {
              description: "A page of topics; `next` when there are more.",
              schema: TOPICS_PAGE,
              example: {
                topics: [
                  {
                    name: "orders",
                    id: TOPIC_EXAMPLE.id,
                    partitions: 1,
                    unavailablePartitions: 0,
                    replicas: 1,
                    bytes: 9184,
                    records: 120,
                    cleanupPolicy: "delete",
                    isInternal: false,
                  },
                ],
              },
            },
          },
        }),
      },
    )
    .post(
      "/topics",
      async ({ body: { name, partitions = -1, configs = {} } }) => {
        const options = { partitions, configs: configValues(configs) };
        if (partitions > PARTITIONS_MAX) throw tooManyPartitions(partitions);
        const topic = await broker.topics.create(name, options);
        return await describe(topic, { location: `/topics/${encodeURIComponent(name)}` });
      },
      {
        ...json,
        body: t.Object({
          name: t.String({ description: "1 to 249 letters, digits, dots, underscores and dashes." }),
          partitions: t.Optional(
            t.Integer({ minimum: 1, description: "Default: the server's setting `partitions`." }),
          ),
          configs: t.Optional(
            t.Record(t.String(), CONFIG_VALUE, {
              description: "Settings by Kafka's names, such as retention.ms.",
            }),
          ),
        }),
        ...documented({
          access: ["create", "topic"],
          tag: "topics",
          summary: "Create a topic",
          body: { name: "orders", partitions: 3, configs: { "retention.ms": "86400000" } },
          responses: { 201: { description: "The topic.", schema: TOPIC, example: TOPIC_EXAMPLE } },
        }),
      },
    )
    .get(
      "/topics/:topic",
      ({ params }) => describe(topicNamed(broker, params.topic)),
      documented({
        access: ["describe", "topic"],
        tag: "topics",
        summary: "Describe a topic",
        responses: {
          200: { description: "Its partitions and settings.", schema: TOPIC, example: TOPIC_EXAMPLE },
        },
      }),
    )
    .patch(
      "/topics/:topic",
      async ({ params, body: { configs = {}, partitions } }) => {
        const topic = topicNamed(broker, params.topic);
        const change = (values: TopicConfigValues) => changedConfigs(values, configs);
        const isGrowing = partitions !== undefined && partitions !== topic.partitions.length;
        if (isGrowing && partitions > PARTITIONS_MAX) throw tooManyPartitions(partitions);
        // Both are checked before anything is done.
        await broker.topics.alter(topic.name, change, true);
        if (isGrowing) await broker.topics.addPartitions(topic.name, partitions, true);
        if (Object.keys(configs).length > 0) await broker.topics.alter(topic.name, change);
        if (isGrowing) await broker.topics.addPartitions(topic.name, partitions);
        return await describe(topicNamed(broker, params.topic));
      },
      {
        ...json,
        body: t.Object({
          configs: t.Optional(
            t.Record(t.String(), t.Union([CONFIG_VALUE, t.Null()]), {
              description: "Settings that change; null goes back to the default.",
            }),
          ),
          partitions: t.Optional(t.Integer({ minimum: 1, description: "How many there are to be, in all." })),
        }),
        ...documented({
          access: ["alter", "topic"],
          tag: "topics",
          summary: "Change settings, add partitions",
          body: { configs: { "retention.ms": "3600000", "segment.ms": null }, partitions: 6 },
          responses: {
            200: { description: "The topic as it is now.", schema: TOPIC, example: TOPIC_EXAMPLE },
          },
        }),
      },
    )
    .delete(
      "/topics/:topic",
      async ({ params }) => {
        await broker.topics.remove(topicNamed(broker, params.topic).name);
        return new Response(null, { status: 204 });
      },
      documented({
        access: ["delete", "topic"],
        tag: "topics",
        summary: "Delete a topic with all of its records",
        responses: { 204: { description: "It is gone, durably." } },
      }),
    )
    .post(
      "/topics/:topic/trim",
      async ({ params, body: { partitions } }) => {
        const topic = topicNamed(broker, params.topic);
        const found = partitions.map(({ partition, offset }) => ({
          partition: partitionIn(topic, partition),
          offset,
        }));
        const starts = await Promise.all(
          found.map(async ({ partition, offset }) => ({
            partition: partition.index,
            startOffset: await startAfter(partition, offset),
          })),
        );
        return { topic: topic.name, partitions: starts };
      },
      {
        ...json,
        body: t.Object({
          partitions: t.Array(
            t.Object({
              partition: t.Integer({ minimum: 0 }),
              offset: t.Union([t.Integer({ minimum: 0 }), t.Literal("latest")], {
                description: "Records before it are deleted; `latest`: all that there are.",
              }),
            }),
            { minItems: 1, maxItems: PARTITIONS_MAX },
          ),
        }),
        ...documented({
          access: ["delete", "topic"],
          tag: "topics",
          summary: "Delete the records before an offset",
          body: { partitions: [{ partition: 0, offset: 100 }] },
          responses: {
            200: {
              description: "Where each partition begins now.",
              schema: TRIMMED,
              example: { topic: "orders", partitions: [{ partition: 0, startOffset: 100 }] },
            },
          },
        }),
      },
    );
}

async function startAfter(partition: Partition, offset: number | "latest"): Promise<number> {
  partition.checkWritable();
  const { topic, index, isDeletable } = partition;
  if (!isDeletable) {
    throw new ObeliskError("POLICY_VIOLATION", {
      detail: "cleanup.policy does not allow its records to be deleted",
      topic,
      partition: index,
    });
  }
  return await partition.deleteBefore(offset === "latest" ? await partition.latestOffset() : offset);
}

type GivenValue = string | number | boolean;

/** As Kafka takes them: spaces around a value do not count. */
function configValues(given: Readonly<Record<string, GivenValue>>): TopicConfigValues {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, trimmed(String(value))]));
}

function changedConfigs(
  values: TopicConfigValues,
  given: Readonly<Record<string, GivenValue | null>>,
): TopicConfigValues {
  const after: Record<string, string> = { ...values };
  for (const [name, value] of Object.entries(given)) {
    if (value === null) delete after[name];
    else after[name] = trimmed(String(value));
  }
  return after;
}

function tooManyPartitions(partitions: number): ObeliskError {
  return new ObeliskError("INVALID_PARTITIONS", {
    detail: `${partitions} partitions are more than one request may ask for`,
    limit: PARTITIONS_MAX,
  });
}
