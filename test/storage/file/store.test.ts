import { expect, test } from "bun:test";
import { createDisk } from "../../../src/base/disk.ts";
import type { Finding } from "../../../src/storage/contract.ts";
import { DescriptorPool } from "../../../src/storage/file/pool.ts";
import { FINDINGS_MAX, Store } from "../../../src/storage/file/store.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const LIMITS = { segmentBytesMax: 1000, segmentAgeMsMax: 1000, indexIntervalBytes: 100, fileIdleMs: 1000 };

test("findings beyond those that are kept are counted and still told", () => {
  const files = createDisk();
  const told: [Finding, boolean][] = [];
  const onFinding = (finding: Finding, isKept: boolean) => void told.push([finding, isKept]);
  const store = new Store(files, new DescriptorPool(files), new ManualClock(), "/data", LIMITS, onFinding);
  for (let index = 0; index < FINDINGS_MAX + 2; index += 1)
    store.report(`/data/topics/t/${index}`, 0, 0, "unreadable", "the disk failed");
  expect([store.findings.length, store.findingsDropped, told.length]).toEqual([
    FINDINGS_MAX,
    2,
    FINDINGS_MAX + 2,
  ]);
  const last = { file: `topics/t/${FINDINGS_MAX + 1}`, position: 0, bytes: 0, kind: "unreadable" as const };
  expect(told.at(-1)).toEqual([{ ...last, detail: "the disk failed" }, false]);
  expect(told[FINDINGS_MAX - 1]![1]).toBe(true);
});
