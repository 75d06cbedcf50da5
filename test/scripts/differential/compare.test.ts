/** The comparison itself: what is made equal, what is found, and what the list lets pass. */

import { describe, expect, test } from "bun:test";
import { type Allowance, allowanceFor } from "../../../scripts/differential/allowed.ts";
import { compare, withoutIndices } from "../../../scripts/differential/compare.ts";
import { type Facts, normalise } from "../../../scripts/differential/normalise.ts";
import { differencesOf } from "../../../scripts/differential/runner.ts";
import { batchOf } from "../../support/batches.ts";

const TOPIC_ID = "11111111-2222-3333-4444-555555555555";
const STARTED_AT_MS = Date.now();

function facts(changes: Partial<Facts> = {}): Facts {
  return {
    address: { host: "127.0.0.1", port: 9092 },
    topicNames: new Map([[TOPIC_ID, "greetings"]]),
    producerIds: new Set(["4000"]),
    isOwnTopic: (name) => name === "greetings",
    startedAtMs: STARTED_AT_MS,
    ...changes,
  };
}

describe("comparing", () => {
  test("a planted difference is found with its path and both values", () => {
    const kafka = { topics: [{ name: "a", partitions: [{ errorCode: 0 }, { errorCode: 3 }] }] };
    const obelisk = { topics: [{ name: "a", partitions: [{ errorCode: 0 }, { errorCode: 0 }] }] };
    expect(compare(kafka, obelisk)).toEqual([
      { path: "topics[0].partitions[1].errorCode", kafka: 3, obelisk: 0 },
    ]);
    expect(compare(kafka, structuredClone(kafka))).toEqual([]);
  });

  test("null, an empty list, an absent field and another type all differ", () => {
    expect(compare({ a: null, b: 1, c: 1 }, { a: [], c: "1" })).toEqual([
      { path: "a", kafka: null, obelisk: [] },
      { path: "b", kafka: 1, obelisk: "<absent>" },
      { path: "c", kafka: 1, obelisk: "1" },
    ]);
  });

  test("lists of different length differ in their length and in what they share", () => {
    expect(compare([1, 2, 3], [1, 5])).toEqual([
      { path: ".length", kafka: 3, obelisk: 2 },
      { path: "[1]", kafka: 2, obelisk: 5 },
    ]);
  });

  test("a response, silence and a closed connection differ, whatever the response was", () => {
    const request = Buffer.alloc(0);
    const closed = { outcome: "closed", response: null, request };
    const response = { outcome: "response", response: { errorCode: 0 }, request };
    expect(differencesOf(closed, { ...response })).toEqual([
      { path: "(outcome)", kafka: "closed", obelisk: { outcome: "response", response: { errorCode: 0 } } },
    ]);
    expect(differencesOf(closed, { ...closed })).toEqual([]);
    expect(differencesOf(response, { ...response, response: { errorCode: 1 } })).toEqual([
      { path: "errorCode", kafka: 0, obelisk: 1 },
    ]);
  });

  test("a path without indices names the field", () => {
    expect(withoutIndices("topics[0].partitions[12].errorCode")).toBe("topics[].partitions[].errorCode");
  });
});

