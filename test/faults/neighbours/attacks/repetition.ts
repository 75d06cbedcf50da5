/** Small requests whose responses would be large: one name, one group, one partition, over and over. */

import { listOffsetsApi } from "../../../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../../../src/protocol/kafka/apis/metadata.ts";
import { offsetFetchApi } from "../../../../src/protocol/kafka/apis/offset-fetch.ts";
import { produceApi } from "../../../../src/protocol/kafka/apis/produce.ts";
import { batchOf } from "../../../support/batches.ts";
import type { Attack } from "../support/attack.ts";
import { commitFrame } from "../support/commits.ts";
import { frame } from "../support/frames.ts";
import { GROUP, prepareWide, requestOnce, WIDE } from "../support/wide.ts";

function repeatedMetadata(name: string, count: number): Attack {
  return {
    name,
    what: `Metadata that names a topic of 7,000 partitions ${count} times`,
    isOneRequest: true,
    prepare: (stage) => prepareWide(stage, stage.load === "suite" ? 2000 : 7000),
    run: async (stage) => {
      const topics = Array.from({ length: count }, () => ({ name: WIDE }));
      const heard = await requestOnce(
        stage,
        frame(metadataApi, 4, { topics, allowAutoTopicCreation: false }),
      );
      if (heard.kind !== "response" || heard.body === null) return;
      const response = metadataApi.decodeResponse(4, heard.body, 0, heard.body.length);
      stage.facts["topics"] = response.topics.length;
      stage.expect(response.topics.length === 1, `the topic is listed ${response.topics.length} times`);
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
    const named = await peer.request(byName, stage.responseMsMax);
    if (named.kind !== "response") return stage.expect(false, `a request by name met ${named.kind}`);
    const { topicId } = metadataApi.decodeResponse(12, named.body!, 0, named.bytes).topics[0]!;
    const topics = Array.from({ length: 3000 }, () => ({ name: null, topicId }));
    const heard = await requestOnce(stage, frame(metadataApi, 12, { topics, allowAutoTopicCreation: false }));
    stage.expect(
      heard.kind === "response" && heard.bytes <= named.bytes,
      `the topic is listed more than once: ${stage.facts["responseBytes"]} bytes`,
    );
  },
};

const offsetFetch: Attack = {
  name: "offset-fetch-repeated",
  what: "OffsetFetch that names one group of 9,000 offsets with metadata 300 times",
  isOneRequest: true,
  prepare: async (stage) => {
    const partitions = stage.size({ full: 9000, quick: 9000, suite: 2000 });
    await prepareWide(stage, partitions);
    const peer = await stage.kafka();
    for (let from = 0; from < partitions; from += 1000) {
      await peer.request(commitFrame(GROUP, WIDE, from, 1000, "n".repeat(1000)), 60_000);
    }
    peer.close();
  },
  run: async (stage) => {
    const groups = Array.from({ length: 300 }, () => ({ groupId: GROUP, topics: null }));
    await requestOnce(stage, frame(offsetFetchApi, 8, { groups, requireStable: false }));
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
      await peer.request(frame(produceApi, 9, request), 60_000);
    }
    peer.close();
  },
  run: async (stage) => {
    const count = stage.size({ full: 20_000, quick: 20_000, suite: 3000 });
    const partitions = Array.from({ length: count }, (_, index) => ({
      partitionIndex: index,
      timestamp: 1050,
    }));
    await requestOnce(stage, frame(listOffsetsApi, 4, { topics: [{ name: WIDE, partitions }] }));
  },
};

const metadataUnread: Attack = {
  name: "metadata-unread",
  what: "200 connections that send Metadata for a topic of 7,000 partitions 200 times and do not read",
  prepare: (stage) => prepareWide(stage, stage.size({ full: 7000, quick: 7000, suite: 2000 })),
  run: async (stage) => {
    const count = stage.size({ full: 200, quick: 200, suite: 100 });
    const query = frame(metadataApi, 4, { topics: [{ name: WIDE }], allowAutoTopicCreation: false });
    const peers = await stage.many(count, () => stage.kafka({ isReading: false }));
    for (const peer of peers) peer.send(Buffer.alloc(200 * query.length, query));
    await stage.wait(stage.size({ full: 20, quick: 8, suite: 1 }));
  },
};

export const repetition: readonly Attack[] = [
  repeatedMetadata("metadata-3000", 3000),
  repeatedMetadata("metadata-15000", 15_000),
  metadataIds,
  offsetFetch,
  listOffsets,
  metadataUnread,
];
