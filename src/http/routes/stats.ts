/**
 * `GET /stats`, as the Go Obelisk had it: how many messages each topic has, and how many of them are in memory.
 *
 *   GET /stats?topic=T   {"topic": "T", "buffered": 120, "persisted": 4000, ...}
 *   GET /stats           the sums, and each topic by name
 */

import { type AnyElysia, Elysia, t } from "elysia";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Topic } from "../../broker/topic.ts";
import { documented } from "../access.ts";
import type { HttpParts } from "../http-parts.ts";
import { longJson } from "../long-json.ts";
import { STATS } from "../openapi/schemas/topics.ts";
import { topicNamed } from "../topic-lookup.ts";

interface TopicStats {
  readonly topic: string;
  /** Of those that are persisted, the latest, which are read from memory. */
  readonly buffered: number;
  readonly persisted: number;
  readonly bytes: number;
  readonly partitions: number;
}

const EXAMPLE = { topic: "orders", buffered: 120, persisted: 4000, bytes: 312_450, partitions: 3 };

export function statsRoutes(parts: HttpParts): AnyElysia {
  const { broker, clock } = parts;
  return new Elysia().get(
    "/stats",
    async ({ query: { topic } }) => {
      if (topic !== undefined) return statsOf(topicNamed(broker, topic));
      const share = new TurnShare(clock);
      const topics: TopicStats[] = [];
      const sums = { buffered: 0, persisted: 0, bytes: 0, partitions: 0 };
      for (const one of broker.topics.all()) {
        if (share.isUsedUp) await share.rest();
        const stats = statsOf(one);
        topics.push(stats);
        sums.buffered += stats.buffered;
        sums.persisted += stats.persisted;
        sums.bytes += stats.bytes;
        sums.partitions += stats.partitions;
      }
      return await longJson({ ...sums, topics }, clock);
    },
    {
      query: t.Object({ topic: t.Optional(t.String({ description: "Only this topic." })) }),
      ...documented({
        access: ["describe", "topic"],
        tag: "topics",
        summary: "How many messages there are, and how many of them are in memory",
        description: "With `topic` that topic's own; without, the sums and every topic by name.",
        responses: {
          200: {
            description: "Messages that are committed, and those that are read from memory.",
            schema: STATS,
            example: EXAMPLE,
          },
        },
      }),
    },
  );
}

function statsOf({ name, partitions }: Topic): TopicStats {
  const sums = { buffered: 0, persisted: 0, bytes: 0 };
  for (const partition of partitions) {
    sums.buffered += partition.bufferedRecords;
    sums.persisted += partition.highWatermark - partition.startOffset;
    sums.bytes += partition.bytes;
  }
  return { topic: name, ...sums, partitions: partitions.length };
}
