/** Small requests whose answers would be large: one name, one group, one partition, over and over. */

import { findCoordinatorApi } from "../../../../src/protocol/kafka/apis/find-coordinator.ts";
import { listOffsetsApi } from "../../../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../../../src/protocol/kafka/apis/metadata.ts";
import { offsetFetchApi } from "../../../../src/protocol/kafka/apis/offset-fetch.ts";
import { produceApi } from "../../../../src/protocol/kafka/apis/produce.ts";
import { batchOf } from "../../../support/batches.ts";
import type { Attack, Stage } from "../support/attack.ts";
import { commitFrame } from "../support/commits.ts";
import { createFrame, frame, int16, int32, int64, repeatedFrame, text } from "../support/frames.ts";
import type { Heard } from "../support/peer.ts";

const WIDE = "wide";
const GROUP = "a-group";
/** Fewer than the limit of one request, with what stands around them. */
const ELEMENTS = 130_000;

async function prepareWide(stage: Stage, partitions: number): Promise<void> {
  const peer = await stage.kafka();
  await peer.ask(createFrame(WIDE, partitions), 60_000);
  peer.close();
}

/** Sends one request and says what became of it. */
async function askOnce(stage: Stage, request: Buffer): Promise<Heard> {
  const peer = await stage.kafka();
  stage.facts["requestBytes"] = request.length;
  const startedAt = performance.now();
  const heard = await peer.ask(request, stage.answerMsMax);
  stage.facts["outcome"] = heard.kind;
  stage.facts["answerMs"] = Math.round(performance.now() - startedAt);
  if (heard.kind === "answer") stage.facts["answerBytes"] = heard.bytes;
  // Not hearing anything is the one outcome that no refusal explains.
  stage.expect(heard.kind !== "silence", "the request had no answer");
  return heard;
}

function repeatedMetadata(name: string, count: number): Attack {
  return {
    name,
    what: `Metadata that names a topic of 7,000 partitions ${count} times`,
    isOneRequest: true,
    prepare: (stage) => prepareWide(stage, stage.load === "suite" ? 2000 : 7000),
    run: async (stage) => {
      const topics = Array.from({ length: count }, () => ({ name: WIDE }));
      const heard = await askOnce(stage, frame(metadataApi, 4, { topics, allowAutoTopicCreation: false }));
      if (heard.kind !== "answer" || heard.body === null) return;
      const answer = metadataApi.decodeResponse(4, heard.body, 0, heard.body.length);
      stage.facts["topics"] = answer.topics.length;
      stage.expect(answer.topics.length === 1, `the topic is told ${answer.topics.length} times`);
    },
  };
}

const metadataIds: Attack = {
  name: "metadata-ids",
  what: "Metadata that names the id of a topic of 7,000 partitions 3,000 times",
  isOneRequest: true,
  prepare: (stage) => prepareWide(stage, stage.load === "suite" ? 2000 : 7000),
  run: async (stage) => {
    const peer = await stage.kafka();
    const byName = frame(metadataApi, 12, { topics: [{ name: WIDE }], allowAutoTopicCreation: false });
    const named = await peer.ask(byName, stage.answerMsMax);
    if (named.kind !== "answer") return stage.expect(false, `a question by name met ${named.kind}`);
    const { topicId } = metadataApi.decodeResponse(12, named.body!, 0, named.bytes).topics[0]!;
    const topics = Array.from({ length: 3000 }, () => ({ name: null, topicId }));
    const heard = await askOnce(stage, frame(metadataApi, 12, { topics, allowAutoTopicCreation: false }));
    stage.expect(
      heard.kind === "answer" && heard.bytes <= named.bytes,
      `the topic is told more than once: ${stage.facts["answerBytes"]} bytes`,
    );
  },
};

