/** Fetch sessions (KIP-227) on the wire: what an incremental fetch may leave out, and what its response does. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { type FetchRequestInput, fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { batchOf, recordsIn } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { until } from "../../support/kafka-until.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { appendTo } from "../../support/partitions.ts";

const NAMED = 12;
const BY_ID = 17;

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let api: TestKafkaApi;
    let client: WireClient;
    const ids = new Map<string, string>();
    beforeEach(async () => {
      api = await openKafkaApi({ ...kind.create(), fetchSessionsMax: 2 });
      client = await api.connect();
      for (const name of ["a", "b"]) await make(name);
    });
    afterEach(() => api.stop());

    async function make(name: string): Promise<void> {
      ids.set(name, (await api.context.broker.topics.create(name, { partitions: 3, configs: {} })).id);
    }

    async function append(name: string, index: number, value: string): Promise<void> {
      await appendTo(api.context.broker.topics.get(name)!.partitions[index]!, batchOf([value])).done;
    }

    type Wanted = Record<string, readonly (readonly [partition: number, offset: number])[]>;

    function topicsOf(wanted: Wanted, version: number): FetchRequestInput["topics"] {
      return Object.entries(wanted).map(([topic, partitions]) => ({
        ...(version < 13 ? { topic } : { topicId: ids.get(topic)! }),
        partitions: partitions.map(([partition, fetchOffset]) => ({
          partition,
          fetchOffset,
          partitionMaxBytes: 1000,
        })),
      }));
    }

    async function fetch(
      version: number,
      sessionId: number,
      sessionEpoch: number,
      wanted: Wanted = {},
      rest: Partial<FetchRequestInput> = {},
      from = client,
    ) {
      const topics = topicsOf(wanted, version);
      const request = { maxWaitMs: 0, minBytes: 0, sessionId, sessionEpoch, topics, ...rest };
      const response = await from.ask(fetchApi, version, request);
      const told = response.responses.map(({ topic, topicId, partitions }) => [
        version < 13 ? topic : [...ids].find(([, id]) => id === topicId)?.[0],
        partitions.map(({ partitionIndex, errorCode, highWatermark, records }) => [
          partitionIndex,
          errorCode,
          highWatermark,
          recordsIn(records ?? Buffer.alloc(0)).map(([, value]) => value),
        ]),
      ]);
      return { errorCode: response.errorCode, id: response.sessionId, told };
    }

    const ALL: Wanted = {
      a: [
        [0, 0],
        [1, 0],
      ],
      b: [[2, 0]],
    };
    const NOTHING = { errorCode: 0, told: [] };

    for (const version of [7, NAMED, 13, BY_ID]) {
      test(`version ${version}: a full fetch opens a session, and later ones are told what is new`, async () => {
        await append("b", 2, "x");
        const { id, ...first } = await fetch(version, 0, 0, ALL);
        expect(id).toBeGreaterThan(0);
        expect(first.told).toEqual([
          [
            "a",
            [
              [0, 0, 0, []],
              [1, 0, 0, []],
            ],
          ],
          ["b", [[2, 0, 1, ["x"]]]],
        ]);
        expect(await fetch(version, id, 1, { b: [[2, 1]] })).toEqual({ id, ...NOTHING });
        await append("a", 1, "y");
        expect(await fetch(version, id, 2)).toEqual({ id, errorCode: 0, told: [["a", [[1, 0, 1, ["y"]]]]] });
        expect((await fetch(version, id, 3)).told).toEqual([["a", [[1, 0, 1, ["y"]]]]]);
        expect(await fetch(version, id, 4, { a: [[1, 1]] })).toEqual({ id, ...NOTHING });
      });
    }

    test("a fetch that waits wakes for a partition that it did not name", async () => {
      const { id } = await fetch(BY_ID, 0, 0, ALL);
      const waiting = fetch(BY_ID, id, 1, {}, { maxWaitMs: 60_000, minBytes: 1 });
      await until(() => api.context.fetches.openCount === 1);
      await append("b", 2, "x");
      expect((await waiting).told).toEqual([["b", [[2, 0, 1, ["x"]]]]]);
    });

    test("partitions are added and forgotten, and a session without any ends", async () => {
      const { id } = await fetch(NAMED, 0, 0, { a: [[0, 0]] });
      const added = await fetch(NAMED, id, 1, { b: [[0, 0]] });
      expect(added.told).toEqual([["b", [[0, 0, 0, []]]]]);
      await append("a", 0, "x");
      const forgotten = [{ topic: "a", partitions: [0, 2] }];
      expect(await fetch(NAMED, id, 2, {}, { forgottenTopicsData: forgotten })).toEqual({ id, ...NOTHING });
      const last = [{ topic: "b", partitions: [0] }];
      expect(await fetch(NAMED, id, 3, {}, { forgottenTopicsData: last })).toEqual({ id: 0, ...NOTHING });
      expect([api.context.fetchSessions.count, api.context.fetchSessions.partitionCount]).toEqual([0, 0]);
    });

    test("a session is for whoever knows its id and epoch, and for the way in which it names topics", async () => {
      const { id } = await fetch(NAMED, 0, 0, ALL);
      const other = await api.connect();
      expect(await fetch(NAMED, id, 1, {}, {}, other)).toEqual({ id, ...NOTHING });
      const refusal = (
        name: "INVALID_FETCH_SESSION_EPOCH" | "FETCH_SESSION_ID_NOT_FOUND" | "FETCH_SESSION_TOPIC_ID_ERROR",
      ) => ({
        errorCode: wireCode(name),
        id: 0,
        told: [],
      });
      expect(await fetch(NAMED, id, 1)).toEqual(refusal("INVALID_FETCH_SESSION_EPOCH"));
      expect(await fetch(NAMED, id, 3)).toEqual(refusal("INVALID_FETCH_SESSION_EPOCH"));
      expect(await fetch(NAMED, 99, 2)).toEqual(refusal("FETCH_SESSION_ID_NOT_FOUND"));
      expect(await fetch(BY_ID, id, 2)).toEqual(refusal("FETCH_SESSION_TOPIC_ID_ERROR"));
      expect(await fetch(NAMED, id, 2)).toEqual({ id, ...NOTHING });
    });

    test("a full fetch ends the session that it names, and opens none when it says so", async () => {
      const { id } = await fetch(NAMED, 0, 0, ALL);
      const next = await fetch(NAMED, id, 0, ALL);
      expect([next.id === 0, next.id === id]).toEqual([false, false]);
      expect((await fetch(NAMED, id, 1)).errorCode).toBe(wireCode("FETCH_SESSION_ID_NOT_FOUND"));
      expect((await fetch(NAMED, next.id, -1, ALL)).id).toBe(0);
      expect((await fetch(NAMED, 0, -1, ALL)).id).toBe(0);
      expect(api.context.fetchSessions.count).toBe(0);
    });

    test("beyond the limit a full fetch is answered without a session", async () => {
      const opened = [];
      for (let count = 0; count < 3; count += 1) opened.push((await fetch(NAMED, 0, 0, ALL)).id > 0);
      expect(opened).toEqual([true, true, false]);
    });

    test("an error is told each time, and what follows it once", async () => {
      const unknown = wireCode("UNKNOWN_TOPIC_OR_PARTITION");
      const { id } = await fetch(NAMED, 0, 0, { c: [[0, 0]] });
      expect((await fetch(NAMED, id, 1)).told).toEqual([["c", [[0, unknown, -1, []]]]]);
      await make("c");
      expect((await fetch(NAMED, id, 2)).told).toEqual([["c", [[0, 0, 0, []]]]]);
      expect((await fetch(NAMED, id, 3)).told).toEqual([]);
    });

    test("a topic that was removed is unknown in a session, and one made anew is not the same by id", async () => {
      const { id } = await fetch(BY_ID, 0, 0, { a: [[0, 0]] });
      const first = ids.get("a")!;
      await api.context.broker.topics.remove("a");
      const codeOf = async (epoch: number) => (await fetch(BY_ID, id, epoch)).told[0];
      expect(await codeOf(1)).toEqual(["a", [[0, wireCode("UNKNOWN_TOPIC_OR_PARTITION"), -1, []]]]);
      await make("a");
      ids.set("a", first);
      expect(await codeOf(2)).toEqual(["a", [[0, wireCode("INCONSISTENT_TOPIC_ID"), -1, []]]]);
    });
  });
}
