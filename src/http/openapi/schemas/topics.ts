/** Topics, as they are listed and described. */

import { type TSchema, Type } from "@sinclair/typebox";
import { COUNT, nullable, OFFSET, PARTITION } from "./common.ts";

const LISTED_TOPIC: TSchema = Type.Object(
  {
    name: Type.String(),
    id: Type.String(),
    partitions: COUNT,
    unavailablePartitions: COUNT,
    replicas: COUNT,
    bytes: COUNT,
    records: Type.Integer({
      minimum: 0,
      description: "Offsets; after compaction there may be fewer records.",
    }),
    cleanupPolicy: Type.String(),
    isInternal: Type.Boolean(),
  },
  { title: "ListedTopic" },
);

export const TOPICS_PAGE: TSchema = Type.Object(
  {
    topics: Type.Array(LISTED_TOPIC),
    next: Type.Optional(Type.String({ description: "`after` of the next page; left out: there is none." })),
  },
  { title: "TopicsPage" },
);

const DESCRIBED_PARTITION: TSchema = Type.Object(
  {
    partition: PARTITION,
    startOffset: OFFSET,
    highWatermark: Type.Integer({ minimum: 0, description: "Below it everything is committed, and read." }),
    bytes: COUNT,
    leader: Type.Integer(),
    leaderEpoch: Type.Integer(),
    isUnavailable: Type.Boolean(),
  },
  { title: "DescribedPartition" },
);

const TOPIC_SETTING: TSchema = Type.Object(
  {
    name: Type.String(),
    value: Type.String(),
    default: Type.String(),
    source: Type.String({ description: "topic, broker, all-brokers, server or default." }),
    type: Type.String(),
    must: Type.String({ description: "What it must be." }),
    stance: Type.String({ description: "Whether it is obeyed." }),
    documentation: Type.String(),
    isReadOnly: Type.Boolean(),
  },
  { title: "TopicSetting" },
);

export const TOPIC: TSchema = Type.Object(
  {
    name: Type.String(),
    id: Type.String(),
    isInternal: Type.Boolean(),
    partitions: Type.Array(DESCRIBED_PARTITION),
    configs: Type.Array(TOPIC_SETTING),
  },
  { title: "Topic" },
);

export const TRIMMED: TSchema = Type.Object(
  {
    topic: Type.String(),
    partitions: Type.Array(Type.Object({ partition: PARTITION, startOffset: OFFSET })),
  },
  { title: "Trimmed" },
);

const TOPIC_STATS = {
  buffered: Type.Integer({
    minimum: 0,
    description: "Of those that are persisted, the latest, read from memory.",
  }),
  persisted: COUNT,
  bytes: COUNT,
  partitions: COUNT,
};

const STATS_OF_TOPIC: TSchema = Type.Object(
  { topic: Type.String(), ...TOPIC_STATS },
  { title: "TopicStats" },
);

export const STATS: TSchema = Type.Union([
  STATS_OF_TOPIC,
  Type.Object({ ...TOPIC_STATS, topics: Type.Array(STATS_OF_TOPIC) }, { title: "Stats" }),
]);

/** How far a group is behind in a partition, beside where that is. */
export const LAG: TSchema = nullable(COUNT, "Null: not known, which is not 0.");