const offsetFetch: Attack = {
  name: "offset-fetch-repeated",
  what: "OffsetFetch that names one group of 9,000 offsets with notes 300 times",
  isOneRequest: true,
  prepare: async (stage) => {
    const partitions = stage.size({ full: 9000, quick: 9000, suite: 2000 });
    await prepareWide(stage, partitions);
    const peer = await stage.kafka();
    for (let from = 0; from < partitions; from += 1000) {
      await peer.ask(commitFrame(GROUP, WIDE, from, 1000, "n".repeat(1000)), 60_000);
    }
    peer.close();
  },
  run: async (stage) => {
    const groups = Array.from({ length: 300 }, () => ({ groupId: GROUP, topics: null }));
    await askOnce(stage, frame(offsetFetchApi, 8, { groups, requireStable: false }));
  },
};

const listOffsets: Attack = {
  name: "list-offsets-many",
  what: "ListOffsets by time in 7,000 partitions of one topic, and 13,000 that are not there",
  isOneRequest: true,
  prepare: async (stage) => {
    const partitions = stage.size({ full: 7000, quick: 7000, suite: 1000 });
    await prepareWide(stage, partitions);
    const values = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(600, "t"));
    const records = batchOf(values);
    const peer = await stage.kafka();
    for (let from = 0; from < partitions; from += 1000) {
      const partitionData = Array.from({ length: 1000 }, (_, index) => ({ index: from + index, records }));
      const topicData = [{ name: WIDE, partitionData }];
      const request = { transactionalId: null, acks: 1, timeoutMs: 60_000, topicData };
      await peer.ask(frame(produceApi, 9, request), 60_000);
    }
    peer.close();
  },
  run: async (stage) => {
    const count = stage.size({ full: 20_000, quick: 20_000, suite: 3000 });
    const partitions = Array.from({ length: count }, (_, index) => ({
      partitionIndex: index,
      timestamp: 1050,
    }));
    await askOnce(stage, frame(listOffsetsApi, 4, { topics: [{ name: WIDE, partitions }] }));
  },
};

/** As many entries as one request may have, and far more. */
function entries(stage: Stage, isMany: boolean): number {
  if (isMany) return stage.size({ full: 1_900_000, quick: 1_900_000, suite: 300_000 });
  return stage.size({ full: ELEMENTS, quick: ELEMENTS, suite: ELEMENTS / 5 });
}

const NO_BYTES = Buffer.alloc(0);

interface Repeated {
  readonly name: string;
  readonly what: string;
  readonly key: number;
  readonly version: number;
  readonly before?: Uint8Array;
  readonly entry: Uint8Array;
  readonly after?: Uint8Array;
  /** Where in the entry seven digits count up: each is different. */
  readonly digitsAt?: number;
}

/** One entry over and over: millions of times, and as often as a request may have it. */
function repeated({
  name,
  what,
  key,
  version,
  before,
  entry,
  after = NO_BYTES,
  digitsAt,
}: Repeated): Attack[] {
  return [true, false].map((isMany) => ({
    name: isMany ? name : `${name}-within`,
    what: `${what}, ${isMany ? "1.9 million" : "130,000"} times`,
    isOneRequest: true,
    prepare: (stage) => prepareWide(stage, 1),
    run: async (stage) => {
      const count = entries(stage, isMany);
      const request = repeatedFrame(key, version, { before: before ?? NO_BYTES, entry, count, after });
      const first = request.length - after.length - count * entry.length;
      for (let n = 0; digitsAt !== undefined && n < count; n += 1) {
        request.write(`${n}`.padStart(7, "0"), first + n * entry.length + digitsAt);
      }
      const heard = await askOnce(stage, request);
      if (isMany) stage.expect(heard.kind === "cut", "a request of so many elements was not refused");
    },
  }));
}

const ONE_RECORD = batchOf(["r"]);
const newTopic = (name: string) => Buffer.concat([text(name), int32(1), int16(1), int32(0), int32(0)]);
const createEnd = Buffer.concat([int32(60_000), Buffer.from([0])]);
const produceStart = Buffer.concat([int16(-1), int16(-1), int32(30_000), int32(1), text(WIDE)]);
const commitStart = Buffer.concat([text(GROUP), int32(-1), text(""), int64(-1), int32(1), text(WIDE)]);
const fetchStart = Buffer.concat([
  int32(-1),
  int32(100),
  int32(1),
  int32(1 << 20),
  Buffer.from([0]),
  int32(1),
  text(WIDE),
]);

