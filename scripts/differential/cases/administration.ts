/** More partitions, pages of topics, sizes of partitions, producers, leaders and moves: what administration clients ask. */

import { alterPartitionReassignmentsApi } from "../../../src/protocol/kafka/apis/alter-partition-reassignments.ts";
import { alterReplicaLogDirsApi } from "../../../src/protocol/kafka/apis/alter-replica-log-dirs.ts";
import { createPartitionsApi } from "../../../src/protocol/kafka/apis/create-partitions.ts";
import { describeClusterApi } from "../../../src/protocol/kafka/apis/describe-cluster.ts";
import { describeLogDirsApi } from "../../../src/protocol/kafka/apis/describe-log-dirs.ts";
import { describeProducersApi } from "../../../src/protocol/kafka/apis/describe-producers.ts";
import { describeQuorumApi, METADATA_TOPIC } from "../../../src/protocol/kafka/apis/describe-quorum.ts";
import { describeTopicPartitionsApi } from "../../../src/protocol/kafka/apis/describe-topic-partitions.ts";
import { electLeadersApi } from "../../../src/protocol/kafka/apis/elect-leaders.ts";
import { listPartitionReassignmentsApi } from "../../../src/protocol/kafka/apis/list-partition-reassignments.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { ask, type Case, type Names, type Step } from "../case.ts";
import { batch, produceRequest } from "../requests.ts";

export function administrationCases(names: Names, fixture: string): Case[] {
  return [...growthCases(names), ...pageCases(names, fixture), ...restCases(names, fixture)];
}

function one(name: string, ...steps: Step[]): Case {
  return { name: `administration: ${name}`, steps };
}

function grow(name: string, count: number, assignments: number[][] | null = null) {
  return { name, count, assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null };
}

function growth(topics: object[], more: object = {}, note = "grown"): Step {
  return ask(createPartitionsApi, 3, { topics, timeoutMs: 10_000, validateOnly: false, ...more }, { note });
}

function growthCases(names: Names): Case[] {
  const topic = names.topic();
  const grown: Case = {
    ...one(
      "partitions are added and used",
      growth([grow(topic, 4)], { validateOnly: true }, "validated"),
      growth([grow(topic, 4)]),
      {
        ...ask(metadataApi, 9, { topics: [{ name: topic }], allowAutoTopicCreation: false }),
        repeatWhile: (response) =>
          (response as { topics: { partitions: unknown[] }[] }).topics[0]!.partitions.length < 4,
      },
      {
        ...ask(produceApi, 9, {
          acks: -1,
          timeoutMs: 5000,
          topicData: [{ name: topic, partitionData: [{ index: 3, records: batch(["a"]) }] }],
        }),
      },
      growth([grow(topic, 4)], {}, "again"),
      growth([grow(topic, 3)], {}, "fewer"),
      growth([grow(topic, 5, [[1]])], {}, "assigned"),
    ),
    topics: [{ name: topic, partitions: 2 }],
  };
  const faults: [string, (topic: string, other: string) => object[]][] = [
    ["a topic that is none", (_, other) => [grow(other, 4)]],
    ["a name that is not allowed", () => [grow("a b", 4)]],
    ["no number", (own) => [grow(own, 0)]],
    ["a negative number", (own) => [grow(own, -1)]],
    ["a name twice", (own) => [grow(own, 4), grow(own, 5)]],
    ["one of two wrong", (own, other) => [grow(own, 3), grow(other, 5)]],
    ["too few assignments", (own) => [grow(own, 4, [[1]])]],
    ["too many assignments", (own) => [grow(own, 3, [[1], [1]])]],
    ["no assignments", (own) => [grow(own, 3, [])]],
    ["assigned to nobody", (own) => [grow(own, 3, [[]])]],
    ["assigned to another broker", (own) => [grow(own, 3, [[7]])]],
    ["assigned twice to a broker", (own) => [grow(own, 3, [[1, 1]])]],
    ["no topics", () => []],
  ];
  return [
    grown,
    ...faults.map(([name, topicsOf]) => {
      const own = names.topic();
      const whole = one(`growth: ${name}`, growth(topicsOf(own, names.topic())));
      return { ...whole, topics: [{ name: own, partitions: 2 }] };
    }),
  ];
}

function pageCases(names: Names, fixture: string): Case[] {
  const page = (request: object) => ask(describeTopicPartitionsApi, 0, request);
  const cursor = (topicName: string, partitionIndex: number) => ({ topicName, partitionIndex });
  const requests: [string, (own: string[], topics: { name: string }[]) => object][] = [
    ["all of three", (_, topics) => ({ topics })],
    ["named twice and out of order", (_, topics) => ({ topics: [...topics].reverse().concat(topics) })],
    ["limit 1", (_, topics) => ({ topics, responsePartitionLimit: 1 })],
    ["limit 0", (_, topics) => ({ topics, responsePartitionLimit: 0 })],
    ["limit 4, at the end of a topic", (_, topics) => ({ topics, responsePartitionLimit: 4 })],
    ["limit 3, within one", (_, topics) => ({ topics, responsePartitionLimit: 3 })],
    ["from the second on", (own, topics) => ({ topics, cursor: cursor(own[1]!, 0) })],
    [
      "from a partition on",
      (own, topics) => ({ topics, cursor: cursor(own[1]!, 1), responsePartitionLimit: 2 }),
    ],
    ["from beyond the last partition", (own, topics) => ({ topics, cursor: cursor(own[1]!, 5) })],
    ["with one that is none", (_, topics) => ({ topics: [{ name: names.topic() }, ...topics] })],
    ["with one whose name is not allowed", () => ({ topics: [{ name: "a b" }] })],
    ["from a topic that is not asked for", (_, topics) => ({ topics, cursor: cursor(fixture, 0) })],
    ["from a partition below 0", (own, topics) => ({ topics, cursor: cursor(own[0]!, -1) })],
  ];
  return requests.map(([name, requestOf]) => {
    const own = [names.topic(), names.topic(), names.topic()];
    const request = requestOf(
      own,
      own.map((topic) => ({ name: topic })),
    );
    return {
      ...one(`page: ${name}`, page(request)),
      topics: own.map((topic) => ({ name: topic, partitions: 2 })),
    };
  });
}

