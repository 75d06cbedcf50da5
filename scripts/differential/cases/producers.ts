/**
 * Idempotent producers: sequences from an id that the partition knows, has never seen, or knew before its topic was deleted
 * and made again; duplicates, gaps, epochs, and the wrap of the sequence at 2^31 - 1.
 */

import { createTopicsApi } from "../../../src/protocol/kafka/apis/create-topics.ts";
import { deleteTopicsApi } from "../../../src/protocol/kafka/apis/delete-topics.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { initProducerIdApi } from "../../../src/protocol/kafka/apis/init-producer-id.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { ask, type Case, type Memory, type Names, type Step } from "../case.ts";
import { batch, fetchRequest, produceRequest } from "../requests.ts";

const PRODUCE_VERSION = 9;
const SEQUENCE_MAX = 2 ** 31 - 1;
/** An id that neither server hands out in a run. */
const UNKNOWN_PRODUCER = 900_000_000;

interface Sent {
  readonly sequence: number;
  readonly count?: number;
  readonly epoch?: number;
  /** Left out: the id that the first step requested. */
  readonly producerId?: number;
}

/** Each line is a case: what is sent to the partition, one after the other. */
const SEQUENCES: readonly (readonly [name: string, sent: readonly Sent[]])[] = [
  ["in order", [{ sequence: 0 }, { sequence: 1 }, { sequence: 2 }]],
  ["several records", [{ sequence: 0, count: 3 }, { sequence: 3, count: 2 }, { sequence: 5 }]],
  ["the last one again", [{ sequence: 0 }, { sequence: 1 }, { sequence: 1 }, { sequence: 2 }]],
  ["the first one again", [{ sequence: 0 }, { sequence: 1 }, { sequence: 2 }, { sequence: 0 }]],
  ["again after five others", [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 6].map((sequence) => ({ sequence }))],
  [
    "half of one again",
    [
      { sequence: 0, count: 4 },
      { sequence: 2, count: 2 },
    ],
  ],
  [
    "one again and more",
    [
      { sequence: 0, count: 2 },
      { sequence: 0, count: 3 },
    ],
  ],
  [
    "again with fewer",
    [
      { sequence: 0, count: 3 },
      { sequence: 0, count: 2 },
    ],
  ],
  ["a gap", [{ sequence: 0 }, { sequence: 2 }, { sequence: 1 }]],
  ["first sequence 5", [{ sequence: 5 }, { sequence: 6 }, { sequence: 5 }, { sequence: 4 }]],
  [
    "an unknown producer at 0",
    [
      { sequence: 0, producerId: UNKNOWN_PRODUCER },
      { sequence: 1, producerId: UNKNOWN_PRODUCER },
    ],
  ],
  [
    "an unknown producer at 7",
    [
      { sequence: 7, producerId: UNKNOWN_PRODUCER },
      { sequence: 8, producerId: UNKNOWN_PRODUCER },
    ],
  ],
  [
    "an unknown producer with epoch 3 at 7",
    [
      { sequence: 7, producerId: UNKNOWN_PRODUCER, epoch: 3 },
      { sequence: 8, producerId: UNKNOWN_PRODUCER, epoch: 3 },
    ],
  ],
  [
    "a newer epoch at 0",
    [{ sequence: 0 }, { sequence: 1 }, { sequence: 0, epoch: 1 }, { sequence: 1, epoch: 1 }],
  ],
  ["a newer epoch at 5", [{ sequence: 0 }, { sequence: 5, epoch: 1 }, { sequence: 0, epoch: 1 }]],
  ["an epoch skipped", [{ sequence: 0 }, { sequence: 0, epoch: 9 }]],
  [
    "an older epoch",
    [
      { sequence: 0, epoch: 2 },
      { sequence: 1, epoch: 1 },
      { sequence: 0, epoch: 0 },
      { sequence: 1, epoch: 2 },
    ],
  ],
  ["an older epoch's duplicate", [{ sequence: 0 }, { sequence: 0, epoch: 1 }, { sequence: 0 }]],
  [
    "a newer epoch, then its duplicate",
    [{ sequence: 0 }, { sequence: 0, epoch: 1 }, { sequence: 0, epoch: 1 }],
  ],
  ["the last sequence, then 0", [{ sequence: SEQUENCE_MAX }, { sequence: 0 }, { sequence: 1 }]],
  [
    "a batch over the wrap",
    [{ sequence: SEQUENCE_MAX - 1, count: 4 }, { sequence: 2 }, { sequence: SEQUENCE_MAX - 1, count: 4 }],
  ],
  [
    "a batch up to the wrap",
    [{ sequence: SEQUENCE_MAX - 1, count: 2 }, { sequence: 0 }, { sequence: SEQUENCE_MAX }],
  ],
  ["a gap over the wrap", [{ sequence: SEQUENCE_MAX }, { sequence: 1 }]],
];

