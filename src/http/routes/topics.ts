/**
 * Topics: what there is.
 *
 *   GET /topics             all, or a page of them, by name
 *   GET /topics/{topic}     one, with its partitions and settings
 */

import { type AnyElysia, Elysia, t } from "elysia";
import { ObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Broker } from "../../broker/broker.ts";
import type { Topic } from "../../broker/topic.ts";
import { documented } from "../access.ts";
import type { HttpParts } from "../http-parts.ts";
import { describedConfigs, describedPartition, listedTopic } from "../topic-json.ts";

/** Topics of one page: some 300 bytes each. */
const PAGE_MAX = 10_000;

export function topicsRoutes({ broker, clock }: HttpParts): AnyElysia {
  return new Elysia()
    .get(
      "/topics",
      async ({ query: { prefix = "", after = "", limit = PAGE_MAX } }) => {
        const share = new TurnShare(clock);
        const topics: object[] = [];
        let last = "";
        for (const topic of broker.topics.all()) {
          if (!topic.name.startsWith(prefix) || topic.name <= after) continue;
          if (topics.length === limit) return { topics, next: last };
          if (share.isUsedUp) await share.rest();
          topics.push(listedTopic(broker, topic));
          last = topic.name;
        }
        return { topics };
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
          responses: { 200: { description: "A page of topics, and where the next one begins." } },
        }),
      },
    )
    .get(
      "/topics/:topic",
      async ({ params }) => {
        const topic = topicNamed(broker, params.topic);
        const share = new TurnShare(clock);
        const partitions: object[] = [];
        for (const partition of topic.partitions) {
          if (share.isUsedUp) await share.rest();
          partitions.push(describedPartition(broker, partition));
        }
        const { name, id } = topic;
        return { name, id, isInternal: false, partitions, configs: describedConfigs(broker, topic) };
      },
      documented({
        access: ["describe", "topic"],
        tag: "topics",
        summary: "Describe a topic",
        responses: { 200: { description: "Its partitions and settings." } },
      }),
    );
}

/** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION */
export function topicNamed(broker: Broker, name: string): Topic {
  const topic = broker.topics.get(name);
  if (topic === undefined) throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name });
  return topic;
}
