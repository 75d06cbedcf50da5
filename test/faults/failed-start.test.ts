/**
 * The compiled server starts on files that it cannot read, open, list, cut or sync. Held to: it starts, the partition is offline and
 * reports why, clients get a retriable error and never that an offset is out of range, the neighbour serves, nothing on the disk
 * changes, and the next start without the fault serves every record.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { wireCode } from "../../src/base/errors.ts";
import { KiB } from "../../src/base/units.ts";
import { fetchOnce, listEndOffset } from "../crash/wire.ts";
import {
  type Fault,
  failingStartsMissing,
  injectedIn,
  titled,
  underFaults,
} from "../support/failing-calls.ts";
import { compiled } from "../support/obelisk-command.ts";
import { filesBelow } from "./files-below.ts";
import { Ledger } from "./ledger.ts";
import { Observed } from "./observed.ts";
import { Bench, SMALL_SEGMENTS } from "./support.ts";

const REFUSED = wireCode("KAFKA_STORAGE_ERROR");
const RECORDS = 40;
const READ = "pread64,preadv,preadv2,read";
const OPEN = "open,openat";

interface Trouble {
  readonly name: string;
  readonly faults: readonly Fault[];
  /** Of the partition's files, in the order of their names. */
  readonly file: (names: readonly string[]) => string;
  /** How the server ended before. */
  readonly ending: "clean" | "killed";
  /** After a graceful shutdown the start can do without: the partition may be online, and whoever reads the file misses it. */
  readonly isDispensable?: boolean;
  /** What lies below may be read: it was durable before. 0 when absent. */
  readonly knownEnd?: number;
  /** Puts the file into a condition in which the call is made. */
  readonly prepare?: (path: string) => void;
}

/** By its own descriptor, and with everything else on the file system. */
const syncs = (error: Fault["error"]): Fault[] => [
  { calls: "fdatasync", error },
  { calls: "syncfs", error },
];
const logs = (names: readonly string[]) => names.filter((name) => name.endsWith(".log"));
const active = (names: readonly string[]) => logs(names).at(-1)!;
const directory = () => "";
const snapshot = () => "producers.snapshot";

const TROUBLES: readonly Trouble[] = [
  { name: "active segment, killed", faults: [{ calls: READ, error: "EIO" }], file: active, ending: "killed" },
  {
    name: "active segment",
    faults: [{ calls: READ, error: "EIO" }],
    file: active,
    ending: "clean",
    isDispensable: true,
  },
  {
    name: "sealed segment, killed",
    faults: [{ calls: READ, error: "EIO" }],
    file: (names) => logs(names)[1]!,
    ending: "killed",
  },
  { name: "snapshot", faults: [{ calls: READ, error: "EIO" }], file: snapshot, ending: "clean" },
  {
    name: "snapshot that cannot be opened",
    faults: [{ calls: OPEN, error: "EIO" }],
    file: snapshot,
    ending: "clean",
  },
  {
    name: "snapshot, too many open files",
    faults: [{ calls: OPEN, error: "EMFILE" }],
    file: snapshot,
    ending: "clean",
  },
  {
    name: "active segment that cannot be opened",
    faults: [{ calls: OPEN, error: "EIO" }],
    file: active,
    ending: "clean",
    isDispensable: true,
  },
  {
    name: "active segment, too many open files",
    faults: [{ calls: OPEN, error: "EMFILE" }],
    file: active,
    ending: "killed",
  },
  {
    name: "active segment, no permission",
    faults: [{ calls: OPEN, error: "EACCES" }],
    file: active,
    ending: "clean",
    isDispensable: true,
  },
  {
    name: "directory that cannot be listed",
    faults: [{ calls: "getdents64", error: "EIO" }],
    file: directory,
    ending: "clean",
  },
  {
    name: "directory that cannot be opened",
    faults: [{ calls: OPEN, error: "EMFILE" }],
    file: directory,
    ending: "killed",
  },
  {
    name: "torn end that cannot be cut off",
    faults: [{ calls: "ftruncate", error: "EIO" }],
    file: active,
    ending: "killed",
    prepare: (path) => appendFileSync(path, Buffer.alloc(100, 7)),
  },
  {
    name: "active segment that cannot be written again",
    faults: [{ calls: "pwrite64", error: "EIO" }],
    file: active,
    ending: "killed",
  },
  {
    name: "active segment that cannot be synced",
    faults: syncs("EIO"),
    file: active,
    ending: "killed",
    knownEnd: RECORDS / 2,
  },
  {
    name: "active segment, full disk at its sync",
    faults: syncs("ENOSPC"),
    file: active,
    ending: "killed",
    knownEnd: RECORDS / 2,
  },
];

