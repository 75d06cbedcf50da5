/** Requests that somebody sent once, or might: what clients stumbled over, written down one by one. */

import { apiVersionsApi } from "../../../src/protocol/kafka/apis/api-versions.ts";
import { createTopicsApi } from "../../../src/protocol/kafka/apis/create-topics.ts";
import { deleteTopicsApi } from "../../../src/protocol/kafka/apis/delete-topics.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { listOffsetsApi } from "../../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { apiByKey } from "../../../src/protocol/kafka/apis.ts";
import { ask, type Case, encodeFrame, type Memory, type Names, type Step, send } from "../case.ts";
import { batch, fetchRequest, fullRequest, produceRequest, supportedApis } from "../requests.ts";

export function edgeCases(names: Names, fixture: string): Case[] {
  return [
    ...headerCases(names, fixture),
    ...metadataCases(names, fixture),
    ...listOffsetsCases(names, fixture),
    ...fetchCases(names, fixture),
    ...produceCases(names),
    ...topicCases(names),
  ];
}

/** Three stray bytes after Metadata for all topics, as librdkafka sends them; and headers of every kind. */
function headerCases(names: Names, fixture: string): Case[] {
  const librdkafka = Buffer.from("0003000c00000003000772646b61666b610000000000010000", "hex");
  const frames = supportedApis().flatMap(({ api, version }) => {
    if (api.name === "Produce" || api.name === "DeleteTopics" || api.name === "CreateTopics") return [];
    const subjects = { topic: fixture, group: names.group(), newTopic: names.topic() };
    const frame = encodeFrame(api, version, fullRequest({ api, version }, subjects));
    return [one("a null client id", send(api, version, withClientId(frame, null)))];
  });
  const unknown = [
    [-1, 0],
    [999, 0],
    [32767, 32767],
    [3, 99],
    [3, -1],
    [1, 3],
    [18, 99],
    [18, -1],
  ] as const;
  return [
    one("librdkafka's stray bytes", send(metadataApi, 12, librdkafka)),
    ...frames,
    ...unknown.map(([key, version]) => {
      const frame = Buffer.from("0000000000000001ffff0000", "hex");
      frame.writeInt16BE(key, 0);
      frame.writeInt16BE(version, 2);
      const api = apiByKey(key) ?? apiVersionsApi;
      return one(`key ${key} in version ${version}`, send(api, Math.max(version, 0), frame));
    }),
    ...[0, 3, 4, 7].map((length) =>
      one(`a frame of ${length} bytes`, send(apiVersionsApi, 0, Buffer.alloc(length))),
    ),
    ...[-1, 0, 0x7fff_ffff].map((length) => {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(length);
      return one(`a frame's length of ${length}`, send(apiVersionsApi, 0, bytes, { isRaw: true }));
    }),
    ...["", "a", "-", "a-", "with space", "x".repeat(300), "librdkafka/1"].map((name) =>
      one(
        `client software ${JSON.stringify(name.slice(0, 20))}`,
        ask(apiVersionsApi, 3, { clientSoftwareName: name, clientSoftwareVersion: "1" }),
      ),
    ),
  ];
}

function withClientId(frame: Buffer, clientId: null): Buffer {
  const length = frame.readInt16BE(8);
  const id = Buffer.alloc(2);
  id.writeInt16BE(clientId === null ? -1 : 0);
  return Buffer.concat([frame.subarray(0, 8), id, frame.subarray(10 + length)]);
}

