/** The bytes of `snapshots.journal`: what is written is found again, and damage costs the groups that it hit. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  BLOCK_BYTES,
  encodeGroup,
  type JournalEntry,
  scanJournal,
} from "../../../src/storage/file/snapshot-journal-format.ts";

function scanned(source: Buffer): { found: Record<string, string>; end: number; damagedAt: number } {
  const snapshots = new Map<string, Buffer>();
  const scan = scanJournal(source, snapshots);
  return {
    found: Object.fromEntries([...snapshots].map(([name, content]) => [name, String(content)])),
    ...scan,
  };
}

function entry(name: string, content: string | null): JournalEntry {
  return { name, content: content === null ? null : Buffer.from(content) };
}

test("a group has these bytes", () => {
  const group = encodeGroup([entry("t/0", "ab"), entry("é/12", null)]);
  expect(group.length).toBe(BLOCK_BYTES);
  const head = "4f42534a" + "0001" + "0000" + "0000002a" + "00000002";
  const entries = "0003742f30" + "00000002" + "6162" + "0005c3a92f3132" + "00000000";
  expect(group.subarray(0, 42).toString("hex")).toBe(`${head}${entries}cc636af0`);
  expect(group.readUInt32BE(8)).toBe(16 + 11 + 11 + 4);
  expect(group.subarray(42).every((byte) => byte === 0)).toBe(true);
});

test("the last entry of a partition counts, and one without content takes it out", () => {
  const groups = [
    [entry("a/0", "1"), entry("b/0", "2")],
    [entry("a/0", "3")],
    [entry("b/0", null), entry("c/1", "4")],
  ];
  const source = Buffer.concat([...groups.map(encodeGroup), Buffer.alloc(2 * BLOCK_BYTES)]);
  expect(scanned(source)).toEqual({ found: { "a/0": "3", "c/1": "4" }, end: 3 * BLOCK_BYTES, damagedAt: -1 });
});

test("a group that is not whole at the end is passed over, and is no damage", () => {
  const whole = encodeGroup([entry("a/0", "1")]);
  const torn = encodeGroup([entry("a/0", "2".repeat(3 * BLOCK_BYTES))]).subarray(0, 2 * BLOCK_BYTES);
  expect(scanned(Buffer.concat([whole, torn]))).toEqual({
    found: { "a/0": "1" },
    end: BLOCK_BYTES,
    damagedAt: -1,
  });
});

test("a flipped byte costs its group alone, and shows when others follow", () => {
  const groups = [
    [entry("a/0", "old")],
    [entry("a/0", "x".repeat(BLOCK_BYTES)), entry("b/0", "y")],
    [entry("c/0", "z")],
  ].map(encodeGroup);
  const source = Buffer.concat(groups);
  const used = 2 * BLOCK_BYTES; // the second group takes two blocks
  fc.assert(
    fc.property(fc.integer({ min: 0, max: used - 1 }), fc.integer({ min: 1, max: 255 }), (at, bits) => {
      const hit = Buffer.from(source);
      const place = BLOCK_BYTES + at;
      hit[place]! ^= bits;
      const { found, damagedAt } = scanned(hit);
      expect(found["c/0"]).toBe("z");
      const isPadding = at >= groups[1]!.readUInt32BE(8);
      expect(damagedAt).toBe(isPadding ? -1 : BLOCK_BYTES);
      expect(found["a/0"]!.length).toBe(isPadding ? BLOCK_BYTES : 3);
    }),
  );
});

test("any bytes at all are read without an error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3 * BLOCK_BYTES }), fc.nat(), (bytes, at) => {
      const source = Buffer.alloc(3 * BLOCK_BYTES);
      encodeGroup([entry("a/0", "1"), entry("b/0", "2")]).copy(source);
      Buffer.from(bytes).copy(source, at % source.length);
      scanned(source);
    }),
  );
});
