/**
 * What is answered while the state takes no change, because its disk is full or, until the next start, because a sync of it failed: in
 * each API an error that clients try again there. A number that they do not expect would end a producer or a consumer for good.
 */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { NO_ERROR, wireCode } from "../../../src/base/errors.ts";
import { createTopicsApi } from "../../../src/protocol/kafka/apis/create-topics.ts";
import { deleteTopicsApi } from "../../../src/protocol/kafka/apis/delete-topics.ts";
import { initProducerIdApi } from "../../../src/protocol/kafka/apis/init-producer-id.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { MemoryEngine } from "../../../src/storage/memory/engine.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { FULL, RefusingState, UNUSABLE } from "../../support/refusing-state.ts";

class RefusingEngine extends MemoryEngine {
  override readonly state = new RefusingState();
}

for (const { refusal, word, coordinator } of [
  { refusal: FULL, word: "the disk is full", coordinator: "NOT_COORDINATOR" },
  { refusal: UNUSABLE, word: "the state file could not be synced", coordinator: "COORDINATOR_NOT_AVAILABLE" },
] as const) {
  describe(`while ${word}`, () => {
    const engine = new RefusingEngine();
    let api: TestKafkaApi;
    let client: WireClient;

    beforeAll(async () => {
      api = await openKafkaApi({ engine });
      client = await api.connect();
      await api.context.broker.topics.ensure("t");
    });
    beforeEach(() => {
      engine.state.refuses = refusal;
    });
    afterEach(() => {
      expect(api.lines.filter(({ level }) => level === "error")).toEqual([]);
    });
    afterAll(() => api.stop());

    test("a topic that should be created on the way has no leader yet, and one that is there is told", async () => {
      const ask = async () => {
        const response = await client.ask(metadataApi, 9, {
          topics: [{ name: "new" }, { name: "t" }],
          allowAutoTopicCreation: true,
        });
        expect(response.topics[1]!.errorCode).toBe(NO_ERROR);
        return response.topics[0]!.errorCode;
      };
      expect(await ask()).toBe(wireCode("LEADER_NOT_AVAILABLE"));
      engine.state.refuses = null;
      expect(await ask()).toBe(NO_ERROR);
    });

    test("a commit of offsets is sent to look for its coordinator again", async () => {
      const ask = async () => {
        const partitions = [{ partitionIndex: 0, committedOffset: 3, committedMetadata: null }];
        const response = await client.ask(offsetCommitApi, 8, {
          groupId: "g",
          topics: [{ name: "t", partitions }],
        });
        return response.topics[0]!.partitions[0]!.errorCode;
      };
      expect(await ask()).toBe(wireCode(coordinator));
      engine.state.refuses = null;
      expect(await ask()).toBe(NO_ERROR);
    });

    test("a producer id is still being loaded", async () => {
      const ask = async () => {
        const request = {
          transactionalId: null,
          transactionTimeoutMs: 1000,
          producerId: -1,
          producerEpoch: -1,
        };
        return (await client.ask(initProducerIdApi, 4, request)).errorCode;
      };
      expect(await ask()).toBe(wireCode("COORDINATOR_LOAD_IN_PROGRESS"));
      engine.state.refuses = null;
      expect(await ask()).toBe(NO_ERROR);
    });

    test("creating a topic is a storage error that says why, deleting one works", async () => {
      const topics = [{ name: "u", numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }];
      const created = await client.ask(createTopicsApi, 5, { topics, timeoutMs: 1000, validateOnly: false });
      expect(created.topics[0]).toMatchObject({
        errorCode: wireCode("KAFKA_STORAGE_ERROR"),
        errorMessage: word,
      });
      const deleted = await client.ask(deleteTopicsApi, 5, { topicNames: ["t"], timeoutMs: 1000 });
      expect(deleted.responses[0]).toMatchObject({ name: "t", errorCode: NO_ERROR });
      const requested = await client.ask(metadataApi, 9, {
        topics: [{ name: "t" }],
        allowAutoTopicCreation: false,
      });
      expect(requested.topics[0]!.errorCode).toBe(wireCode("UNKNOWN_TOPIC_OR_PARTITION"));
    });
  });
}