/** How the log names it. */
const REASONS: Record<Fault["error"], RegExp> = {
  EIO: /EIO/,
  EMFILE: /EMFILE|too many open files/,
  ENOSPC: /ENOSPC|the disk is full/,
  EACCES: /EACCES|permission/,
  ENOMEM: /ENOMEM|memory/,
};

const missing = compiled.missing ?? failingStartsMissing;

describe.skipIf(missing !== undefined)(titled("a start on files that fail", missing), () => {
  const bench = new Bench();
  const trace = join(bench.directory, "trace");
  const ill = new Ledger("ill");
  const neighbour = new Ledger("neighbour");
  const place = join(bench.data, "topics/ill/0");
  const sourceOf = (ending: string) => join(bench.directory, ending);

  beforeAll(async () => {
    const first = await Observed.start(bench, SMALL_SEGMENTS);
    for (const ledger of [ill, neighbour]) {
      await ledger.create(first.wire);
      await ledger.fill(first.wire, RECORDS / 2, 64 * KiB);
    }
    expect(await first.stop()).toBe(0);
    const second = await Observed.start(bench, SMALL_SEGMENTS);
    for (const ledger of [ill, neighbour]) await ledger.fill(second.wire, RECORDS / 2, 64 * KiB);
    await second.stop("SIGKILL");
    cpSync(bench.data, sourceOf("killed"), { recursive: true });
    expect(await (await Observed.start(bench, SMALL_SEGMENTS)).stop()).toBe(0);
    cpSync(bench.data, sourceOf("clean"), { recursive: true });
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  /** It reports why, and tells no client a wrong end offset. */
  async function expectOffline(sick: Observed, { error }: Fault, knownEnd: number) {
    expect(await sick.health()).toMatchObject({ status: "degraded", offline: 1 });
    expect(sick.log).toMatch(REASONS[error]);
    expect(sick.log).toContain("topics/ill/0");
    for (const offset of [0, RECORDS - 1, RECORDS, RECORDS + 1]) {
      const { errorCode } = await fetchOnce(sick.wire, "ill", offset);
      expect(errorCode).toBe(offset < knownEnd && errorCode === 0 ? 0 : REFUSED);
    }
    if (knownEnd === 0) expect((await listEndOffset(sick.wire, "ill")).errorCode).toBe(REFUSED);
    expect(await ill.send(sick.wire, 100)).toEqual([REFUSED]);
  }

  for (const { name, faults, file, ending, isDispensable = false, knownEnd = 0, prepare } of TROUBLES) {
    test(`leaves them alone: ${name} (${faults[0]!.error})`, async () => {
      for (const path of [bench.data, trace]) rmSync(path, { recursive: true, force: true });
      cpSync(sourceOf(ending), bench.data, { recursive: true });
      const path = join(place, file(readdirSync(place).sort()));
      prepare?.(path);
      const paths = [path];
      // Through whichever descriptor a syncfs goes.
      if (faults.some(({ calls }) => calls === "syncfs")) paths.push(bench.data, join(bench.data, "topics"));
      const files = await filesBelow(place);
      // Its sync comes after the new leader epoch, which the snapshot names.
      const hasNewEpoch = knownEnd > 0;

      const sick = await Observed.start(bench, SMALL_SEGMENTS, underFaults(compiled, faults, paths, trace));
      expect(injectedIn(trace)).toBeGreaterThan(0);
      if (!isDispensable || (await sick.health()).offline > 0)
        await expectOffline(sick, faults[0]!, knownEnd);
      else expect((await fetchOnce(sick.wire, "ill", RECORDS - 1)).errorCode).toBe(REFUSED);
      await neighbour.check(sick.wire);
      await sick.stop();
      const after = await filesBelow(place);
      if (hasNewEpoch) after["producers.snapshot"] = files["producers.snapshot"]!;
      expect(after).toEqual(files);
      // What would be cut off is copied there before.
      if (prepare === undefined) expect(existsSync(join(bench.data, "quarantine"))).toBe(false);

      const well = await Observed.start(bench, SMALL_SEGMENTS);
      expect(await well.health()).toMatchObject({ status: "healthy", offline: 0 });
      for (const ledger of [ill, neighbour]) await ledger.check(well.wire);
      expect(await well.stop()).toBe(0);
    });
  }
});
