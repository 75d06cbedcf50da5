/** What several answers are made of. A schema with a title becomes one of the document's components. */

import { type TNull, type TObject, type TSchema, type TUnion, Type } from "@sinclair/typebox";

/** A value, or null where it is not known. */
export function nullable<Schema extends TSchema>(
  schema: Schema,
  description?: string,
): TUnion<[Schema, TNull]> {
  return Type.Union([schema, Type.Null()], description === undefined ? {} : { description });
}

export const COUNT = Type.Integer({ minimum: 0 });
/** Milliseconds since 1970. */
export const TIME_MS = Type.Integer({ description: "Milliseconds since 1970." });
export const PARTITION = Type.Integer({ minimum: 0 });
export const OFFSET = Type.Integer({ minimum: 0 });

export const PLACE: TObject = Type.Object(
  { topic: Type.String(), partition: PARTITION },
  { title: "TopicPartition" },
);

export const PLACED_OFFSET: TObject = Type.Object(
  { topic: Type.String(), partition: PARTITION, offset: OFFSET },
  { title: "PartitionOffset" },
);

export const PROBLEM: TObject = Type.Object(
  {
    type: Type.String({ description: "urn:obelisk:error: and the code." }),
    title: Type.String({ description: "The code in words." }),
    status: Type.Integer({ description: "The HTTP status." }),
    detail: Type.String({ description: "Cause and remedy in one line." }),
    code: Type.String({ description: "The error's name, which stays." }),
    isRetriable: Type.Boolean({ description: "Whether the same request may succeed later." }),
    topic: Type.Optional(Type.String()),
    partition: Type.Optional(Type.Integer()),
    offset: Type.Optional(Type.Integer()),
    position: Type.Optional(
      Type.Integer({ description: "Of the fault in the body or the filter, in bytes." }),
    ),
    limit: Type.Optional(Type.Number({ description: "Which was exceeded." })),
  },
  { title: "Problem", description: "An RFC 9457 problem document." },
);

export const PROBLEM_EXAMPLE = {
  type: "urn:obelisk:error:UNKNOWN_TOPIC_OR_PARTITION",
  title: "there is no such topic or partition",
  status: 404,
  detail: "there is no such topic or partition (topic orders)",
  code: "UNKNOWN_TOPIC_OR_PARTITION",
  isRetriable: true,
  topic: "orders",
};