/** By id, by name, by both and by neither. */
function metadataCases(names: Names, fixture: string): Case[] {
  const idOf = ({ topicId }: Memory) => topicId(fixture);
  const unknownId = "01234567-89ab-cdef-0123-456789abcdef";
  const asks: readonly (readonly [string, (memory: Memory) => object[]])[] = [
    ["an id and a null name", (memory) => [{ topicId: idOf(memory), name: null }]],
    ["an id and an empty name", (memory) => [{ topicId: idOf(memory), name: "" }]],
    ["an id and another name", (memory) => [{ topicId: idOf(memory), name: "something else" }]],
    ["an id and its own name", (memory) => [{ topicId: idOf(memory), name: fixture }]],
    ["an unknown id", () => [{ topicId: unknownId, name: null }]],
    ["an unknown id and an empty name", () => [{ topicId: unknownId, name: "" }]],
    ["an unknown id and a known name", () => [{ topicId: unknownId, name: fixture }]],
    ["an id and a name, apart", (memory) => [{ topicId: idOf(memory), name: null }, { name: fixture }]],
    ["a duplicate name", () => [{ name: fixture }, { name: fixture }]],
    [
      "a duplicate id",
      (memory) => [
        { topicId: idOf(memory), name: null },
        { topicId: idOf(memory), name: null },
      ],
    ],
    ["neither", () => [{ name: null }]],
    ["an empty name", () => [{ name: "" }]],
  ];
  const flags = [{ includeTopicAuthorizedOperations: true }, { includeClusterAuthorizedOperations: true }];
  return [
    ...[10, 11, 12].flatMap((version) =>
      asks.map(([name, topics]) =>
        one(
          `metadata by id: ${name}`,
          ask(metadataApi, version, (memory: Memory) => ({
            topics: topics(memory),
            allowAutoTopicCreation: false,
          })),
        ),
      ),
    ),
    ...[8, 10].flatMap((version) =>
      flags.map((more) =>
        one(
          "metadata: operations",
          ask(metadataApi, version, { topics: [{ name: fixture }], allowAutoTopicCreation: false, ...more }),
        ),
      ),
    ),
    ...[0, 1, 4, 12].map((version) =>
      one("metadata: all topics", ask(metadataApi, version, { topics: version === 0 ? [] : null })),
    ),
    ...[1, 4, 12].map((version) => one("metadata: no topics", ask(metadataApi, version, { topics: [] }))),
    one(
      "metadata: a name that is not allowed",
      ask(metadataApi, 4, { topics: [{ name: "a/b" }], allowAutoTopicCreation: true }),
    ),
    one(
      "metadata: not there",
      ask(metadataApi, 4, { topics: [{ name: names.topic() }], allowAutoTopicCreation: false }),
    ),
  ];
}

/** Times that are special, negative, extreme; duplicate partitions; the epoch of the first record. */
function listOffsetsCases(names: Names, fixture: string): Case[] {
  const empty = names.topic();
  const timestamps = [-9, -6, -5, -4, -3, -2, -1, 0, 1, 2 ** 53 - 1];
  const requested = (name: string, partitions: object[]) => ({ topics: [{ name, partitions }] });
  const versions = [1, 2, 4, 5, 7, 8];
  return [
    ...versions.flatMap((version) =>
      timestamps.flatMap((timestamp) => [
        one(
          `offsets at ${timestamp}`,
          ask(listOffsetsApi, version, requested(fixture, [{ partitionIndex: 0, timestamp }])),
        ),
        {
          ...one(
            `offsets at ${timestamp}, nothing there`,
            ask(listOffsetsApi, version, requested(empty, [{ partitionIndex: 0, timestamp }])),
          ),
        },
      ]),
    ),
    {
      name: "offsets of an empty topic",
      topics: [{ name: empty, partitions: 1 }],
      steps: [ask(listOffsetsApi, 4, requested(empty, [{ partitionIndex: 0, timestamp: -2 }]))],
    },
    ...versions.map((version) =>
      one(
        "offsets of a duplicate partition",
        ask(
          listOffsetsApi,
          version,
          requested(fixture, [
            { partitionIndex: 0, timestamp: -2 },
            { partitionIndex: 0, timestamp: -1 },
            { partitionIndex: 1, timestamp: -1 },
          ]),
        ),
      ),
    ),
    ...[-1, 0, 1, 7].map((currentLeaderEpoch) =>
      one(
        `offsets with leader epoch ${currentLeaderEpoch}`,
        ask(
          listOffsetsApi,
          5,
          requested(fixture, [{ partitionIndex: 0, timestamp: -1, currentLeaderEpoch }]),
        ),
      ),
    ),
  ];
}

