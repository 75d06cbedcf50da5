/**
 * Bytes that the disk refuses to read are reported with their place, apart from damage; what can be read beside them is judged, and a
 * repair leaves them as they are. So it does with damage that it cannot copy.
 */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Finding } from "../../../src/storage/contract.ts";
import { inspectRecords } from "../../../src/storage/inspect/records.ts";
import { inspectPath } from "../../../src/storage/inspect.ts";
import { buildData, copyData, disk, flipByte, readData, scratchFolder } from "../../support/data-tree.ts";
import { RefusingFiles } from "../../support/refusing-files.ts";
import { placeAndKind, repairTree, verifyTree } from "../../support/verify-tree.ts";

setDefaultTimeout(60_000);

const PARTITION = "topics/orders/0";
const FIRST_LOG = `${PARTITION}/00000000000000000000.log`;
const folder = scratchFolder();
const whole = folder.make("whole");
const scratch = folder.make("scratch");
let expected: Record<number, string[]> = {};
let number = 0;

beforeAll(async () => {
  await buildData(whole);
  expected = await readData(fresh());
});
afterAll(() => folder[Symbol.dispose]());

function fresh(): string {
  number += 1;
  return copyData(whole, join(folder.path, `copy-${number}`));
}

function refusing(file: string, start: number, end: number): RefusingFiles {
  const files = new RefusingFiles(disk);
  files.refused = [{ file, start, end }];
  return files;
}

/** What lies at a partition's log, without what a start or a repair writes. */
function logBytes(path: string): Buffer {
  return readFileSync(join(path, FIRST_LOG));
}

const REASON = "input/output error (EIO)";

test("a page of a log is reported with file, place and errno, and everything beside it is judged", async () => {
  const path = fresh();
  const { size } = statSync(join(path, FIRST_LOG));
  const all = (await verifyTree(path, scratch)).summary;
  for (let page = 0; page < size; page += 4096) {
    const { findings, notes, summary } = await verifyTree(path, scratch, refusing(FIRST_LOG, page, page + 1));
    const bytes = Math.min(4096, size - page);
    expect([findings.map(({ detail: _, ...place }) => place), notes]).toEqual([
      [{ file: FIRST_LOG, position: page, bytes, kind: "unreadable" }],
      [],
    ]);
    expect(findings[0]!.detail).toStartWith(`${REASON}; what lies at `);
    expect(summary.bytes).toBe(all.bytes);
    expect(all.batches - summary.batches).toBeLessThan(70);
  }
});

test("damage beside a page that cannot be read is still reported as that", async () => {
  const path = fresh();
  flipByte(join(path, FIRST_LOG), 520);
  flipByte(join(path, FIRST_LOG.replace("orders/0", "orders/1")), 520);
  const { findings } = await verifyTree(path, scratch, refusing(FIRST_LOG, 4096, 4097));
  expect(findings.map(placeAndKind)).toEqual([
    `${FIRST_LOG} damaged-batch`,
    `${FIRST_LOG} unreadable`,
    `${FIRST_LOG.replace("orders/0", "orders/1")} damaged-batch`,
  ]);
});

for (const [file, advice] of [
  [
    FIRST_LOG,
    "the disk may give it later; else put a copy in its place that has zeros there, and repair again",
  ],
  [FIRST_LOG.replace(".log", ".index"), "make it readable, or remove it: it is rebuilt from the log"],
  [FIRST_LOG.replace(".log", ".timeindex"), "make it readable, or remove it: it is rebuilt from the log"],
  [`${PARTITION}/producers.snapshot`, "make it readable, or move it away: the whole log is read instead"],
] as const) {
  test(`a repair leaves ${file.split("/").at(-1)} as it is where the disk refuses it, and says what to do`, async () => {
    const path = fresh();
    flipByte(join(path, FIRST_LOG.replace("orders/0", "orders/1")), 520);
    const before = readFileSync(join(path, file));
    const files = refusing(file, 0, 1);
    const { remaining, repairs } = await repairTree(path, scratch, files);
    expect(remaining.map(placeAndKind)).toEqual([`${file} unreadable`]);
    expect(remaining[0]!.detail).toEndWith(`; left as it is: ${advice}`);
    expect(repairs.map(placeAndKind)).toEqual([`${FIRST_LOG.replace("orders/0", "orders/1")} damaged-batch`]);
    expect(readFileSync(join(path, file))).toEqual(before);
    const healthy = await verifyTree(path, scratch);
    expect(healthy.findings).toEqual([]);
    expect((await readData(path))[0]).toEqual(expected[0]!);
  });
}

for (const file of ["obelisk.json", "meta.db", "meta.db-wal"]) {
  test(`a repair refuses when the disk refuses ${file}, and quarantines nothing`, async () => {
    const path = fresh();
    if (file === "meta.db-wal") disk.replace(join(path, file), Buffer.alloc(100));
    flipByte(join(path, FIRST_LOG), 520);
    const before = readFileSync(join(path, file));
    const repair = repairTree(path, scratch, refusing(`/${file}`, 0, 1));
    await expect(repair).rejects.toMatchObject({ name: "ObeliskError" });
    expect(readFileSync(join(path, file))).toEqual(before);
    expect(disk.exists(join(path, "quarantine"))).toBe(false);
  });
}

test("damage that cannot be copied is left as it is, and reported so; the next repair that can copies and repairs it", async () => {
  const path = fresh();
  flipByte(join(path, FIRST_LOG), 520);
  const before = logBytes(path);
  const files = new RefusingFiles(disk);
  const more = Number.POSITIVE_INFINITY;
  files.setFault({ operations: ["replace"], path: "/quarantine/", errno: "ENOSPC", nth: 1, more });
  const { remaining, repairs } = await repairTree(path, scratch, files);
  expect(repairs).toEqual([]);
  expect(remaining.map(placeAndKind)).toEqual([`${FIRST_LOG} damaged-batch`]);
  expect(remaining[0]!.detail).toEndWith(
    "; left as it is: it could not be copied to quarantine: no space left on device (ENOSPC)",
  );
  files.setFault(null);
  const second = await repairTree(path, scratch, files);
  expect([second.remaining, second.repairs.map(placeAndKind)]).toEqual([[], [`${FIRST_LOG} damaged-batch`]]);
  expect(logBytes(path)).toEqual(before);
});

test("inspect shows what it can read, and lists what it cannot", async () => {
  const path = fresh();
  const files = refusing(FIRST_LOG, 4096, 4097);
  const inspection = inspectPath(files, path);
  expect(inspection.unreadable).toEqual([{ path: FIRST_LOG, reason: `at 4096, 4096 bytes: ${REASON}` }]);
  const healthy = inspectPath(disk, path);
  expect([inspection.damagedBytes, inspection.bytes]).toEqual([0, healthy.bytes]);
  expect(healthy.batches - inspection.batches).toBeGreaterThan(0);
  const omitted: Finding[] = [];
  let records = 0;
  for await (const _ of inspectRecords(files, path, (omission) => omitted.push(omission))) records += 1;
  expect(omitted).toEqual([
    { file: FIRST_LOG, position: 4096, bytes: 4096, kind: "unreadable", detail: REASON },
  ]);
  expect(records).toBe(inspection.records);
  const snapshot = `${PARTITION}/producers.snapshot`;
  const without = inspectPath(refusing(snapshot, 0, 1), path);
  expect(without.unreadable).toEqual([{ path: snapshot, reason: REASON }]);
  expect(without.records).toBe(healthy.records);
});
