/** Messages, in and out. */

import { type TSchema, Type } from "@sinclair/typebox";
import { COUNT, nullable, OFFSET, PARTITION, PROBLEM, TIME_MS } from "./common.ts";

const IS_BASE64 = Type.Optional(
  Type.Boolean({ description: "The text beside it is base64 of the bytes, which are no UTF-8." }),
);

export const MESSAGE: TSchema = Type.Object(
  {
    topic: Type.String(),
    partition: PARTITION,
    offset: OFFSET,
    timestamp: Type.Integer({ description: "Milliseconds since 1970; -1: none." }),
    key: nullable(Type.String()),
    keyIsBase64: IS_BASE64,
    value: nullable(Type.String(), "Null: a tombstone."),
    valueIsBase64: IS_BASE64,
    headers: Type.Optional(
      Type.Array(
        Type.Object({
          key: Type.String(),
          keyIsBase64: IS_BASE64,
          value: nullable(Type.String()),
          valueIsBase64: IS_BASE64,
        }),
      ),
    ),
  },
  { title: "Message" },
);

export const MESSAGE_EXAMPLE = {
  topic: "orders",
  partition: 0,
  offset: 120,
  timestamp: 1_796_000_000_000,
  key: "user-1",
  value: '{"amount": 12}',
  headers: [{ key: "trace", value: "4711" }],
};

export const UNREADABLE: TSchema = Type.Object(
  {
    topic: Type.Optional(Type.String()),
    partition: PARTITION,
    firstOffset: OFFSET,
    lastOffset: OFFSET,
    reason: Type.String(),
  },
  { title: "UnreadableBatch", description: "A batch that does not open and was passed over." },
);

export const MESSAGES_PAGE: TSchema = Type.Object(
  {
    messages: Type.Array(MESSAGE),
    next: Type.Record(Type.String(), OFFSET, { description: "Where to go on, by partition." }),
    unreadable: Type.Optional(Type.Array(UNREADABLE)),
  },
  { title: "MessagesPage" },
);

const NEW_HEADERS = Type.Union([
  Type.Array(
    Type.Object({
      key: Type.String(),
      value: nullable(Type.String()),
      keyIsBase64: IS_BASE64,
      valueIsBase64: IS_BASE64,
    }),
  ),
  Type.Record(Type.String(), nullable(Type.String())),
]);

export const NEW_MESSAGE: TSchema = Type.Object(
  {
    value: Type.Unknown({
      description:
        "A string is stored as its UTF-8 bytes, null is a tombstone, and any other JSON is stored as its text, as it was sent.",
    }),
    key: Type.Optional(Type.Unknown({ description: "The same; left out or null: no key." })),
    valueIsBase64: Type.Optional(Type.Boolean({ description: "The value is base64 of the bytes." })),
    keyIsBase64: Type.Optional(Type.Boolean({ description: "The key is base64 of the bytes." })),
    headers: Type.Optional(NEW_HEADERS),
    partition: Type.Optional(
      Type.Integer({ minimum: 0, description: "Default: by the key; without a key any." }),
    ),
    timestamp: Type.Optional(Type.Integer({ description: "Milliseconds since 1970. Default: now." })),
  },
  { title: "NewMessage" },
);

export const NEW_MESSAGES: TSchema = Type.Union([NEW_MESSAGE, Type.Array(NEW_MESSAGE)]);
export const NEW_MESSAGE_EXAMPLE = { key: "user-1", value: { amount: 12 }, headers: { trace: "4711" } };

const STORED: TSchema = Type.Object(
  {
    partition: PARTITION,
    offset: OFFSET,
    timestamp: Type.Optional(TIME_MS),
  },
  {
    title: "StoredMessage",
    description: "Where a message is. With an Idempotency-Key its time is not told.",
  },
);

export const STORED_ONE: TSchema = Type.Object(
  {
    topic: Type.String(),
    partition: PARTITION,
    offset: OFFSET,
    timestamp: Type.Optional(TIME_MS),
  },
  { title: "StoredOne", description: "The answer to one message." },
);

export const STORED_LIST: TSchema = Type.Object(
  { topic: Type.String(), messages: Type.Array(STORED, { description: "In the order of the list." }) },
  { title: "StoredList", description: "The answer to a list." },
);

export const STORED_LINES: TSchema = Type.Object(
  {
    lines: Type.Integer({ minimum: 0, description: "So many lines are committed." }),
    partitions: Type.Optional(
      Type.Array(Type.Object({ partition: PARTITION, offset: OFFSET, count: COUNT }), {
        description: "Where those since the last answer are.",
      }),
    ),
    error: Type.Optional(PROBLEM),
  },
  { title: "StoredLines", description: "A line of the answer to a stream." },
);

export const STORED_EXAMPLE = {
  topic: "orders",
  partition: 0,
  offset: 120,
  timestamp: 1_796_000_000_000,
};

export const POLLED: TSchema = Type.Object(
  {
    member: Type.String({ description: "Give it to the next poll, and to the commit." }),
    leaseMs: Type.Integer({ minimum: 0 }),
    messages: Type.Array(MESSAGE),
    offsets: Type.Array(Type.Object({ topic: Type.String(), partition: PARTITION, offset: OFFSET }), {
      description: "What to commit when the messages are done with.",
    }),
    unreadable: Type.Optional(Type.Array(UNREADABLE)),
  },
  { title: "Polled" },
);
