/**
 * Searches within one batch: where they end, what batches that do not open mean for them, and that one large batch at a time is open
 * while everybody else is served.
 */
import { describe, expect, spyOn, test } from "bun:test";
import { MiB } from "../../src/base/units.ts";
import {
  BATCH_CRC,
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LENGTH,
  BATCH_MAX_TIMESTAMP,
  computeBatchCrc,
  LOG_OVERHEAD,
  stampBatch,
} from "../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import { CODECS, type Codec } from "../../src/protocol/record/compression.ts";
import { RecordPieces } from "../../src/protocol/record/record-pieces.ts";
import { type Found, RecordSearch, SEARCH_INFLATED_BYTES_MAX } from "../../src/storage/record-search.ts";
import { largestTimestamp } from "../../src/storage/timestamps.ts";

const BASE_OFFSET = 40;
const LEADER_EPOCH = 3;
/** 5 MiB and more of the smallest records there are. */
const LARGE_RECORDS = 700_000;
const realBegin = RecordPieces.prototype.begin;
const realClose = RecordPieces.prototype.close;

function first(batch: Buffer, timestampMs: number, offsetMin: number): Found {
  return new RecordSearch().first(batch, 0, timestampMs, offsetMin);
}

function latest(batch: Buffer, offsetMin = 0, thanMs = -1): Found {
  return new RecordSearch().later(batch, 0, thanMs, offsetMin);
}

function batchAt(times: readonly number[], codec: Codec): Buffer {
  const builder = new BatchBuilder(MiB);
  for (const timestampMs of times) builder.append(timestampMs, null, 0, 0, null, 0, 0);
  const batch = builder.finish({ codec });
  stampBatch(batch, 0, BASE_OFFSET, LEADER_EPOCH);
  return batch;
}

/** A record at 1000 and one at 2000, at the offsets 40 and 41. */
function batchWith(valueBytes: number, change: (batch: Buffer) => void): Buffer {
  const builder = new BatchBuilder(2 * valueBytes + MiB);
  const value = Buffer.alloc(valueBytes);
  for (const timestampMs of [1000, 2000]) builder.append(timestampMs, null, 0, 0, value, 0, value.length);
  const batch = builder.finish({ codec: "zstd" });
  change(batch);
  batch.writeUInt32BE(computeBatchCrc(batch, 0, batch.length), BATCH_CRC);
  stampBatch(batch, 0, BASE_OFFSET, LEADER_EPOCH);
  return batch;
}

test("a producer's garbage holds no record to be found", async () => {
  for (const maxTimestampMs of [2000n, -1n]) {
    const batch = batchWith(10, (bytes) => {
      bytes.fill(0xff, BATCH_HEADER_BYTES);
      bytes.writeBigInt64BE(maxTimestampMs, BATCH_MAX_TIMESTAMP);
    });
    expect(await first(batch, 500, 0)).toBeNull();
    expect(await latest(batch)).toBeNull();
    expect(largestTimestamp(batch, 0)).toBe(maxTimestampMs === -1n ? 1000 : 2000);
  }
});

test("a batch beyond a limit of ours is found by its header, at its first offset", async () => {
  const batch = batchWith(65 * MiB, () => {});
  const place = { offset: BASE_OFFSET, timestampMs: 2000, leaderEpoch: LEADER_EPOCH };
  expect(await first(batch, 1500, 0)).toEqual(place);
  expect(await first(batch, 2001, 0)).toBeNull();
  expect(await first(batch, 1500, 41)).toEqual({ ...place, offset: 41 });
  expect(await first(batch, 1500, 42)).toBeNull();
  expect(await latest(batch)).toEqual(place);
  expect(largestTimestamp(batch, 0)).toBe(2000);
});

test("a compressed header that says too much leads to the record that comes nearest", async () => {
  const batch = batchWith(10, (bytes) => bytes.writeBigInt64BE(9000n, BATCH_MAX_TIMESTAMP));
  expect(await first(batch, 5000, 0)).toBeNull();
  expect(await latest(batch)).toMatchObject({ offset: BASE_OFFSET + 1, timestampMs: 2000 });
});

test("the first record is found for every search, with every codec, and the rest of the batch is not needed", async () => {
  const times = [50, 70, 60, 70, 90, 10];
  for (const codec of CODECS) {
    const batch = batchAt(times, codec);
    for (const timestampMs of [0, 50, 51, 65, 70, 71, 90, 91])
      for (let offsetMin = BASE_OFFSET; offsetMin <= BASE_OFFSET + times.length; offsetMin += 1) {
        const slot = times.findIndex(
          (time, index) => time >= timestampMs && BASE_OFFSET + index >= offsetMin,
        );
        const found = await first(batch, timestampMs, offsetMin);
        expect([codec, timestampMs, offsetMin, found?.offset, found?.timestampMs]).toEqual([
          codec,
          timestampMs,
          offsetMin,
          slot < 0 ? undefined : BASE_OFFSET + slot,
          times[slot],
        ]);
      }
    expect(await latest(batch)).toMatchObject({ offset: BASE_OFFSET + 4, timestampMs: 90 });
    expect(await latest(batch, BASE_OFFSET + 5)).toMatchObject({ offset: BASE_OFFSET + 5, timestampMs: 10 });
    expect(await latest(batch, 0, 90)).toBeNull();
  }
});