describe("what is made equal", () => {
  test("own addresses, the cluster's id and ids of topics, and nothing else of a metadata response", () => {
    const response = {
      clusterId: "abc",
      controllerId: 1,
      brokers: [
        { nodeId: 1, host: "127.0.0.1", port: 9092 },
        { nodeId: 1, host: "elsewhere", port: 9093 },
      ],
      topics: [
        { name: "other", topicId: "x", errorCode: 0, partitions: [] },
        { name: "greetings", topicId: TOPIC_ID, errorCode: 0, partitions: [] },
        { name: null, topicId: "99999999-2222-3333-4444-555555555555", errorCode: 100, partitions: [] },
      ],
    };
    expect(normalise("Metadata", response, facts())).toEqual({
      clusterId: "<cluster id>",
      controllerId: 1,
      brokers: [
        { nodeId: 1, host: "<host>", port: "<port>" },
        { nodeId: 1, host: "elsewhere", port: 9093 },
      ],
      topics: [
        { name: null, topicId: "99999999-2222-3333-4444-555555555555", errorCode: 100, partitions: [] },
        { name: "greetings", topicId: "<id of greetings>", errorCode: 0, partitions: [] },
      ],
    });
  });

  test("a producer id of this case, but not any other", () => {
    expect(normalise("InitProducerId", { producerId: 4000, producerEpoch: 0 }, facts())).toEqual({
      producerId: "<producer id>",
      producerEpoch: 0,
    });
    expect(normalise("InitProducerId", { producerId: 4001 }, facts())).toEqual({ producerId: 4001 });
  });

  test("a time of arrival, but not a time that a record was given", () => {
    const responseAt = (logAppendTimeMs: number) => normalise("Produce", { logAppendTimeMs }, facts());
    expect(responseAt(STARTED_AT_MS + 1)).toEqual({ logAppendTimeMs: "<time of arrival>" });
    expect(responseAt(-1)).toEqual({ logAppendTimeMs: -1 });
    expect(responseAt(STARTED_AT_MS - 1)).toEqual({ logAppendTimeMs: STARTED_AT_MS - 1 });
  });

  test("the wording of a message, but not whether there is one", () => {
    const response = {
      topics: [
        { name: "a", errorMessage: "it is so" },
        { name: "b", errorMessage: null },
      ],
    };
    expect(normalise("CreateTopics", response, facts())).toEqual({
      topics: [
        { name: "a", errorMessage: "<words>" },
        { name: "b", errorMessage: null },
      ],
    });
  });

  test("the order of lists without one, duplicates kept", () => {
    const response = {
      topics: [
        { name: "b", partitions: [{ partitionIndex: 10 }, { partitionIndex: 2 }, { partitionIndex: 2 }] },
        { name: "a", partitions: [] },
      ],
    };
    expect(normalise("ListOffsets", response, facts())).toEqual({
      topics: [
        { name: "a", partitions: [] },
        { name: "b", partitions: [{ partitionIndex: 2 }, { partitionIndex: 2 }, { partitionIndex: 10 }] },
      ],
    });
    expect(normalise("ApiVersions", { tags: ["b", "a"] }, facts())).toEqual({ tags: ["b", "a"] });
  });

  test("a topic that a list repeats has all its partitions in one place", () => {
    const partition = (partitionIndex: number) => ({ topic: "a", partitions: [{ partitionIndex }] });
    const response = { responses: [partition(1), { topic: "b", partitions: [] }, partition(0)] };
    expect(normalise("Fetch", response, facts())).toEqual({
      responses: [
        { topic: "a", partitions: [{ partitionIndex: 0 }, { partitionIndex: 1 }] },
        { topic: "b", partitions: [] },
      ],
    });
  });

  test("record batches become their meaning, and what is left of a cut one is dropped", () => {
    const batch = batchOf(["x", "y"], {}, 1000);
    const response = (records: Buffer) => ({ responses: [{ partitions: [{ records }] }] });
    const whole = normalise("Fetch", response(batch), facts());
    expect(whole).toEqual({
      responses: [
        {
          partitions: [
            {
              records: [
                {
                  baseOffset: "0",
                  leaderEpoch: -1,
                  attributes: 0,
                  lastOffsetDelta: 1,
                  baseTimestamp: "1000",
                  maxTimestamp: "1001",
                  producerId: "-1",
                  producerEpoch: -1,
                  baseSequence: -1,
                  recordCount: 2,
                  records: [
                    { offset: 0, timestampMs: 1000, key: null, value: "78", headers: [] },
                    { offset: 1, timestampMs: 1001, key: null, value: "79", headers: [] },
                  ],
                },
              ],
            },
          ],
        },
      ],
    });
    const cut = Buffer.concat([batch, batch.subarray(0, batch.length - 1)]);
    expect(normalise("Fetch", response(cut), facts())).toEqual(whole);
  });
});

describe("the list", () => {
  const place = {
    api: "Produce",
    version: 7,
    path: "responses[0].partitionResponses[1].errorCode",
    case: "transactions: a batch",
    kafka: 0,
    obelisk: 42,
  };
  const allowance: Allowance = {
    sentence: "Transactions are refused.",
    api: "Produce",
    versions: "3-11",
    path: "responses[].partitionResponses[].errorCode",
    case: "transactions: *",
    obelisk: 42,
  };

  test("allows what it names", () => {
    expect(allowanceFor([allowance], place)).toBe(allowance);
  });

  test("allows no other API, version, path, case or value", () => {
    const others = [
      { ...place, api: "Fetch" },
      { ...place, version: 2 },
      { ...place, path: "responses[0].partitionResponses[1].baseOffset" },
      { ...place, case: "a case about transactions: a batch" },
      { ...place, obelisk: 0 },
    ];
    expect(others.map((other) => allowanceFor([allowance], other))).toEqual(others.map(() => null));
  });

  test("a kind of reply is matched by its name, whatever the response was", () => {
    const closing: Allowance = { ...allowance, path: "(outcome)", obelisk: "closed", kafka: "response" };
    const responded = { outcome: "response", response: { errorCode: 0 } };
    expect(
      allowanceFor([closing], { ...place, path: "(outcome)", kafka: responded, obelisk: "closed" }),
    ).toBe(closing);
    expect(
      allowanceFor([closing], { ...place, path: "(outcome)", kafka: "closed", obelisk: responded }),
    ).toBe(null);
  });
});
