/**
 * The memory of requests and responses: reserved before anything is done, given back when the client has taken the response, waited for in
 * the order of requests. A stranger holds what the test wants it to hold.
 */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import type { MemoryAccount } from "../../../src/base/memory/memory-account.ts";
import { KiB, MiB } from "../../../src/base/units.ts";
import { apiVersionsApi } from "../../../src/protocol/kafka/apis/api-versions.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { batchOf } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { until } from "../../support/kafka-until.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { takenOffset } from "../../support/partitions.ts";

const LIMIT = 8 * MiB;
const PARTITIONS = 3_000;
/** What is held in small pieces keeps out small requests too. */
const SMALL = 1;

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let api: TestKafkaApi;
    let straySegment: MemoryAccount;
    beforeEach(async () => {
      api = await openKafkaApi({
        ...kind.create(),
        broker: { partitionsMax: 10_000 },
        responseBudgetBytes: LIMIT,
        outputSoftBytes: 256 * KiB,
      });
      await api.context.broker.topics.create("large", { partitions: PARTITIONS, configs: {} });
      await api.context.broker.topics.create("t", { partitions: 2, configs: {} });
      straySegment = api.responseBudget.open({
        host: "elsewhere",
        movedBytes: 0,
        unfinishedBytes: 0,
        evict: () => {},
        isResting: true,
      });
    });
    afterEach(() => api.stop());

    function range(count: number): number[] {
      return Array.from({ length: count }, (_, index) => index);
    }

    const LARGE = { topics: [{ name: "large" }] };

    function produceRequest(values: readonly string[], index = 0) {
      const partitionData = values.map((value) => ({ index, records: batchOf([value]) }));
      return { acks: -1, timeoutMs: 1000, topicData: [{ name: "t", partitionData }] };
    }

    test("a response that finds no memory waits, with what the client asks after it; others go on, and then all is given back", async () => {
      straySegment.charge(LIMIT, SMALL);
      const client = await api.connect();
      const ids = [client.send(metadataApi, 4, LARGE), client.send(apiVersionsApi, 0, {})];
      await until(() => api.responseBudget.waitingCount === 1);
      const other = await api.connect();
      expect((await other.ask(apiVersionsApi, 0, {})).errorCode).toBe(0);
      expect(client.waitingCount).toBe(0);
      straySegment.close();
      const [first, second] = [(await client.take())!, (await client.take())!];
      expect([first.readInt32BE(0), second.readInt32BE(0)]).toEqual(ids);
      expect(metadataApi.decodeResponse(4, first, 0, first.length).topics[0]!.partitions.length).toBe(
        PARTITIONS,
      );
      await until(() => api.responseBudget.usedBytes === 0);
    });

    test("who leaves while it waits takes its request along", async () => {
      straySegment.charge(LIMIT, SMALL);
      const client = await api.connect();
      client.send(metadataApi, 4, LARGE);
      await until(() => api.responseBudget.waitingCount === 1);
      client.close();
      await until(() => api.responseBudget.waitingCount === 0);
      straySegment.close();
      expect(api.responseBudget.usedBytes).toBe(0);
    });

    test("a response that could never be held is refused in the API's own words", async () => {
      await api.context.offsets.commit(
        "g",
        range(1000).map((partition) => ({
          topic: "t",
          partition,
          offset: 1,
          leaderEpoch: 0,
          metadata: "n".repeat(4000),
        })),
      );
      const client = await api.connect();
      const group = { groupId: "g", topics: null };
      const once = await client.ask(offsetFetchApi, 8, { groups: [group] });
      expect(once.groups.map(({ errorCode, topics }) => [errorCode, topics[0]!.partitions.length])).toEqual([
        [0, 1000],
      ]);
      const often = await client.ask(offsetFetchApi, 8, { groups: [group, group] });
      const refusal = { groupId: "g", topics: [], errorCode: wireCode("POLICY_VIOLATION") };
      expect(often.groups).toEqual([refusal, refusal]);
      const old = await client.ask(offsetFetchApi, 7, {
        groupId: "g",
        topics: range(3).map(() => ({ name: "t", partitionIndexes: range(1000) })),
      });
      expect([old.errorCode, old.topics]).toEqual([wireCode("POLICY_VIOLATION"), []]);
      await until(() => api.responseBudget.usedBytes === 0);
    });

    test("a request that could never be held in memory ends its connection", async () => {
      const before = api.api.malformedCount;
      const client = await api.connect();
      const names = range(100).map((index) => ({ name: `${index}`.padEnd(30_000, "x") }));
      client.send(metadataApi, 4, { topics: names, allowAutoTopicCreation: false });
      expect(await client.take()).toBeNull();
      expect([api.api.malformedCount, api.responseBudget.usedBytes]).toEqual([before + 1, 0]);
    });

    test("a client that asks and does not read is answered no further, and everything that is unsent is counted", async () => {
      const client = await api.connect();
      client.pause();
      for (let count = 0; count < 500; count += 1) client.send(metadataApi, 4, LARGE);
      const [connection] = [...api.listener.connections];
      await until(() => connection!.outputBytes > 256 * KiB);
      const unsent = connection!.outputBytes;
      expect(unsent).toBeLessThan(512 * KiB);
      expect(api.responseBudget.usedBytes).toBeGreaterThanOrEqual(unsent - 16 * KiB);
      expect(api.responseBudget.usedBytes).toBeLessThan(unsent + 256 * KiB);
      client.resume();
      for (let count = 0; count < 500; count += 1)
        expect((await client.take())!.length).toBeGreaterThan(64 * KiB);
      await until(() => api.responseBudget.usedBytes === 0);
    });

    test("what waits to be sent stays as it was while other responses are made and sent, in memory that is used again", async () => {
      const { topics } = api.context.broker;
      await topics.create("other", { partitions: PARTITIONS, configs: {} });
      const [slow, quick] = [await api.connect(), await api.connect()];
      const withoutId = (frame: Buffer | null) => frame!.subarray(4);
      const ask = (client: typeof slow, name: string) => client.send(metadataApi, 4, { topics: [{ name }] });
      ask(slow, "large");
      const expected = Buffer.from(withoutId(await slow.take()));
      slow.pause();
      for (let count = 0; count < 200; count += 1) ask(slow, "large");
      const [connection] = [...api.listener.connections];
      await until(() => connection!.outputBytes > 256 * KiB);
      ask(quick, "other");
      const other = Buffer.from(withoutId(await quick.take()));
      for (let count = 0; count < 50; count += 1) {
        ask(quick, "other");
        expect(withoutId(await quick.take()).equals(other)).toBe(true);
      }
      slow.resume();
      for (let count = 0; count < 200; count += 1)
        expect(withoutId(await slow.take()).equals(expected)).toBe(true);
    });

    test("a client that asks and does not read loses its connection when others wait for the memory", async () => {
      const client = await api.connect();
      client.pause();
      for (let count = 0; count < 500; count += 1) client.send(metadataApi, 4, LARGE);
      const [connection] = [...api.listener.connections];
      await until(() => connection!.outputBytes > 256 * KiB);
      straySegment.charge(LIMIT - api.responseBudget.usedBytes, SMALL);
      const honest = await api.connect();
      expect((await honest.ask(metadataApi, 4, LARGE)).topics[0]!.partitions.length).toBe(PARTITIONS);
      expect(connection!.isOpen).toBe(false);
    });

    test("a large produce request is taken in over turns: each entry is stored, and what follows comes after", async () => {
      const client = await api.connect();
      const partition = api.context.broker.topics.get("t")!.partitions[0]!;
      const first = client.send(produceApi, 9, produceRequest(range(2000).map((index) => `first ${index}`)));
      const second = client.send(produceApi, 9, produceRequest(["second"]));
      const frames = [(await client.take())!, (await client.take())!];
      expect(frames.map((frame) => frame.readInt32BE(0))).toEqual([first, second]);
      const [large, small] = frames.map((frame) => produceApi.decodeResponse(9, frame, 0, frame.length));
      const responses = large!.responses[0]!.partitionResponses.map(({ index, errorCode, baseOffset }) => [
        index,
        errorCode,
        baseOffset,
      ]);
      expect(responses).toEqual(range(2000).map((offset) => [0, 0, offset]));
      expect(small!.responses[0]!.partitionResponses[0]!.baseOffset).toBe(2000);
      expect(partition.highWatermark).toBe(2001);
      await until(() => api.responseBudget.usedBytes === 0);
    });

    test("a large produce request without acknowledgement is stored although its client has left", async () => {
      const client = await api.connect();
      const partition = api.context.broker.topics.get("t")!.partitions[0]!;
      client.send(produceApi, 9, { ...produceRequest(range(2000).map((index) => `${index}`)), acks: 0 });
      await until(() => takenOffset(partition) > 0);
      client.close();
      await until(() => takenOffset(partition) === 2000);
    });

    test("long polls with many partitions are answered early when others wait for what they hold", async () => {
      const waiter = await api.connect();
      const partitions = range(PARTITIONS).map((partition) => ({
        partition,
        fetchOffset: 0,
        partitionMaxBytes: 1000,
      }));
      waiter.send(fetchApi, 12, {
        maxWaitMs: 300_000,
        minBytes: 1,
        topics: [{ topic: "large", partitions }],
      });
      await until(() => api.context.fetches.openCount === 1);
      const held = api.responseBudget.usedBytes;
      expect(held).toBeGreaterThan(PARTITIONS * 256);
      straySegment.charge(LIMIT - held, SMALL);
      const other = await api.connect();
      other.send(metadataApi, 4, LARGE);
      expect(await other.takeAs(metadataApi, 4)).toMatchObject({ topics: [{ name: "large" }] });
      const { responses } = await waiter.takeAs(fetchApi, 12);
      expect(responses[0]!.partitions.length).toBe(PARTITIONS);
    });
  });
}
