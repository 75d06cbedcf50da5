/** Several requests in a row, as a program sends them: a topic's whole life, and a group's offsets. */

import { createTopicsApi } from "../../../src/protocol/kafka/apis/create-topics.ts";
import { deleteRecordsApi } from "../../../src/protocol/kafka/apis/delete-records.ts";
import { deleteTopicsApi } from "../../../src/protocol/kafka/apis/delete-topics.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { listOffsetsApi } from "../../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import { offsetForLeaderEpochApi } from "../../../src/protocol/kafka/apis/offset-for-leader-epoch.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { ask, type Case, type Memory, type Names, type Step } from "../case.ts";
import { batch, fetchRequest, produceRequest, RECORD_TIME_MS } from "../requests.ts";

/** Every version of every API that a life uses, in some of the lives. */
const LIVES = [3, 4, 5, 6, 7, 8, 9, 10, 11];

export function sequenceCases(names: Names): Case[] {
  return [
    ...LIVES.map((version) => wholeLife(names, version)),
    ...commitCases(names),
    emptyTopic(names),
    ...deletedRecords(names),
    byId(names),
  ];
}

/** Made, written, read, committed, deleted; and all of it again under the same name. */
function wholeLife(names: Names, produceVersion: number): Case {
  const topic = names.topic();
  const group = names.group();
  const round = (which: string): Step[] => [
    ...recorded(which, lifeOf(topic, group, produceVersion)),
    ask(deleteTopicsApi, 5, { topicNames: [topic], timeoutMs: 10_000 }, { note: `${which}: deleted` }),
    { ...looked(topic, `${which}: gone`), complete: { [topic]: false } },
    ask(produceApi, produceVersion, produceRequest(topic, batch(["x"])), {
      note: `${which}: produced when gone`,
    }),
    ask(fetchApi, 11, fetchRequest(topic), { note: `${which}: fetched when gone` }),
    { ...committed(topic, group, `${which}: offsets when gone`), repeatWhile: isCommitted },
  ];
  return { name: `a topic's life, Produce ${produceVersion}`, steps: [...round("first"), ...round("again")] };
}

function lifeOf(topic: string, group: string, version: number): Step[] {
  const order = {
    topics: [
      {
        name: topic,
        numPartitions: 2,
        replicationFactor: 1,
        configs: [{ name: "retention.ms", value: "-1" }],
      },
    ],
    timeoutMs: 10_000,
  };
  const produce = (records: Buffer) =>
    ask(produceApi, version, produceRequest(topic, records), { note: "produced" });
  return [
    ask(createTopicsApi, 4, order, { note: "created" }),
    ask(createTopicsApi, 4, order, { note: "created again", complete: { [topic]: true } }),
    looked(topic, "looked for"),
    ...allTimes(topic),
    epochs(topic),
    produce(batch(["a", "b", "c"])),
    produce(batch(["d"], { codec: "gzip" }, RECORD_TIME_MS + 5000)),
    // Older than what precedes it.
    produce(batch(["e", "f"], {}, RECORD_TIME_MS - 60_000)),
    produce(batch(["g", "h", "i"], { codec: "snappy" }, RECORD_TIME_MS + 10_000)),
    ...allTimes(topic),
    epochs(topic),
    ...fetches(topic),
    commit(topic, group, 5),
    committed(topic, group, "offsets"),
  ];
}