function fetchCases(names: Names, fixture: string): Case[] {
  const offsets = [0, 1, 2, 3, 5, 6, 9, 10, 11, 2 ** 40, -1];
  const sizes = [0, 1, 61, 100, 200, 300, 1000];
  const unknown = names.topic();
  return [
    ...[4, 11, 12].flatMap((version) =>
      offsets.map((fetchOffset) =>
        one(`fetch at ${fetchOffset}`, ask(fetchApi, version, fetchRequest(fixture, { fetchOffset }))),
      ),
    ),
    ...sizes.flatMap((bytes) => [
      one(
        `fetch ${bytes} bytes of a partition`,
        ask(fetchApi, 11, fetchRequest(fixture, { partitionMaxBytes: bytes })),
      ),
      one(`fetch ${bytes} bytes of all`, ask(fetchApi, 11, fetchRequest(fixture, {}, { maxBytes: bytes }))),
    ]),
    ...[0, 1, 1_000_000].map((minBytes) =>
      one(
        `fetch at the end, at least ${minBytes} bytes`,
        ask(fetchApi, 11, fetchRequest(fixture, { fetchOffset: 10 }, { minBytes, maxWaitMs: 100 })),
      ),
    ),
    ...[-1, 0, 1, 5].map((currentLeaderEpoch) =>
      one(
        `fetch with leader epoch ${currentLeaderEpoch}`,
        ask(fetchApi, 11, fetchRequest(fixture, { currentLeaderEpoch })),
      ),
    ),
    one("fetch of an unknown topic", ask(fetchApi, 12, fetchRequest(unknown))),
    one("fetch of nothing", ask(fetchApi, 12, { ...fetchRequest(fixture), topics: [] })),
    ...[
      [0, 0],
      [0, -1],
      [0, 1],
      [5, 0],
      [5, 1],
      [5, -1],
    ].map(([sessionId, sessionEpoch]) =>
      one(
        `fetch in session ${sessionId} of epoch ${sessionEpoch}`,
        ask(fetchApi, 11, fetchRequest(fixture, {}, { sessionId, sessionEpoch })),
      ),
    ),
    ...[0, 1].map((isolationLevel) =>
      one(
        `fetch at isolation level ${isolationLevel}`,
        ask(fetchApi, 11, fetchRequest(fixture, {}, { isolationLevel })),
      ),
    ),
  ];
}

/** What acks and time limits make of a response, and where records may not go. */
function produceCases(names: Names): Case[] {
  const records = batch(["a"]);
  const into = (name: string, make: (topic: string) => object): Case[] =>
    [3, 9, 11].map((version) => {
      const topic = names.topic();
      return {
        name: `produce: ${name}`,
        topics: [{ name: topic, partitions: 1 }],
        steps: [
          ask(produceApi, version, make(topic)),
          ask(fetchApi, 11, fetchRequest(topic, {}, { minBytes: 1, maxWaitMs: 300 }), {
            note: "what was stored",
          }),
        ],
      };
    });
  const partition = (topic: string, index: number) => ({
    ...produceRequest(topic, records),
    topicData: [{ name: topic, partitionData: [{ index, records }] }],
  });
  return [
    ...into("acks 0", (topic) => produceRequest(topic, records, { acks: 0 })),
    ...into("acks 1", (topic) => produceRequest(topic, records, { acks: 1 })),
    ...into("acks 2", (topic) => produceRequest(topic, records, { acks: 2 })),
    ...into("acks 0 with a broken batch", (topic) =>
      produceRequest(topic, records.subarray(0, 70), { acks: 0 }),
    ),
    ...into("a partition that is not there", (topic) => partition(topic, 9)),
    ...into("a negative partition", (topic) => partition(topic, -1)),
    ...into("no time", (topic) => produceRequest(topic, records, { timeoutMs: 0 })),
    ...into("negative time", (topic) => produceRequest(topic, records, { timeoutMs: -1 })),
    ...into("no records", (topic) => produceRequest(topic, Buffer.alloc(0))),
    ...into("two partitions, one not there", (topic) => ({
      ...produceRequest(topic, records),
      topicData: [
        {
          name: topic,
          partitionData: [
            { index: 0, records },
            { index: 4, records },
          ],
        },
      ],
    })),
    ...[3, 9, 11].map((version) =>
      one(
        "produce: a topic that is not there",
        ask(produceApi, version, produceRequest(names.topic(), records)),
      ),
    ),
    ...[3, 9].map((version) =>
      one(
        "produce: acks 0 to a topic that is not there",
        ask(produceApi, version, produceRequest(names.topic(), records, { acks: 0 })),
      ),
    ),
  ];
}