export function producerCases(names: Names): Case[] {
  return [
    ...SEQUENCES.map(([name, sent]) => sequenceCase(names, name, sent)),
    deletedTopic(names, "at its next sequence", [2, 3]),
    deletedTopic(names, "at 0", [0, 1]),
    twoPartitions(names),
    duplicateStamp(names),
  ];
}

function sequenceCase(names: Names, name: string, sent: readonly Sent[]): Case {
  const topic = names.topic();
  return {
    name: `producers: ${name}`,
    topics: [{ name: topic, partitions: 1 }],
    steps: [takeId(), ...sent.map((one) => produced(topic, one)), stored(topic)],
  };
}

/** The partition's state of the producer was deleted with the topic. */
function deletedTopic(names: Names, name: string, sequences: readonly number[]): Case {
  const topic = names.topic();
  const created = {
    topics: [{ name: topic, numPartitions: 1, replicationFactor: 1, configs: KEEP }],
    timeoutMs: 10_000,
  };
  return {
    name: `producers: topic deleted and made again, ${name}`,
    topics: [{ name: topic, partitions: 1 }],
    steps: [
      takeId(),
      produced(topic, { sequence: 0 }),
      produced(topic, { sequence: 1 }),
      ask(deleteTopicsApi, 5, { topicNames: [topic], timeoutMs: 10_000 }, { note: "deleted" }),
      ask(createTopicsApi, 4, created, { note: "created again", complete: { [topic]: false } }),
      ...sequences.map((sequence, index) => ({
        ...produced(topic, { sequence }),
        ...(index === 0 ? { complete: { [topic]: true } } : {}),
      })),
      stored(topic),
    ],
  };
}

const KEEP = [{ name: "retention.ms", value: "-1" }];

/** A duplicate where the server sets the time. */
function duplicateStamp(names: Names): Case {
  const topic = names.topic();
  const configs = { "message.timestamp.type": "LogAppendTime" };
  return {
    name: "producers: again where the server sets the time",
    topics: [{ name: topic, partitions: 1, configs }],
    steps: [takeId(), produced(topic, { sequence: 0 }), produced(topic, { sequence: 0 }), stored(topic)],
  };
}

/** Sequences are counted for each partition by itself. */
function twoPartitions(names: Names): Case {
  const topic = names.topic();
  return {
    name: "producers: two partitions",
    topics: [{ name: topic, partitions: 2 }],
    steps: [
      takeId(),
      ...[0, 1, 1, 0].map((index, round) =>
        ask(produceApi, PRODUCE_VERSION, (memory: Memory) => {
          const records = batchOf(memory, { sequence: Math.floor(round / 2) });
          return {
            ...produceRequest(topic, null),
            topicData: [{ name: topic, partitionData: [{ index, records }] }],
          };
        }),
      ),
    ],
  };
}

function takeId(): Step {
  return ask(initProducerIdApi, 4, { transactionTimeoutMs: 60_000 }, { note: "an id" });
}

function produced(topic: string, sent: Sent): Step {
  const { sequence, epoch = 0, count = 1 } = sent;
  const note = `sequence ${sequence}, ${count} records, epoch ${epoch}`;
  return ask(produceApi, PRODUCE_VERSION, (memory: Memory) => produceRequest(topic, batchOf(memory, sent)), {
    note,
  });
}

function batchOf(memory: Memory, { sequence, epoch = 0, count = 1, producerId }: Sent): Buffer {
  const own = (memory.responses[0] as { producerId: number }).producerId;
  return batch(
    Array.from({ length: count }, (_, index) => `${sequence}+${index}`),
    { producerId: producerId ?? own, producerEpoch: epoch, baseSequence: sequence },
  );
}

function stored(topic: string): Step {
  return ask(fetchApi, 12, fetchRequest(topic), { note: "what was stored" });
}