test("an offset that is another batch's is its producer's garbage", async () => {
  const batch = batchAt([10, 20, 30], "gzip");
  batch.writeInt32BE(1, BATCH_LAST_OFFSET_DELTA);
  expect(await first(batch, 20, 0)).toMatchObject({ offset: BASE_OFFSET + 1 });
  expect(await first(batch, 25, 0)).toBeNull();
  expect(await latest(batch)).toMatchObject({ offset: BASE_OFFSET + 1, timestampMs: 20 });
});

describe("a batch that inflates to much", () => {
  /** 700,000 records in 5 MiB, the last one later than the others. */
  const large = (() => {
    const builder = new BatchBuilder(8 * MiB);
    for (let index = 0; index < LARGE_RECORDS; index += 1)
      builder.append(index === LARGE_RECORDS - 1 ? 2000 : 1000, null, 0, 0, null, 0, 0);
    const batch = builder.finish({ codec: "zstd" });
    stampBatch(batch, 0, BASE_OFFSET, LEADER_EPOCH);
    return batch;
  })();
  const LAST = { offset: BASE_OFFSET + LARGE_RECORDS - 1, timestampMs: 2000, leaderEpoch: LEADER_EPOCH };

  test("is looked into in turns, and others are served between", async () => {
    const told: string[] = [];
    const serveOthers = () => {
      told.push("others");
      if (!told.includes("found")) setImmediate(serveOthers);
    };
    setImmediate(serveOthers);
    const found = first(large, 1500, 0);
    expect(found).toBeInstanceOf(Promise);
    expect(await found).toEqual(LAST);
    told.push("found");
    expect(told.length).toBeGreaterThan(4);
  });

  test("is alone: of many searches one has it open, and the next begins when its memory is back", async () => {
    let opened = 0;
    const alive = new Set<RecordPieces>();
    let mostAlive = 0;
    const begin = spyOn(RecordPieces.prototype, "begin").mockImplementation(function (
      this: RecordPieces,
      ...args: Parameters<RecordPieces["begin"]>
    ) {
      realBegin.apply(this, args);
      opened += 1;
      alive.add(this);
      mostAlive = Math.max(mostAlive, alive.size);
    });
    const close = spyOn(RecordPieces.prototype, "close").mockImplementation(function (this: RecordPieces) {
      realClose.apply(this);
      alive.delete(this);
    });
    try {
      const requested = Array.from({ length: 20 }, (_, index) =>
        index % 2 === 0 ? first(large, 1500, 0) : latest(large),
      );
      expect(await Promise.all(requested)).toEqual(requested.map(() => LAST));
    } finally {
      begin.mockRestore();
      close.mockRestore();
    }
    expect([opened, mostAlive, alive.size]).toEqual([20, 1, 0]);
  });

  test("is found in whatever codec, with records over several pieces, and holds none when its end does not open", async () => {
    const value = Buffer.alloc(3 * MiB, "some text, ");
    for (const codec of CODECS.slice(1)) {
      const builder = new BatchBuilder(16 * MiB);
      for (const timestampMs of [1000, 2000, 3000])
        builder.append(timestampMs, null, 0, 0, value, 0, value.length);
      const batch = builder.finish({ codec });
      stampBatch(batch, 0, BASE_OFFSET, LEADER_EPOCH);
      const second = { offset: BASE_OFFSET + 1, timestampMs: 2000, leaderEpoch: LEADER_EPOCH };
      expect([codec, await first(batch, 1500, 0)]).toEqual([codec, second]);
      expect([codec, await latest(batch)]).toEqual([
        codec,
        { offset: BASE_OFFSET + 2, timestampMs: 3000, leaderEpoch: LEADER_EPOCH },
      ]);
      const cut = Buffer.from(batch.subarray(0, batch.length - 3));
      cut.writeInt32BE(cut.length - LOG_OVERHEAD, BATCH_LENGTH);
      expect([codec, await first(cut, 1500, 0)]).toEqual([codec, null]);
    }
  });

  test("is judged by its header once a search has opened enough", async () => {
    const batch = batchWith(63 * MiB, () => {});
    const search = new RecordSearch();
    const second = { offset: BASE_OFFSET + 1, timestampMs: 2000, leaderEpoch: LEADER_EPOCH };
    for (let bytes = 0; bytes < SEARCH_INFLATED_BYTES_MAX; bytes += 126 * MiB)
      expect(await search.first(batch, 0, 1500, 0)).toEqual(second);
    const byHeader = { ...second, offset: BASE_OFFSET };
    expect(await search.first(batch, 0, 1500, 0)).toEqual(byHeader);
    expect(await search.later(batch, 0, 1000, 0)).toEqual(byHeader);
    expect(await search.first(batch, 0, 2001, 0)).toBeNull();
    expect(await new RecordSearch().first(batch, 0, 1500, 0)).toEqual(second);
  });
});
