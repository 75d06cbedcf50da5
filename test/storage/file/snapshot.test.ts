import { expect, test } from "bun:test";
import fc from "fast-check";
import { crc32c } from "../../../src/base/crc32c.ts";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "../../../src/storage/file/snapshot.ts";

const FULL: Snapshot = {
  startOffset: 3,
  checkpoint: {
    offset: 10,
    segment: 5,
    position: 1234,
    maxTimestamp: 1_700_000_000_000,
    maxTimestampOffset: 4,
    state: Buffer.from("owner"),
  },
  firstAtMs: 1_700_000_000_001,
  timesFrom: 5,
  epochs: [
    { epoch: 0, startOffset: 0 },
    { epoch: 2, startOffset: 7 },
  ],
  holes: [{ segment: 0, position: 100, bytes: 61 }],
};
const EMPTY: Snapshot = {
  startOffset: 0,
  checkpoint: null,
  firstAtMs: -1,
  timesFrom: 0,
  epochs: [],
  holes: [],
};

/** Version 2, frozen. */
const GOLDEN =
  "4f4250530002000000000081000000000000000300000000000" +
  "0000a0000000000000005000004d20000018bcfe5680000000004" +
  "0000018bcfe5680100000000000000050000000200000000000000000000000000000002" +
  "000000000000000700000001000000000000000000000064000" +
  "0003d000000056f776e6572";

/** Version 1, frozen. */
const GOLDEN_OLD =
  "4f4250530001000000000079000000000000000300000000000" +
  "0000a0000000000000005000004d20000018bcfe5680000000004" +
  "0000018bcfe568010000000200000000000000000000000000000002" +
  "000000000000000700000001000000000000000000000064000" +
  "0003d000000056f776e6572";

test("a snapshot has the bytes that the format names", () => {
  const bytes = encodeSnapshot(FULL);
  expect(bytes.toString("hex", 0, bytes.length - 4)).toBe(GOLDEN);
});

test("a snapshot of version 1 is read: all of its time indexes go by headers", () => {
  const body = Buffer.from(GOLDEN_OLD, "hex");
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32c(body, 0, body.length));
  expect(decodeSnapshot(Buffer.concat([body, crc]))).toEqual({ ...FULL, timesFrom: Number.MAX_SAFE_INTEGER });
});

test("a snapshot comes back as it was", () => {
  for (const snapshot of [
    FULL,
    EMPTY,
    { ...EMPTY, checkpoint: { ...FULL.checkpoint!, state: Buffer.alloc(0) } },
  ]) {
    expect(decodeSnapshot(encodeSnapshot(snapshot))).toEqual(snapshot);
  }
});

test("every truncation of a snapshot is refused", () => {
  const bytes = encodeSnapshot(FULL);
  for (let length = 0; length < bytes.length; length += 1) {
    expect(() => decodeSnapshot(bytes.subarray(0, length))).toThrow(
      expect.objectContaining({ code: "DAMAGED_DATA" }),
    );
  }
});

test("every flipped bit in a snapshot is refused", () => {
  const bytes = encodeSnapshot(FULL);
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const broken = Buffer.from(bytes);
    broken[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => decodeSnapshot(broken)).toThrow(expect.objectContaining({ code: "DAMAGED_DATA" }));
  }
});

test("no bytes make the decoder throw anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => decodeSnapshot(Buffer.from(bytes))).toThrow(
        expect.objectContaining({ code: "DAMAGED_DATA" }),
      );
    }),
  );
});
