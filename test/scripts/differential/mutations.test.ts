/** The made cases: the same for the same seed, and of every kind. */

import { describe, expect, test } from "bun:test";
import { encodeFrame, Names } from "../../../scripts/differential/case.ts";
import { mutateBytes, mutateValues } from "../../../scripts/differential/mutations.ts";
import { Random } from "../../../scripts/differential/random.ts";
import { fullRequest, supportedApis } from "../../../scripts/differential/requests.ts";
import { listOffsetsApi } from "../../../src/protocol/kafka/apis/list-offsets.ts";

const REQUEST = {
  topics: [{ name: "a", partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }] }],
};

describe("made requests", () => {
  test("there is a full request, with a frame, for every API and version that is supported", () => {
    const subjects = { topic: "there", group: "group", newTopic: "new" };
    for (const supported of supportedApis()) {
      const frame = encodeFrame(supported.api, supported.version, fullRequest(supported, subjects));
      expect([frame.readInt16BE(0), frame.readInt16BE(2)]).toEqual([supported.api.key, supported.version]);
    }
  });

  test("the same seed gives the same bytes, another seed others, and none of them another API or version", () => {
    const frame = encodeFrame(listOffsetsApi, 7, REQUEST);
    const made = (seed: number) => mutateBytes(frame, true, 60, new Random(seed));
    expect(made(3)).toEqual(made(3));
    expect(made(3)).not.toEqual(made(4));
    expect(made(3).length).toBe(61);
    for (const mutation of made(3)) {
      expect(mutation.frame.subarray(0, 4)).toEqual(frame.subarray(0, 4));
      expect(mutation.frame).not.toBe(frame);
    }
  });

  test("every field of a value is tried, with null, the extremes of 64 bits, and duplicate entries", () => {
    const names = mutateValues(listOffsetsApi, 5, REQUEST).map(({ name }) => name);
    for (const expected of [
      "topics = null",
      "topics = first duplicated",
      "topics.0.name = null",
      "topics.0.partitions = empty",
      "topics.0.partitions.0.partitionIndex = -2147483648",
      "topics.0.partitions.0.currentLeaderEpoch = 2147483647",
      "topics.0.partitions.0.timestamp = 9223372036854775807",
      "topics.0.partitions.0.timestamp = -9223372036854775808",
    ]) {
      expect(names).toContain(expected);
    }
    const [extreme] = mutateValues(listOffsetsApi, 5, REQUEST).filter(({ name }) =>
      name.endsWith("9223372036854775807"),
    );
    expect(extreme!.frame.readBigInt64BE(extreme!.frame.length - 8)).toBe(2n ** 63n - 1n);
  });

  test("names of cases are never the same, and as long as what they stand for", () => {
    const names = new Names();
    const made = Array.from({ length: 2000 }, () => names.sameLength("kcat-0"));
    expect(new Set(made).size).toBe(2000);
    expect(new Set(made.map((name) => name.length))).toEqual(new Set([6]));
  });
});
