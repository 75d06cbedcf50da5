import { expect, test } from "bun:test";
import { findingLine, repairedLine, summaryLines } from "../../commands/verify-lines.ts";
import { NOTHING_CHECKED, type VerifySummary } from "../../src/storage/verify/sink.ts";

const FINDING = {
  file: "topics/t/0/00000000000000000000.log",
  position: 61,
  bytes: 1,
  kind: "damaged-batch" as const,
  detail: "its checksum does not hold",
};

function summary(changes: Partial<VerifySummary>): VerifySummary {
  return { ...NOTHING_CHECKED, ...changes };
}

test("a finding is one line with its file, place, extent and kind", () => {
  expect(findingLine("finding", FINDING)).toBe(
    "topics/t/0/00000000000000000000.log at 61, 1 byte: damaged-batch: its checksum does not hold",
  );
  expect(findingLine("repair", { ...FINDING, bytes: 7 })).toStartWith(
    "repaired: topics/t/0/00000000000000000000.log at 61, 7 bytes:",
  );
});

test("the summary says what was checked, and only what there is to say", () => {
  expect(
    summaryLines(
      "data",
      summary({ topics: 1, partitions: 2, segments: 2, batches: 1, records: 3, bytes: 2048 }),
    ),
  ).toEqual([
    "data: nothing wrong",
    "  checked 2 KiB: 1 topic, 2 partitions, 2 segments, 1 batch, 3 records",
  ]);
  expect(
    summaryLines(
      "data",
      summary({ findings: 2, holes: 1, holeBytes: 10, goMessages: 114, isServerRunning: true }),
    ),
  ).toEqual([
    "data: 2 findings",
    "  checked 0 B: 0 topics, 0 partitions, 0 segments, 0 batches, 0 records",
    "  114 messages of a Go Obelisk, imported at the next start",
    "  1 hole of 10 B in all, quarantined by earlier recoveries (quarantine/)",
    "  a server is running here: what it was just writing was not checked",
    "  `obelisk verify data --repair` repairs what can be repaired",
  ]);
});

test("a repair says what remains", () => {
  expect([repairedLine("d", 0, 0), repairedLine("d", 1, 0), repairedLine("d", 3, 2)]).toEqual([
    "d: nothing wrong, nothing changed",
    "d: repaired, 1 finding, none remains",
    "d: 3 findings, 2 of them could not be repaired",
  ]);
});
