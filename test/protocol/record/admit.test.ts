/** What becomes of a producer's batch: its records looked into, its max timestamp and its attributes made right. */
import { beforeEach, describe, expect, test } from "bun:test";
import { nextTurn } from "../../../src/base/loop/turns.ts";
import { ADMIT_INFLATED_BYTES_MAX, admitBatch } from "../../../src/protocol/record/admit.ts";
import {
  BATCH_ATTRIBUTES,
  BATCH_HEADER_BYTES,
  BATCH_MAX_TIMESTAMP,
  batchMaxTimestamp,
  computeBatchCrc,
} from "../../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../../src/protocol/record/builder.ts";
import { CODECS, type Codec } from "../../../src/protocol/record/compression.ts";
import { validateStoredBatch } from "../../../src/protocol/record/validate.ts";
import { buildBatch, resealed, START_MS } from "./batches.ts";

const NOW_MS = START_MS + 1_000_000;
const OPTIONS = { bytesMax: 1_000_000, isLogAppendTime: false };

/** What may be inflated is counted in turns. */
beforeEach(nextTurn);

function admitted(batch: Buffer, isLogAppendTime = false): string | null {
  const fault = admitBatch(batch, 0, batch.length, { ...OPTIONS, isLogAppendTime }, NOW_MS);
  expect([fault, validateStoredBatch(batch, 0, batch.length)]).toEqual([fault, null]);
  return fault?.code ?? null;
}

/** Five records, the third with the largest timestamp, START_MS + 70. */
function batchWith(change: (batch: Buffer) => void, codec: Codec = "none"): Buffer {
  const builder = new BatchBuilder(1_000_000);
  const value = Buffer.from("value");
  for (const delta of [0, 5, 70, 6, 7]) builder.append(START_MS + delta, null, 0, 0, value, 0, value.length);
  const batch = builder.finish({ codec });
  change(batch);
  return resealed(batch);
}

function withMax(timestampMs: bigint, codec: Codec = "none"): Buffer {
  return batchWith((batch) => batch.writeBigInt64BE(timestampMs, BATCH_MAX_TIMESTAMP), codec);
}

describe("the max timestamp", () => {
  const RIGHT = BigInt(START_MS + 70);
  for (const codec of CODECS) {
    test(`of -1, 0, before the first record, or no timestamp at all becomes the records' (${codec})`, () => {
      for (const wrong of [-1n, 0n, BigInt(START_MS - 1), -5n, 2n ** 62n]) {
        const batch = withMax(wrong, codec);
        expect(admitted(batch)).toBeNull();
        expect(batch).toEqual(withMax(RIGHT, codec));
      }
    });

    test(`that is right stays, with every other byte (${codec})`, () => {
      const batch = withMax(RIGHT, codec);
      expect(admitted(batch)).toBeNull();
      expect(batch).toEqual(withMax(RIGHT, codec));
    });
  }

  test("that could be right is corrected where the records are open, and believed where they are compressed", () => {
    for (const wrong of [START_MS, START_MS + 7, START_MS + 900]) {
      const open = withMax(BigInt(wrong));
      const closed = withMax(BigInt(wrong), "gzip");
      expect([admitted(open), admitted(closed)]).toEqual([null, null]);
      expect([batchMaxTimestamp(open, 0), batchMaxTimestamp(closed, 0)]).toEqual([START_MS + 70, wrong]);
    }
  });

  test("is -1 when no record has a timestamp", () => {
    for (const codec of ["none", "gzip"] as const) {
      const builder = new BatchBuilder(1000);
      for (let index = 0; index < 2; index += 1) builder.append(-1, null, 0, 0, null, 0, 0);
      const batch = builder.finish({ codec });
      batch.writeBigInt64BE(0n, BATCH_MAX_TIMESTAMP);
      expect(admitted(resealed(batch))).toBeNull();
      expect(batch.readBigInt64BE(BATCH_MAX_TIMESTAMP)).toBe(-1n);
    }
  });

  test("is the time of arrival when finding it would inflate too much", () => {
    const builder = new BatchBuilder(ADMIT_INFLATED_BYTES_MAX + 1000);
    const value = Buffer.alloc(ADMIT_INFLATED_BYTES_MAX);
    builder.append(START_MS, null, 0, 0, value, 0, value.length);
    const batch = builder.finish({ codec: "zstd" });
    batch.writeBigInt64BE(-1n, BATCH_MAX_TIMESTAMP);
    expect(admitted(resealed(batch))).toBeNull();
    expect(batchMaxTimestamp(batch, 0)).toBe(NOW_MS);
  });

  test("is the time of arrival for what comes in one turn beyond that, and found again in the next", async () => {
    for (const codec of ["gzip", "snappy", "lz4", "zstd"] as const) {
      await nextTurn();
      const builder = new BatchBuilder(ADMIT_INFLATED_BYTES_MAX);
      const value = Buffer.alloc(ADMIT_INFLATED_BYTES_MAX / 2 - 1000);
      builder.append(START_MS, null, 0, 0, value, 0, value.length);
      const sent = builder.finish({ codec });
      sent.writeBigInt64BE(-1n, BATCH_MAX_TIMESTAMP);
      resealed(sent);
      const options = { ...OPTIONS, bytesMax: sent.length };
      const foundMs = () => {
        const batch = Buffer.from(sent);
        expect(admitBatch(batch, 0, batch.length, options, NOW_MS)).toBeNull();
        return batchMaxTimestamp(batch, 0);
      };
      expect([foundMs(), foundMs(), foundMs(), foundMs()]).toEqual([START_MS, START_MS, NOW_MS, NOW_MS]);
      await nextTurn();
      expect(foundMs()).toBe(START_MS);
    }
  });

  test("of a record that lies beyond 53 bits is refused", () => {
    const batch = batchWith(() => {});
    batch.writeBigInt64BE(2n ** 53n - 10n, 27);
    expect(admitted(resealed(batch))).toBe("INVALID_TIMESTAMP");
  });

  test("is left alone where the topic stamps records itself", () => {
    for (const codec of ["none", "gzip"] as const) {
      const batch = withMax(-1n, codec);
      expect(admitted(batch, true)).toBeNull();
      expect(batch).toEqual(withMax(-1n, codec));
    }
  });
});

