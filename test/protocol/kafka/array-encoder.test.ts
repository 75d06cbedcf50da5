/** An array that was encoded element by element gives the same bytes as one that is given whole, wherever it stands. */

import { expect, test } from "bun:test";
import { InvariantError } from "../../../src/base/assert.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import { frameOf } from "../../support/encoded.ts";

const PARTITIONS = Array.from({ length: 5_000 }, (_, partitionIndex) => ({
  errorCode: 0,
  partitionIndex,
  leaderId: 1,
  leaderEpoch: partitionIndex % 7,
  replicaNodes: [1],
  isrNodes: [1],
}));
const BROKERS = [{ nodeId: 1, host: "localhost", port: 9092 }];

type Partition = (typeof PARTITIONS)[number];
interface Topic {
  errorCode: number;
  name: string;
  partitions: readonly Partition[];
}

/** Of every size: nothing, less than a piece, several pieces. */
const SIZES = [0, 1, 100, 5_000];

test.each([0, 5, 9, 12])("arrays in arrays, version %d", (version) => {
  const whole = SIZES.map((size) => ({
    errorCode: 0,
    name: `t${size}`,
    partitions: PARTITIONS.slice(0, size),
  }));
  const topics = metadataApi.responseArray<Topic>(version, "topics");
  for (const { name, partitions } of whole) {
    const encoder = metadataApi.responseArray<Partition>(version, "topics", "partitions");
    for (const partition of partitions) encoder.push(partition);
    topics.push({ errorCode: 0, name, partitions: encoder.finish() });
  }
  const piecewise = metadataApi.encodeResponse(version, 7, { brokers: BROKERS, topics: topics.finish() });
  const atOnce = metadataApi.encodeResponse(version, 7, { brokers: BROKERS, topics: whole });
  expect(piecewise.bytes).toBe(atOnce.bytes);
  expect(frameOf(piecewise).equals(frameOf(atOnce))).toBe(true);
});

test("frames that are encoded meanwhile do not disturb it, and a response may contain it more than once", () => {
  const topic = {
    name: "t",
    partitions: [{ partitionIndex: 3, committedOffset: 5, metadata: "note", errorCode: 0 }],
  };
  const topics = offsetFetchApi.responseArray<typeof topic>(8, "groups", "topics");
  const other = () => frameOf(metadataApi.encodeResponse(9, 1, { brokers: BROKERS, topics: [] }));
  const before = other();
  for (let count = 0; count < 3000; count += 1) {
    topics.push(topic);
    expect(other()).toEqual(before);
  }
  const encoded = topics.finish();
  const group = (groupId: string, found: readonly (typeof topic)[]) => ({
    groupId,
    topics: found,
    errorCode: 0,
  });
  const whole = Array.from({ length: 3000 }, () => topic);
  const duplicates = offsetFetchApi.encodeResponse(8, 1, {
    groups: [group("a", encoded), group("b", encoded)],
  });
  const expected = offsetFetchApi.encodeResponse(8, 1, { groups: [group("a", whole), group("b", whole)] });
  expect(frameOf(duplicates).equals(frameOf(expected))).toBe(true);
});

test("a place where no array of structures is", () => {
  expect(() => metadataApi.responseArray(9, "topics", "name")).toThrow(InvariantError);
});
