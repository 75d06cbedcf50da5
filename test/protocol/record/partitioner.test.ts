import { expect, test } from "bun:test";
import { murmur2, partitionForKey } from "../../../src/protocol/record/partitioner.ts";

// Values published in Kafka's own test of its hash.
const KNOWN: [string, number][] = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
];

test("murmur2 gives the hash of Kafka's clients", () => {
  for (const [text, hash] of KNOWN) {
    const bytes = Buffer.from(`..${text}..`);
    expect([text, murmur2(bytes, 2, bytes.length - 2)]).toEqual([text, hash]);
  }
});

test("a negative hash still gives a partition within the topic", () => {
  const key = Buffer.from("21");
  expect(partitionForKey(key, 0, key.length, 12)).toBe((-973932308 & 0x7fffffff) % 12);
});