function restCases(names: Names, fixture: string): Case[] {
  const elect = (version: number, request: object) =>
    ask(electLeadersApi, version, { timeoutMs: 10_000, ...request });
  const move = (partitions: object[], topic = fixture) =>
    ask(alterPartitionReassignmentsApi, 1, { timeoutMs: 10_000, topics: [{ name: topic, partitions }] });
  const sizes = (topics: object[] | null) => ask(describeLogDirsApi, 4, { topics });
  const producers = (name: string, ...partitionIndexes: number[]) =>
    ask(describeProducersApi, 0, { topics: [{ name, partitionIndexes }] });
  const used = names.topic();
  const records = batch(["a", "b"], { producerId: 4_000_000, producerEpoch: 3, baseSequence: 0 });
  return [
    ...[0, 1, 2, 3].map((endpointType) =>
      one(`cluster: endpoints ${endpointType}`, ask(describeClusterApi, 1, { endpointType })),
    ),
    one("cluster: fenced brokers", ask(describeClusterApi, 2, { includeFencedBrokers: true })),
    one("leaders: some", elect(2, { topicPartitions: [{ topic: fixture, partitions: [0, 9, -1] }] })),
    one(
      "leaders: unclean",
      elect(2, { electionType: 1, topicPartitions: [{ topic: fixture, partitions: [0] }] }),
    ),
    one("leaders: all", elect(2, { topicPartitions: null })),
    one("leaders: none", elect(2, { topicPartitions: [] })),
    one("leaders: of no topic", elect(0, { topicPartitions: [{ topic: names.topic(), partitions: [0] }] })),
    one("leaders: a type that is none", elect(1, { electionType: 5, topicPartitions: null })),
    ...quorumCases(fixture),
    ...directoryCases(fixture),
    one("moves: nothing changes", move([{ partitionIndex: 0, replicas: [1] }])),
    one("moves: to another broker", move([{ partitionIndex: 0, replicas: [9] }])),
    one("moves: to one more", move([{ partitionIndex: 0, replicas: [1, 2] }])),
    one("moves: to nobody", move([{ partitionIndex: 0, replicas: [] }])),
    one("moves: cancelled", move([{ partitionIndex: 0, replicas: null }])),
    one("moves: no partition", move([{ partitionIndex: 9, replicas: [1] }])),
    one("moves: no topic", move([{ partitionIndex: 0, replicas: [1] }], names.topic())),
    one("moves: listed", ask(listPartitionReassignmentsApi, 0, { timeoutMs: 10_000, topics: null })),
    one(
      "moves: listed of no topic",
      ask(listPartitionReassignmentsApi, 0, {
        timeoutMs: 10_000,
        topics: [{ name: names.topic(), partitionIndexes: [0] }],
      }),
    ),
    one(
      "sizes: some",
      sizes([
        { topic: fixture, partitions: [1, 5, 1] },
        { topic: names.topic(), partitions: [0] },
      ]),
    ),
    one("sizes: none", sizes([])),
    {
      ...one(
        "producers and sizes",
        ask(produceApi, 9, produceRequest(used, records)),
        producers(used, 0, 1, 7),
        sizes([{ topic: used, partitions: [0, 1] }]),
      ),
      topics: [{ name: used, partitions: 2 }],
    },
    one("producers: of no topic", producers(names.topic(), 0)),
    one("producers: a name that is not allowed", producers("a b", 0)),
  ];
}

function quorumCases(fixture: string): Case[] {
  const quorum = (...topics: readonly (readonly [string, ...number[]])[]) =>
    ask(describeQuorumApi, 2, {
      topics: topics.map(([topicName, ...indexes]) => ({
        topicName,
        partitions: indexes.map((partitionIndex) => ({ partitionIndex })),
      })),
    });
  return [
    one("quorum: of no topic", quorum()),
    one("quorum: of a topic of ours", quorum([fixture, 0])),
    one("quorum: another partition", quorum([METADATA_TOPIC, 1])),
    one("quorum: twice", quorum([METADATA_TOPIC, 0, 0])),
    one("quorum: and a topic of ours", quorum([METADATA_TOPIC, 0], [fixture, 0])),
  ];
}

function directoryCases(fixture: string): Case[] {
  const move = (path: string, partitions: readonly number[]) =>
    ask(alterReplicaLogDirsApi, 2, { dirs: [{ path, topics: [{ name: fixture, partitions }] }] });
  return [
    one("directories: one that is none", move("/none", [0, 9])),
    one("directories: no absolute path", move("none", [0])),
    one("directories: none", ask(alterReplicaLogDirsApi, 1, { dirs: [] })),
    one("directories: no topics", ask(alterReplicaLogDirsApi, 1, { dirs: [{ path: "/none", topics: [] }] })),
  ];
}
