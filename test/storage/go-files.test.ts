/** The files of a Go Obelisk: what it really wrote, then every kind of damage, with what must still be read around it. */

import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDisk } from "../../src/base/disk.ts";
import type { Finding } from "../../src/storage/contract.ts";
import { readGoOffsets, scanGoLog } from "../../src/storage/file/import/go-files.ts";
import { goFrame, goIndex, writeGoTopic } from "../support/go-data.ts";

const FIXTURE = join(import.meta.dir, "fixtures/go-data");
const files = createDisk();
const root = mkdtempSync(join(tmpdir(), "obelisk-go-"));
const path = join(root, "t.log");

beforeEach(() => {
  for (const name of ["t.log", "t.idx", "c.json"]) rmSync(join(root, name), { force: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("the fixture reads as the 114 messages that the Go Obelisk wrote", () => {
  const { messages, findings } = read(join(FIXTURE, "topics/topic-0.log"), "topic-0");
  expect(findings).toEqual([]);
  expect(messages.length).toBe(114);
  expect(messages[0]).toEqual({
    number: 0,
    position: 0,
    timestampMs: 1_755_329_647_953,
    key: "batch-user0",
    value: "Size test message 0",
  });
  expect(messages[113]).toMatchObject({
    number: 113,
    position: 7127,
    key: "batch-user99",
    value: "Size test message 99",
  });
});

test("the fixture's saved offsets read as they were saved", () => {
  expect(readGoOffsets(files, join(FIXTURE, "consumers/test-consumer.json"))).toEqual({
    offsets: new Map([
      ["topic-", 0],
      ["topic-1", 114],
      ["topic-2", 114],
    ]),
  });
});

test("every truncation of a log gives its whole messages and one torn tail", () => {
  const frames = ["", "one", "two two", "x".repeat(300)].map((value, index) =>
    goFrame("t", `k${index}`, value),
  );
  const whole = Buffer.concat(frames);
  const starts = goIndex(frames);
  const ends = frames.map((frame, index) => starts[index]! + frame.length);
  for (let bytes = 0; bytes <= whole.length; bytes += 1) {
    writeFileSync(path, new Uint8Array(whole.subarray(0, bytes)));
    const { messages, findings } = read();
    const count = ends.filter((end) => end <= bytes).length;
    expect(messages.map(({ key }) => key)).toEqual(["k0", "k1", "k2", "k3"].slice(0, count));
    const end = ends[count - 1] ?? 0;
    const torn = findings.filter(({ kind }) => kind !== "missing-index");
    expect(torn.map(({ kind, position, bytes: lost }) => [kind, position, lost])).toEqual(
      end === bytes ? [] : [["torn-tail", end, bytes - end]],
    );
  }
});

test("a flipped bit costs at most the message that it hits, with and without an index", () => {
  const frames = Array.from({ length: 6 }, (_, index) => goFrame("t", `key-${index}`, `value-${index}`));
  const starts = goIndex(frames);
  const whole = Buffer.concat(frames);
  for (const hasIndex of [true, false]) {
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      writeGoTopic(root, "t", [damaged], hasIndex ? starts : null);
      const hit = starts.findLastIndex((start) => start <= bit >> 3);
      const { messages, findings } = read();
      const others = messages.filter(({ position }) => position !== starts[hit]);
      const survivors = [0, 1, 2, 3, 4, 5].filter((number) => number !== hit);
      expect(others.map(({ number, key, value }) => [number, key, value])).toEqual(
        survivors.map((number) => [number, `key-${number}`, `value-${number}`]),
      );
      // A bit of a key, a value or a timestamp goes unnoticed: the format has no checksum.
      const damage = findings.filter(({ kind }) => kind !== "missing-index");
      if (messages.length === 6) expect(damage).toEqual([]);
      else
        expect(damage.map(({ position, bytes }) => [position, bytes])).toEqual([
          [starts[hit]!, frames[hit]!.length],
        ]);
    }
  }
});

test("numbers after damage come from the index, so saved offsets keep their meaning", () => {
  const frames = Array.from({ length: 8 }, (_, index) => goFrame("t", "", `${index}`));
  const starts = goIndex(frames);
  const bytes = Buffer.concat(frames);
  bytes.fill(0xff, starts[2]!, starts[5]!);
  writeGoTopic(root, "t", [bytes], starts);
  const { messages, findings } = read();
  expect(messages.map(({ number, value }) => [number, value])).toEqual([
    [0, "0"],
    [1, "1"],
    [5, "5"],
    [6, "6"],
    [7, "7"],
  ]);
  expect(findings).toEqual([
    {
      file: "topics/t.log",
      position: starts[2]!,
      bytes: starts[5]! - starts[2]!,
      kind: "damaged-frame",
      detail: "a frame cannot have a length of 4294967295",
    },
  ]);
});

test("a value that contains a whole frame does not become a message", () => {
  const inner = goFrame("t", "inner", "inner");
  const frames = [goFrame("t", "a", "1"), goFrame("t", "outer", inner), goFrame("t", "b", "2")];
  const bytes = Buffer.concat(frames);
  const starts = goIndex(frames);
  bytes[starts[1]! + 4 + 8] = 200; // the topic length of the outer frame
  writeGoTopic(root, "t", [bytes], starts);
  expect(read().messages.map(({ key }) => key)).toEqual(["a", "b"]);
});

test("each damage of an index is named and costs no message", () => {
  const frames = Array.from({ length: 5 }, (_, index) => goFrame("t", "", `${index}`));
  const starts = goIndex(frames);
  const cases: [string, number[], Buffer, [number, number, string][]][] = [
    [
      "wrong entry",
      starts.with(2, starts[2]! + 1),
      Buffer.alloc(0),
      [[16, 8, "1 entries point to no message"]],
    ],
    ["huge entry", starts.with(1, 2 ** 50), Buffer.alloc(0), [[8, 8, "1 entries point to no message"]]],
    ["missing entry", starts.toSpliced(2, 1), Buffer.alloc(0), [[0, 32, "1 messages have no entry"]]],
    ["missing last entry", starts.slice(0, 4), Buffer.alloc(0), [[0, 32, "1 messages have no entry"]]],
    ["entry too many", [...starts, 999], Buffer.alloc(0), [[40, 8, "1 entries point to no message"]]],
    ["half an entry", starts, Buffer.alloc(3), [[40, 3, "the file ends in the middle of an entry"]]],
    ["empty", [], Buffer.alloc(0), [[0, 0, "5 messages have no entry"]]],
  ];
  for (const [, entries, rest, expected] of cases) {
    writeGoTopic(root, "t", frames, entries);
    const index = readFileSync(join(root, "t.idx"));
    writeFileSync(join(root, "t.idx"), new Uint8Array(Buffer.concat([index, rest])));
    const { messages, findings } = read();
    expect(messages.map(({ value }) => value)).toEqual(["0", "1", "2", "3", "4"]);
    expect(findings).toEqual(
      expected.map(([position, bytes, detail]) => ({
        file: "topics/t.idx",
        position,
        bytes,
        kind: "damaged-index",
        detail,
      })),
    );
  }
});

test("messages up to the limit are read, and frames across the window's border", () => {
  const large = Buffer.alloc(10 * 1024 * 1024 - 20 - 1, 7);
  const frames = [goFrame("t", "", "a"), goFrame("t", "", large), goFrame("t", "", "b")];
  writeGoTopic(root, "t", frames, goIndex(frames));
  const { messages, findings } = read();
  expect(findings).toEqual([]);
  expect(messages.map(({ value }) => value.length)).toEqual([1, large.length, 1]);
});

test("offsets that make no sense are a fault, not a crash", () => {
  const consumer = join(root, "c.json");
  for (const text of ["", "[1]", "7", '{"t":-1}', '{"t":1.5}', '{"t":"1"}', "{"]) {
    writeFileSync(consumer, text);
    expect(readGoOffsets(files, consumer)).toHaveProperty("fault");
  }
  writeFileSync(consumer, "{}");
  expect(readGoOffsets(files, consumer)).toEqual({ offsets: new Map() });
});

interface Message {
  number: number;
  position: number;
  timestampMs: number;
  key: string;
  value: string;
}

function read(log = path, topic = "t"): { messages: Message[]; findings: Finding[] } {
  const messages: Message[] = [];
  const findings: Finding[] = [];
  for (const { frame, finding } of scanGoLog(files, log, `topics/${topic}.log`, topic)) {
    if (finding !== null) findings.push(finding);
    else {
      const { number, position, timestampMs, buffer } = frame;
      messages.push({
        number,
        position,
        timestampMs,
        key: buffer.toString("utf8", frame.keyStart, frame.keyEnd),
        value: buffer.toString("latin1", frame.valueStart, frame.valueEnd),
      });
    }
  }
  return { messages, findings };
}
