/**
 * Messages of a topic.
 *
 *   POST /topics/{topic}/messages                                one, a list, or a stream; answered when they are committed (produce/)
 *   GET  /topics/{topic}/messages                                from a place on, or backwards; JSON or NDJSON, with long poll (read/)
 *                                                                as server-sent events a live tail (live/event-stream.ts)
 *   GET  /topics/{topic}/partitions/{partition}/messages/{offset}   one
 */

import { Type } from "@sinclair/typebox";
import { type AnyElysia, Elysia, t } from "elysia";
import { ObeliskError } from "../../base/errors.ts";
import { recordJson } from "../../protocol/record/record-json.ts";
import { documented } from "../access.ts";
import type { HttpParts } from "../http-parts.ts";
import { acceptsEvents, openEventStream } from "../live/event-stream.ts";
import {
  MESSAGE,
  MESSAGE_EXAMPLE,
  MESSAGES_PAGE,
  NEW_MESSAGE,
  NEW_MESSAGE_EXAMPLE,
  NEW_MESSAGES,
  STORED_EXAMPLE,
  STORED_LINES,
  STORED_LIST,
  STORED_ONE,
} from "../openapi/schemas/messages.ts";
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
        description:
          "One message, a list, which is stored whole or not at all, or a stream with a message on each line, which is stored while it " +
          "comes. A topic that does not exist is created, unless the server is set otherwise.",
        headers: {
          "idempotency-key":
            "Up to 255 characters. A request that is sent again with the same key is stored once.",
        },
        bodies: {
          "application/json": { schema: NEW_MESSAGES, example: NEW_MESSAGE_EXAMPLE },
          "application/x-ndjson": { schema: NEW_MESSAGE, example: NEW_MESSAGE_EXAMPLE },
        },
        responses: {
          200: {
            description: "Where they are, once they are committed. Of a stream a line for each piece of it.",
            schema: Type.Union([STORED_ONE, STORED_LIST]),
            example: STORED_EXAMPLE,
            also: {
              "application/x-ndjson": {
                schema: STORED_LINES,
                example: { lines: 2, partitions: [{ partition: 0, offset: 120, count: 2 }] },
              },
            },
          },
        },
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
          description:
            "As JSON a page; as application/x-ndjson a stream with a message on each line, to the end of the log or, with `wait`, beyond; as " +
            "text/event-stream a live tail, which begins at the end unless told otherwise.",
          headers: {
            "last-event-id":
              "Of a live tail: the id of the last event that was received; it goes on after that.",
          },
          responses: {
            200: {
              description: "Messages, and where to go on in each partition.",
              schema: MESSAGES_PAGE,
              example: { messages: [MESSAGE_EXAMPLE], next: { "0": 121 } },
              also: {
                "application/x-ndjson": { schema: MESSAGE, example: MESSAGE_EXAMPLE },
                "text/event-stream": {
                  schema: { type: "string" },
                  example: `event: message\nid: 5f3a9c01/0:121\ndata: ${JSON.stringify(MESSAGE_EXAMPLE)}\n\n`,
                },
              },
            },
          },
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
          responses: { 200: { description: "The message.", schema: MESSAGE, example: MESSAGE_EXAMPLE } },
        }),
      },
    );
}
