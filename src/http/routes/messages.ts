/**
 * Messages of a topic.
 *
 *   POST /topics/{topic}/messages                                one, a list, or a stream; answered when they are committed (produce/)
 *   GET  /topics/{topic}/messages                                from a place on, or backwards; JSON or NDJSON, with long poll (read/)
 *                                                                as server-sent events a live tail (live/event-stream.ts)
 *   GET  /topics/{topic}/partitions/{partition}/messages/{offset}   one
 */

import { type AnyElysia, Elysia, t } from "elysia";
import { ObeliskError } from "../../base/errors.ts";
import { recordJson } from "../../protocol/record/record-json.ts";
import { documented } from "../access.ts";
import type { HttpParts } from "../http-parts.ts";
import { acceptsEvents, openEventStream } from "../live/event-stream.ts";
import { HttpProducer } from "../produce/producer.ts";
import { readMessages } from "../read/messages-read.ts";
import { READ_QUERY } from "../read/read-query.ts";
import { RecordReader } from "../read/record-read.ts";
import { partitionIn, topicNamed } from "../topic-lookup.ts";

export function messagesRoutes(parts: HttpParts): AnyElysia {
  const { broker, clock } = parts;
  const producer = new HttpProducer(parts);
  return new Elysia()
    .post("/topics/:topic/messages", ({ request, params }) => producer.produce(request, params.topic), {
      parse: "none",
      ...documented({
        access: ["write", "topic"],
        tag: "messages",
        summary: "Store messages",
        responses: { 200: { description: "Where they are, once they are committed." } },
      }),
    })
    .get(
      "/topics/:topic/messages",
      ({ request, params, query }) => {
        const topic = topicNamed(broker, params.topic);
        if (acceptsEvents(request)) return openEventStream(parts, request, topic, query);
        return readMessages(parts, request, topic, query);
      },
      {
        query: READ_QUERY,
        ...documented({
          access: ["read", "topic"],
          tag: "messages",
          summary: "Read messages",
          responses: { 200: { description: "Messages, and where to go on in each partition." } },
        }),
      },
    )
    .get(
      "/topics/:topic/partitions/:partition/messages/:offset",
      async ({ params: { topic, partition, offset } }) => {
        const reader = new RecordReader(partitionIn(topicNamed(broker, topic), partition), offset, clock);
        const found = reader.isBehind ? await reader.read({ records: 1, bytes: 1 }) : [];
        if (found[0]?.offset === offset) return recordJson(found[0]);
        const [unreadable] = reader.unreadable;
        if (unreadable !== undefined && unreadable.firstOffset <= offset)
          throw new ObeliskError("GARBLED_RECORDS", { detail: unreadable.reason, topic, partition, offset });
        throw new ObeliskError("OFFSET_OUT_OF_RANGE", {
          detail: "there is no message at this offset",
          topic,
          partition,
          offset,
        });
      },
      {
        params: t.Object({
          topic: t.String(),
          partition: t.Integer({ minimum: 0 }),
          offset: t.Integer({ minimum: 0 }),
        }),
        ...documented({
          access: ["read", "topic"],
          tag: "messages",
          summary: "Read one message",
          responses: { 200: { description: "The message." } },
        }),
      },
    );
}