/** The log start moves up, inside a batch and to the end; what is compacted only keeps its records. */
function deletedRecords(names: Names): Case[] {
  const topic = names.topic();
  const compacted = names.topic();
  const deleted = (version: number, name: string, offset: number, partitionIndex = 0) =>
    ask(
      deleteRecordsApi,
      version,
      { topics: [{ name, partitions: [{ partitionIndex, offset }] }], timeoutMs: 10_000 },
      { note: `deleted before ${offset}` },
    );
  const told = (offset: number) => [
    ...allTimes(topic),
    epochs(topic),
    ask(fetchApi, 11, fetchRequest(topic, { fetchOffset: offset }), { note: `fetched from ${offset}` }),
  ];
  const written = [batch(["a", "b", "c"]), batch(["d", "e"]), batch(["f"])].map((records) =>
    ask(produceApi, 9, produceRequest(topic, records)),
  );
  const steps = [
    ...written,
    deleted(0, topic, 0),
    deleted(0, topic, 1),
    ...told(0),
    deleted(1, topic, 4),
    deleted(1, topic, 2),
    ...told(3),
    deleted(2, topic, 7),
    deleted(2, topic, -2),
    deleted(2, topic, 1, 9),
    deleted(2, topic, -1, 1),
    deleted(2, topic, -1),
    ...told(5),
    ask(produceApi, 9, produceRequest(topic, batch(["g"]))),
    ...told(6),
    deleted(2, `${topic}-not`, 1),
    deleted(2, compacted, 1),
    deleted(2, compacted, -1),
  ];
  return [
    {
      name: "records are deleted",
      topics: [
        { name: topic, partitions: 2 },
        { name: compacted, partitions: 1, configs: { "cleanup.policy": "compact" } },
      ],
      steps,
    },
  ];
}

/** Kafka deletes the offsets of a deleted topic some time later. */
function isCommitted(response: unknown): boolean {
  const { topics } = response as { topics: { partitions: { committedOffset: number }[] }[] };
  return topics.some(({ partitions }) => partitions.some(({ committedOffset }) => committedOffset !== -1));
}

function recorded(which: string, steps: readonly Step[]): Step[] {
  return steps.map((step) => ({ ...step, note: `${which}: ${step.note ?? ""}` }));
}

function looked(topic: string, note: string): Step {
  return ask(metadataApi, 9, { topics: [{ name: topic }], allowAutoTopicCreation: false }, { note });
}

function allTimes(topic: string): Step[] {
  const times = [
    -3,
    -2,
    -1,
    0,
    RECORD_TIME_MS - 60_000,
    RECORD_TIME_MS,
    RECORD_TIME_MS + 2000,
    RECORD_TIME_MS + 7000,
    RECORD_TIME_MS + 99_000,
  ];
  return times.map((timestamp) =>
    ask(
      listOffsetsApi,
      7,
      {
        topics: [
          {
            name: topic,
            partitions: [
              { partitionIndex: 0, timestamp },
              { partitionIndex: 1, timestamp },
            ],
          },
        ],
      },
      { note: `offsets at ${timestamp}` },
    ),
  );
}

function epochs(topic: string): Step {
  const partitions = [-1, 0, 1].map((leaderEpoch, partition) => ({
    partition,
    currentLeaderEpoch: -1,
    leaderEpoch,
  }));
  return ask(offsetForLeaderEpochApi, 4, { topics: [{ topic, partitions }] }, { note: "epochs" });
}

function fetches(topic: string): Step[] {
  const steps = [0, 2, 3, 4, 5, 8, 9, 10].map((fetchOffset) =>
    ask(fetchApi, 11, fetchRequest(topic, { fetchOffset }), { note: `fetched from ${fetchOffset}` }),
  );
  const sizes = [1, 90, 150, 250].map((bytes) =>
    ask(fetchApi, 11, fetchRequest(topic, { partitionMaxBytes: bytes }), { note: `fetched ${bytes} bytes` }),
  );
  const both = [
    { partition: 1, fetchOffset: 0, partitionMaxBytes: 1000 },
    { partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 },
  ];
  const more = ask(
    fetchApi,
    11,
    { ...fetchRequest(topic), topics: [{ topic, partitions: both }] },
    { note: "fetched both" },
  );
  return [...steps, ...sizes, more];
}

