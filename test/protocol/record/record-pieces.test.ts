/** Records over pieces of every size, against a cursor over all of them at once. */

import { expect, test } from "bun:test";
import { ObeliskError } from "../../../src/base/errors.ts";
import { BATCH_HEADER_BYTES, BATCH_RECORD_COUNT } from "../../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../../src/protocol/record/builder.ts";
import { RecordPieces } from "../../../src/protocol/record/record-pieces.ts";
import { RecordCursor, type StoredRecord } from "../../../src/protocol/record/records.ts";

const HEADERS = [{ key: "header", value: Buffer.from("its value") }];

/** Records of 7 bytes and of 20,000, with headers and without. */
function batch(): Buffer {
  const builder = new BatchBuilder(1024 * 1024);
  for (const [slot, bytes] of [0, 3, 100, 70, 20_000, 1, 64, 0].entries()) {
    const value = Buffer.alloc(bytes, `${slot}`);
    builder.append(1000 + slot * 300, value, 0, slot, value, 0, bytes, slot % 2 === 0 ? [] : HEADERS);
  }
  return builder.finish();
}

/** The records until the fault, and the fault. */
function walked(next: () => boolean, cursor: RecordCursor): (StoredRecord | string)[] {
  const records: (StoredRecord | string)[] = [];
  try {
    while (next()) records.push(cursor.record());
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    records.push(thrown.code);
  }
  return records;
}

function atOnce(whole: Buffer): (StoredRecord | string)[] {
  const cursor = new RecordCursor();
  cursor.open(whole, 0);
  return walked(() => cursor.next(), cursor);
}

function inPieces(whole: Buffer, pieceBytes: number): (StoredRecord | string)[] {
  const pieces = new RecordPieces();
  pieces.begin(whole, 0);
  let at = BATCH_HEADER_BYTES;
  const next = () => {
    while (!pieces.next()) {
      if (at >= whole.length) return false;
      const piece = Buffer.from(whole.subarray(at, at + pieceBytes));
      at += pieceBytes;
      pieces.add(piece);
    }
    return true;
  };
  return walked(next, pieces.cursor);
}

test("records are the same in pieces of every size", () => {
  const whole = batch();
  const expected = atOnce(whole);
  expect(expected).toHaveLength(8);
  for (const bytes of [...Array.from({ length: 200 }, (_, index) => index + 1), 19_999, 20_000, 100_000])
    expect([bytes, inPieces(whole, bytes)]).toEqual([bytes, expected]);
});

test("bytes after the last record are garbage, and so is a record that does not fit", () => {
  const more = batch();
  more.writeInt32BE(7, BATCH_RECORD_COUNT);
  for (const bytes of [1, 7, 64]) expect(inPieces(more, bytes)).toEqual(atOnce(more));
  for (const [what, length] of [
    ["below 0", [0x03]],
    ["of more than may be inflated", [0xfe, 0xff, 0xff, 0xff, 0x0f]],
    ["that has no end", [0xff, 0xff, 0xff, 0xff, 0xff]],
  ] as const) {
    const hostile = batch();
    hostile.set(length, BATCH_HEADER_BYTES);
    for (const bytes of [1, 3, 5000])
      expect([what, inPieces(hostile, bytes)]).toEqual([what, ["GARBLED_RECORDS"]]);
  }
});

test("a record that lacks its end is waited for, and never told", () => {
  const whole = batch();
  const records = inPieces(whole.subarray(0, whole.length - 1), 100);
  expect(records).toEqual(atOnce(whole).slice(0, 7));
});

test("one walk serves batch after batch, also when one was left in the middle", () => {
  const whole = batch();
  const pieces = new RecordPieces();
  for (let left = 0; left < 3; left += 1) {
    pieces.begin(whole, 0);
    pieces.add(whole.subarray(BATCH_HEADER_BYTES, BATCH_HEADER_BYTES + 300));
    expect(pieces.next()).toBe(true);
    expect(pieces.cursor.record().timestampMs).toBe(1000);
  }
  pieces.close();
  expect([pieces.cursor.buffer.length, pieces.cursor.remaining]).toEqual([0, 0]);
});
