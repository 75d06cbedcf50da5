/** Order, pipelining and limits of one connection, with syncs that the test ends. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { IN_FLIGHT_MAX } from "../../../src/api/kafka/session.ts";
import { wireCode } from "../../../src/base/errors.ts";
import { apiVersionsApi } from "../../../src/protocol/kafka/apis/api-versions.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { batchOf, recordsIn } from "../../support/batches.ts";
import { turns } from "../../support/gated-engine.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { until } from "../../support/kafka-until.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { type HeldPartitions, PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { takenOffset } from "../../support/partitions.ts";

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let partitions: HeldPartitions;
    let api: TestKafkaApi;
    let client: WireClient;
    beforeEach(async () => {
      partitions = kind.createHeld();
      api = await openKafkaApi(partitions);
      client = await api.connect();
      await client.ask(metadataApi, 4, { topics: [{ name: "t" }] });
    });
    afterEach(() => api.stop());

    function produceRequest(value: string, acks = -1) {
      const records = batchOf([value]);
      return { acks, timeoutMs: 1000, topicData: [{ name: "t", partitionData: [{ index: 0, records }] }] };
    }

    function fetchRequest(fetchOffset: number, maxWaitMs = 10_000, minBytes = 1) {
      const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1000 }];
      return { maxWaitMs, minBytes, topics: [{ topic: "t", partitions }] };
    }

    function session() {
      return [...api.listener.connections][0]!.state;
    }

    function correlationIdOf(frame: Buffer | null): number | undefined {
      return frame?.readInt32BE(0);
    }

    test("produce requests are stored after earlier ones that still wait for their sync", async () => {
      const ids = ["a", "b", "c"].map((value) => client.send(produceApi, 7, produceRequest(value)));
      await until(() => takenOffset(api.context.broker.topics.get("t")!.partitions[0]!) === 3);
      expect(client.waitingCount).toBe(0);
      expect(session().inFlightCount).toBe(3);
      await partitions.complete();
      for (const id of ids) expect(correlationIdOf(await client.take())).toBe(id);
    });

    test("anything else waits for the produce requests before it, and reads what they wrote", async () => {
      const produced = client.send(produceApi, 7, produceRequest("a"));
      const fetched = client.send(fetchApi, 4, fetchRequest(0, 0));
      const versions = client.send(apiVersionsApi, 0, {});
      await until(() => partitions.waitingCount > 0);
      expect(client.waitingCount).toBe(0);
      await partitions.complete();
      expect(correlationIdOf(await client.take())).toBe(produced);
      const frame = (await client.take())!;
      expect(correlationIdOf(frame)).toBe(fetched);
      const { records } = fetchApi.decodeResponse(4, frame, 0, frame.length).responses[0]!.partitions[0]!;
      expect(recordsIn(records!)).toEqual([[0, "a"]]);
      expect(correlationIdOf(await client.take())).toBe(versions);
    });

    test("nothing starts after a long poll on the same connection, other connections go on", async () => {
      const fetched = client.send(fetchApi, 4, fetchRequest(0));
      const produced = client.send(produceApi, 7, produceRequest("late"));
      const other = await api.connect();
      other.send(produceApi, 7, produceRequest("a"));
      await until(() => partitions.waitingCount > 0);
      expect(takenOffset(api.context.broker.topics.get("t")!.partitions[0]!)).toBe(1);
      await partitions.complete();
      expect(correlationIdOf(await client.take())).toBe(fetched);
      while (client.waitingCount === 0) {
        await partitions.complete();
        await turns();
      }
      expect(correlationIdOf(await client.take())).toBe(produced);
    });

    test("acks 0 has no response, and the next request is answered as usual", async () => {
      client.send(produceApi, 7, produceRequest("a", 0));
      const next = client.send(produceApi, 7, produceRequest("b", 1));
      await until(() => takenOffset(api.context.broker.topics.get("t")!.partitions[0]!) === 2);
      await partitions.complete();
      expect(correlationIdOf(await client.take())).toBe(next);
      expect(client.waitingCount).toBe(0);
    });

    test("acks 0 with an error closes the connection", async () => {
      client.send(produceApi, 7, {
        ...produceRequest("a", 0),
        topicData: [{ name: "unknown", partitionData: [{ index: 0, records: batchOf(["a"]) }] }],
      });
      expect(await client.take()).toBeNull();
    });

    test("at the limit of requests under way the connection reads no further until some are answered", async () => {
      for (let count = 0; count < IN_FLIGHT_MAX + 5; count += 1)
        client.send(produceApi, 7, produceRequest("a"));
      await until(() => session().inFlightCount === IN_FLIGHT_MAX);
      expect(takenOffset(api.context.broker.topics.get("t")!.partitions[0]!)).toBe(IN_FLIGHT_MAX);
      for (let taken = 0; taken < IN_FLIGHT_MAX + 5; ) {
        await partitions.complete();
        while (client.waitingCount > 0) {
          await client.take();
          taken += 1;
        }
        await turns();
      }
      expect(takenOffset(api.context.broker.topics.get("t")!.partitions[0]!)).toBe(IN_FLIGHT_MAX + 5);
    });

    test("a sync that fails answers those who wait with KAFKA_STORAGE_ERROR", async () => {
      const requested = client.ask(produceApi, 8, produceRequest("a"));
      await until(() => partitions.waitingCount > 0);
      await partitions.complete(true);
      const response = await requested;
      expect(response.responses[0]!.partitionResponses[0]).toMatchObject({
        errorCode: wireCode("KAFKA_STORAGE_ERROR"),
        baseOffset: -1,
      });
    });

    test("a topic that is removed answers those who wait for its commit as one that is not there", async () => {
      const requested = client.ask(produceApi, 8, produceRequest("a"));
      await until(() => partitions.waitingCount > 0);
      await api.context.broker.topics.remove("t");
      const response = await requested;
      expect(response.responses[0]!.partitionResponses[0]).toMatchObject({
        errorCode: wireCode("UNKNOWN_TOPIC_OR_PARTITION"),
        errorMessage: "there is no such topic or partition; the records were not committed",
        baseOffset: -1,
      });
      await partitions.complete();
    });

    test("a connection that goes away takes its long poll, its produce requests and its memory with it", async () => {
      const waiting = await api.connect();
      waiting.send(fetchApi, 4, fetchRequest(0));
      client.send(produceApi, 7, produceRequest("a"));
      client.send(fetchApi, 4, fetchRequest(0));
      await until(() => api.context.fetches.openCount === 1 && partitions.waitingCount === 1);
      waiting.close();
      client.close();
      await until(() => api.listener.connections.size === 0);
      await partitions.complete();
      expect(api.context.fetches.openCount).toBe(0);
      expect(api.frameBudget.usedBytes).toBe(0);
    });

    test("a frame that does not decode closes its connection only, with a line that names the peer", async () => {
      const other = await api.connect();
      client.sendBytes(Buffer.from("0000000c" + "0003" + "0004" + "00000001" + "ffff" + "7fff", "hex"));
      expect(await client.take()).toBeNull();
      expect(api.lines.at(-1)).toMatchObject({
        level: "warn",
        facts: { address: expect.stringContaining("127.0.0.1:") },
      });
      expect((await other.ask(apiVersionsApi, 0, {})).errorCode).toBe(0);
      expect(api.api.malformedCount).toBe(1);
    });

    test("a frame that does not decode lets the responses before it out", async () => {
      const produced = client.send(produceApi, 7, produceRequest("a"));
      client.sendBytes(Buffer.from("00000004" + "00030004", "hex"));
      await until(() => partitions.waitingCount > 0);
      await partitions.complete();
      expect(correlationIdOf(await client.take())).toBe(produced);
      expect(await client.take()).toBeNull();
    });

    for (const [what, hex] of [
      ["an unknown key", "0000000a" + "03e8" + "0000" + "00000001" + "ffff"],
      ["an unknown version", "0000000a" + "0003" + "0063" + "00000001" + "ffff"],
      [
        "a version that the codec knows but nobody promised",
        "0000000a" + "0001" + "0003" + "00000001" + "ffff",
      ],
      ["a negative length", "ffffffff"],
      ["a length above the limit", "7fffffff"],
      ["an empty frame", "00000000"],
    ] as const) {
      test(`${what} closes the connection`, async () => {
        client.sendBytes(Buffer.from(hex, "hex"));
        expect(await client.take()).toBeNull();
        expect(api.lines.at(-1)).toMatchObject({ level: "warn" });
      });
    }

    test("our own fault is UNKNOWN_SERVER_ERROR and a line with the stack, and the connection goes on", async () => {
      const partition = api.context.broker.topics.get("t")!.partitions[0]!;
      partition.append = () => {
        throw new TypeError("a bug");
      };
      const response = await client.ask(produceApi, 7, produceRequest("a"));
      expect(response.responses[0]!.partitionResponses[0]).toMatchObject({
        index: 0,
        errorCode: -1,
        baseOffset: -1,
      });
      expect(api.lines.at(-1)).toMatchObject({
        level: "error",
        facts: { api: "Produce", error: expect.stringContaining("a bug") },
      });
      expect((await client.ask(apiVersionsApi, 0, {})).errorCode).toBe(0);
    });
  });
}