function commit(topic: string, group: string, committedOffset: number): Step {
  const partitions = [
    { partitionIndex: 0, committedOffset, committedMetadata: "a note" },
    { partitionIndex: 7, committedOffset, committedMetadata: "" },
  ];
  return ask(
    offsetCommitApi,
    8,
    { groupId: group, topics: [{ name: topic, partitions }] },
    { note: "committed" },
  );
}

function committed(topic: string, group: string, note: string): Step {
  return ask(
    offsetFetchApi,
    7,
    { groupId: group, topics: [{ name: topic, partitionIndexes: [0, 1, 7] }] },
    { note },
  );
}

/** Every version commits, and every version reads what was committed. */
function commitCases(names: Names): Case[] {
  const topic = names.topic();
  const group = names.group();
  const value = (version: number, partition: object) => ({
    groupId: group,
    topics: [
      {
        name: topic,
        partitions: [{ partitionIndex: 0, committedOffset: version, committedMetadata: null, ...partition }],
      },
    ],
  });
  const notes = [null, "", "ü", "x".repeat(4096), "x".repeat(4097)];
  const steps = [2, 3, 4, 5, 6, 7, 8].flatMap((version) => [
    ask(offsetCommitApi, version, value(version, version >= 6 ? { committedLeaderEpoch: 3 } : {}), {
      note: `committed by ${version}`,
    }),
    ...[1, 2, 5, 7].map((read) =>
      ask(
        offsetFetchApi,
        read,
        { groupId: group, topics: read >= 2 ? null : [{ name: topic, partitionIndexes: [0, 1] }] },
        { note: `read by ${read}` },
      ),
    ),
    ask(
      offsetFetchApi,
      8,
      {
        groups: [
          { groupId: group, topics: null },
          { groupId: "nobody", topics: null },
        ],
      },
      { note: "read by 8" },
    ),
  ]);
  const withMetadata = notes.flatMap((note, index) => [
    ask(offsetCommitApi, 8, value(index, { committedMetadata: note }), { note: `note ${index}` }),
    ask(offsetFetchApi, 8, { groups: [{ groupId: group, topics: null }] }, { note: `note ${index} read` }),
  ]);
  const members = [
    { memberId: "m" },
    { generationIdOrMemberEpoch: 0 },
    { generationIdOrMemberEpoch: 5, memberId: "m" },
    { generationIdOrMemberEpoch: -2 },
    { groupInstanceId: "static" },
  ].map((more) => ask(offsetCommitApi, 8, { ...value(9, {}), ...more }, { note: JSON.stringify(more) }));
  return [
    {
      name: "commits",
      topics: [{ name: topic, partitions: 2 }],
      steps: [...steps, ...withMetadata, ...members],
    },
  ];
}

function emptyTopic(names: Names): Case {
  const topic = names.topic();
  return {
    name: "an empty topic",
    topics: [{ name: topic, partitions: 2 }],
    steps: [
      ...allTimes(topic),
      epochs(topic),
      ask(fetchApi, 12, fetchRequest(topic)),
      ask(fetchApi, 12, fetchRequest(topic, { fetchOffset: 1 })),
    ],
  };
}

/** Deleted by the id that Metadata told; then the id is known no more. */
function byId(names: Names): Case {
  const topic = names.topic();
  const requested = ({ topicId }: Memory) => ({ topics: [{ topicId: topicId(topic), name: null }] });
  return {
    name: "a topic by its id",
    topics: [{ name: topic, partitions: 1 }],
    steps: [
      ask(metadataApi, 12, requested, { note: "looked for" }),
      ask(deleteTopicsApi, 6, (memory: Memory) => ({ ...requested(memory), timeoutMs: 10_000 }), {
        note: "deleted",
      }),
      ask(metadataApi, 12, requested, { note: "looked for again", complete: { [topic]: false } }),
      ask(deleteTopicsApi, 6, (memory: Memory) => ({ ...requested(memory), timeoutMs: 10_000 }), {
        note: "deleted again",
      }),
    ],
  };
}