describe("attributes", () => {
  test("log append time is taken back, as the word of a client", () => {
    for (const codec of CODECS) {
      const batch = batchWith((bytes) => {
        bytes[BATCH_ATTRIBUTES + 1]! |= 0x08;
      }, codec);
      expect(admitted(batch)).toBeNull();
      expect(batch).toEqual(withMax(BigInt(START_MS + 70), codec));
    }
  });

  test("bits without a meaning stay, and go only with a header that is corrected anyway", () => {
    const attributesOf = (batch: Buffer) => [admitted(batch), batch.readInt16BE(BATCH_ATTRIBUTES)];
    const change = (bytes: Buffer) => bytes.writeInt16BE(0x0180, BATCH_ATTRIBUTES);
    expect(attributesOf(batchWith(change))).toEqual([null, 0x0180]);
    const repaired = batchWith((bytes) => {
      change(bytes);
      bytes.writeBigInt64BE(-1n, BATCH_MAX_TIMESTAMP);
    });
    expect(attributesOf(repaired)).toEqual([null, 0]);
    expect(computeBatchCrc(repaired, 0, repaired.length)).toBe(repaired.readUInt32BE(17));
  });
});

describe("records that are not what the header says are refused", () => {
  function counted(count: number, codec: Codec): Buffer {
    const batch = buildBatch(3, { codec });
    batch.writeInt32BE(count - 1, 23);
    batch.writeInt32BE(count, 57);
    return resealed(batch);
  }

  test("fewer and more of them", () => {
    expect([1, 2, 3, 4].map((count) => admitted(counted(count, "none")))).toEqual([
      "INVALID_RECORD",
      "INVALID_RECORD",
      null,
      "INVALID_RECORD",
    ]);
  });

  test("compressed ones only when the header makes us open them", () => {
    const wrong = counted(4, "gzip");
    expect(admitted(wrong)).toBeNull();
    wrong.writeBigInt64BE(-1n, BATCH_MAX_TIMESTAMP);
    expect(admitted(resealed(wrong))).toBe("INVALID_RECORD");
    const garbled = buildBatch(3, { codec: "gzip" });
    garbled.fill(0xff, BATCH_HEADER_BYTES);
    expect(admitted(resealed(garbled))).toBeNull();
    garbled.writeBigInt64BE(-1n, BATCH_MAX_TIMESTAMP);
    expect(admitted(resealed(garbled))).toBe("INVALID_RECORD");
  });

  test("every byte of garbage", () => {
    const batch = buildBatch(3);
    batch.fill(0xff, BATCH_HEADER_BYTES);
    expect(admitted(resealed(batch))).toBe("INVALID_RECORD");
  });
});