const repetitions: readonly Repeated[] = [
  {
    name: "create-topics",
    what: "CreateTopics of one name",
    key: 19,
    version: 2,
    entry: newTopic("again"),
    after: createEnd,
  },
  {
    name: "create-topics-apart",
    what: "CreateTopics of different names",
    key: 19,
    version: 2,
    entry: newTopic("n0000000"),
    after: createEnd,
    digitsAt: 3,
  },
  {
    name: "create-topics-assignments",
    what: "CreateTopics of one topic with an assignment",
    key: 19,
    version: 2,
    before: Buffer.concat([int32(1), text("assigned"), int32(-1), int16(-1)]),
    entry: Buffer.concat([int32(0), int32(0)]),
    after: Buffer.concat([int32(0), createEnd]),
  },
  {
    name: "delete-topics",
    what: "DeleteTopics of one name",
    key: 20,
    version: 3,
    entry: text("not-there"),
    after: int32(60_000),
  },
  {
    name: "produce-empty",
    what: "Produce to one partition without records",
    key: 0,
    version: 8,
    before: produceStart,
    entry: Buffer.concat([int32(0), int32(-1)]),
  },
  {
    name: "produce-small",
    what: "Produce of one record to one partition",
    key: 0,
    version: 8,
    before: produceStart,
    entry: Buffer.concat([int32(0), int32(ONE_RECORD.length), ONE_RECORD]),
  },
  {
    name: "fetch-repeated",
    what: "Fetch of one partition",
    key: 1,
    version: 4,
    before: fetchStart,
    entry: Buffer.concat([int32(0), int64(0), int32(1 << 20)]),
  },
  {
    name: "offset-commit-repeated",
    what: "OffsetCommit of one partition",
    key: 8,
    version: 2,
    before: commitStart,
    entry: Buffer.concat([int32(0), int64(1), int16(-1)]),
  },
  {
    name: "leader-epoch-repeated",
    what: "OffsetForLeaderEpoch of one partition",
    key: 23,
    version: 2,
    before: Buffer.concat([int32(1), text(WIDE)]),
    entry: Buffer.concat([int32(0), int32(-1), int32(0)]),
  },
  {
    name: "metadata-names",
    what: "Metadata of different names",
    key: 3,
    version: 4,
    entry: text("n0000000"),
    after: Buffer.from([0]),
    digitsAt: 3,
  },
];

const coordinators: Attack = {
  name: "find-coordinator-within",
  what: "FindCoordinator that names one group 130,000 times",
  isOneRequest: true,
  run: async (stage) => {
    const coordinatorKeys = Array.from({ length: entries(stage, false) }, () => GROUP);
    await askOnce(stage, frame(findCoordinatorApi, 4, { keyType: 0, coordinatorKeys }));
  },
};

const metadataUnread: Attack = {
  name: "metadata-unread",
  what: "200 connections that send Metadata for a topic of 7,000 partitions 200 times and do not read",
  prepare: (stage) => prepareWide(stage, stage.size({ full: 7000, quick: 7000, suite: 3000 })),
  run: async (stage) => {
    const count = stage.size({ full: 200, quick: 200, suite: 100 });
    const question = frame(metadataApi, 4, { topics: [{ name: WIDE }], allowAutoTopicCreation: false });
    const peers = await stage.many(count, () => stage.kafka({ isReading: false }));
    for (const peer of peers) peer.send(Buffer.alloc(200 * question.length, question));
    await stage.wait(stage.size({ full: 20, quick: 8, suite: 2 }));
  },
};

export const repetition: readonly Attack[] = [
  repeatedMetadata("metadata-3000", 3000),
  repeatedMetadata("metadata-15000", 15_000),
  metadataIds,
  offsetFetch,
  listOffsets,
  ...repetitions.flatMap(repeated),
  coordinators,
  metadataUnread,
];