/** Orders for topics that are odd, and deletions by id. */
function topicCases(names: Names): Case[] {
  const assigned = (assignments: [number, number[]][]) => ({
    numPartitions: -1,
    replicationFactor: -1,
    assignments: assignments.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds })),
  });
  const config = (name: string, value: string | null) => ({ configs: [{ name, value }] });
  const orders: readonly (readonly [string, object])[] = [
    ["assigned", assigned([[0, [1]]])],
    [
      "assigned to two partitions",
      assigned([
        [1, [1]],
        [0, [1]],
      ]),
    ],
    [
      "assigned with a gap",
      assigned([
        [0, [1]],
        [2, [1]],
      ]),
    ],
    [
      "assigned more than once",
      assigned([
        [0, [1]],
        [0, [1]],
      ]),
    ],
    ["assigned to another broker", assigned([[0, [2]]])],
    ["assigned to this broker more than once", assigned([[0, [1, 1]]])],
    ["assigned to this and another broker", assigned([[0, [1, 2]]])],
    ["assigned to nobody", assigned([[0, []]])],
    ["assigned, with a number beside", { ...assigned([[0, [1]]]), numPartitions: 1 }],
    ["assigned, with a factor beside", { ...assigned([[0, [1]]]), replicationFactor: 1 }],
    ["no partitions", { numPartitions: 0 }],
    ["partitions -2", { numPartitions: -2 }],
    ["factor 0", { replicationFactor: 0 }],
    ["factor -2", { replicationFactor: -2 }],
    ...["1023", "1024", "0", "-1", "1", "x", "", "2147483647", "2147483648", "1.5", " 5", "5 ", "+5"].map(
      (value) => [`max.message.bytes=${JSON.stringify(value)}`, config("max.message.bytes", value)] as const,
    ),
    ["message.timestamp.type=x", config("message.timestamp.type", "x")],
    ["message.timestamp.type=logappendtime", config("message.timestamp.type", "logappendtime")],
    ["message.timestamp.type=LogAppendTime", config("message.timestamp.type", "LogAppendTime")],
    ["compression.type=producer", config("compression.type", "producer")],
    ["compression.type=x", config("compression.type", "x")],
    ["min.insync.replicas=1", config("min.insync.replicas", "1")],
    ["min.insync.replicas=0", config("min.insync.replicas", "0")],
    ["retention.ms=-1", config("retention.ms", "-1")],
    ["retention.ms=-2", config("retention.ms", "-2")],
    ["retention.ms=1000", config("retention.ms", "1000")],
    ["cleanup.policy=compact", config("cleanup.policy", "compact")],
    ["retention.bytes=-1", config("retention.bytes", "-1")],
    ["cleanup.policy=x", config("cleanup.policy", "x")],
    ["an unknown setting", config("no.such.setting", "1")],
    ["a setting with an empty name", config("", "1")],
    [
      "a duplicate config",
      {
        configs: [
          { name: "max.message.bytes", value: "5000" },
          { name: "max.message.bytes", value: "6000" },
        ],
      },
    ],
  ];
  return [
    ...orders.flatMap(([name, order]) =>
      [4, 7].flatMap((version) =>
        [false, true].map((validateOnly) => {
          const topics = [{ name: names.topic(), numPartitions: 1, replicationFactor: 1, ...order }];
          return one(
            `create${validateOnly ? " (validate only)" : ""}: ${name}`,
            ask(createTopicsApi, version, { topics, timeoutMs: 10_000, validateOnly }),
          );
        }),
      ),
    ),
    ...deletions(names),
    ...namesOfTopics(names),
  ];
}

/** Names that are alike, and those that Kafka keeps for itself. */
function namesOfTopics(names: Names): Case[] {
  const alike = names.topic();
  const made = (name: string) =>
    ask(
      createTopicsApi,
      7,
      { topics: [{ name, numPartitions: 1, replicationFactor: 1 }], timeoutMs: 10_000 },
      { note: JSON.stringify(name) },
    );
  return [
    {
      name: "create: names that are alike",
      steps: [made(`${alike}.a_b`), made(`${alike}_a.b`), made(alike.toUpperCase())],
    },
    one("create: a name of Kafka's own", made("__consumer_offsets")),
    one("create: a name that begins like Kafka's own", made("__something")),
    one(
      "produce: into a topic of Kafka's own",
      ask(produceApi, 9, produceRequest("__transaction_state", batch(["a"]))),
    ),
  ];
}

function deletions(names: Names): Case[] {
  const unknownId = "01234567-89ab-cdef-0123-456789abcdef";
  const kinds: readonly (readonly [string, (topic: string, memory: Memory) => object[]])[] = [
    ["by id", (topic, memory) => [{ name: null, topicId: memory.topicId(topic) }]],
    ["by an unknown id", () => [{ name: null, topicId: unknownId }]],
    ["by id and name", (topic, memory) => [{ name: topic, topicId: memory.topicId(topic) }]],
    ["by neither", () => [{ name: null }]],
    ["by an empty name", () => [{ name: "" }]],
    [
      "by name and by id",
      (topic, memory) => [{ name: topic }, { name: null, topicId: memory.topicId(topic) }],
    ],
    ["by a duplicate name", (topic) => [{ name: topic }, { name: topic }]],
    ["of nothing", () => []],
  ];
  return kinds.map(([name, make]) => {
    const topic = names.topic();
    return {
      name: `delete: ${name}`,
      topics: [{ name: topic, partitions: 1 }],
      steps: [
        ask(deleteTopicsApi, 6, (memory: Memory) => ({ topics: make(topic, memory), timeoutMs: 10_000 })),
      ],
    };
  });
}

function one(name: string, step: Step): Case {
  return { name, steps: [step] };
}
