/**
 * Index files that are cut, removed, replaced or garbled under the compiled server, or that the disk refuses, while clients read and
 * search. Held to: the server goes on, every response is as it was, the index is rebuilt from the log and reported as a finding, and
 * after a stop `verify` finds nothing. The index has several pages (src/storage/file/index-pages.ts); the harm is done when some of
 * them were read.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { KiB } from "../../src/base/units.ts";
import { createTopic, fetchOnce, listOffset, produceBatch } from "../crash/wire.ts";
import { batchOf, recordsIn } from "../support/batches.ts";
import { FailingCalls, failingCallsMissing, titled } from "../support/failing-calls.ts";
import { compiled } from "../support/obelisk-command.ts";
import { randomOf } from "../support/random.ts";
import { Observed } from "./observed.ts";
import { Bench } from "./support.ts";

const FLAGS = ["--segment-bytes=12MiB", "--message-bytes-max=1MiB", "--batch-bytes=64KiB"];
/** Each a batch of its own, and an entry: five pages in the first segment. */
const RECORDS = 3000;
const START_MS = 1_700_000_000_000;
const STEP_MS = 10;
/** An offset in a page that no search before has read. */
const UNREAD_OFFSET = 2000;
const FIRST = "00000000000000000000";

const textOf = (offset: number, bytes: number) => `record ${offset} `.padEnd(bytes, "x");
const RECORD_BYTES = 5 * KiB;
const OTHER_BYTES = 7 * KiB;

interface Harm {
  readonly name: string;
  harm(path: string, other: string): void;
}

const HARMS: readonly Harm[] = [
  { name: "cut short", harm: (path) => truncateSync(path, 4 * KiB) },
  { name: "emptied", harm: (path) => truncateSync(path, 0) },
  { name: "removed", harm: (path) => rmSync(path) },
  { name: "replaced by that of another log", harm: (path, other) => cpSync(other, path) },
  { name: "replaced by another file of its length", harm: replaceByNoise },
  {
    name: "garbled in its place",
    harm: (path) => writeFileSync(path, noise(statSync(path).size), { flag: "r+" }),
  },
  {
    name: "overwritten with zeros",
    harm: (path) => writeFileSync(path, Buffer.alloc(statSync(path).size), { flag: "r+" }),
  },
];

function replaceByNoise(path: string): void {
  writeFileSync(`${path}.new`, noise(statSync(path).size));
  renameSync(`${path}.new`, path);
}

function noise(bytes: number): Buffer {
  const random = randomOf(7);
  return Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)));
}

describe.skipIf(compiled.missing !== undefined)(
  titled("an index under a running server", compiled.missing),
  () => {
    const source = new Bench();

    beforeAll(async () => {
      const observed = await Observed.start(source, FLAGS);
      for (const [topic, bytes] of [
        ["t", RECORD_BYTES],
        ["other", OTHER_BYTES],
      ] as const) {
        await createTopic(observed.wire, topic);
        for (let offset = 0; offset < RECORDS; offset += 1) {
          const batch = batchOf([textOf(offset, bytes)], {}, START_MS + offset * STEP_MS);
          expect(await produceBatch(observed.wire, topic, batch)).toMatchObject({
            errorCode: 0,
            baseOffset: offset,
          });
        }
      }
      expect(await observed.stop()).toBe(0);
    });

    afterAll(async () => {
      await source[Symbol.asyncDispose]();
    });

    async function check({ wire }: Observed, offset: number): Promise<void> {
      const { errorCode, records } = await fetchOnce(wire, "t", offset);
      expect([errorCode, recordsIn(records!)[0]]).toEqual([0, [offset, textOf(offset, RECORD_BYTES)]]);
      const timestamp = START_MS + offset * STEP_MS;
      expect(await listOffset(wire, "t", timestamp - 1)).toMatchObject({ errorCode: 0, offset, timestamp });
    }

    async function checkAll(observed: Observed): Promise<void> {
      for (let offset = 0; offset < RECORDS; offset += 211) await check(observed, offset);
      const latest = { errorCode: 0, offset: RECORDS - 1, timestamp: START_MS + (RECORDS - 1) * STEP_MS };
      expect(await listOffset(observed.wire, "t", -3)).toMatchObject(latest);
    }

    test.skipIf(process.platform !== "linux")(
      "no file of the data directory is mapped, whatever was requested",
      async () => {
        await using bench = new Bench();
        cpSync(source.data, bench.data, { recursive: true });
        const observed = await Observed.start(bench, FLAGS);
        await checkAll(observed);
        await createTopic(observed.wire, "new");
        const maps = readFileSync(`/proc/${observed.server.child.pid}/maps`, "utf8").split("\n");
        expect(maps.filter((line) => line.includes(bench.data))).toEqual([]);
        expect(readdirSync(bench.data)).not.toContain("meta.db-shm");
        expect(await observed.stop()).toBe(0);
      },
    );

    for (const suffix of ["index", "timeindex"]) {
      for (const { name, harm } of HARMS) {
        test(`a .${suffix} that is ${name} changes no response`, async () => {
          await using bench = new Bench();
          cpSync(source.data, bench.data, { recursive: true });
          const path = join(bench.data, `topics/t/0/${FIRST}.${suffix}`);
          const before = readFileSync(path);
          const observed = await Observed.start(bench, FLAGS);
          await check(observed, 10);
          harm(path, join(bench.data, `topics/other/0/${FIRST}.${suffix}`));
          await check(observed, UNREAD_OFFSET);
          await checkAll(observed);
          expect(await observed.health()).toMatchObject({ status: "healthy", offline: 0, findings: 1 });
          expect(await observed.stop()).toBe(0);
          expect(observed.log).toContain("rebuilt from the log");
          expect(readFileSync(path).equals(before)).toBe(true);
          expect(await bench.run("verify", bench.data)).toMatchObject({ exitCode: 0, stderr: "" });
        });
      }

      const missing = failingCallsMissing;
      test.skipIf(missing !== undefined)(
        titled(`a .${suffix} that the disk refuses changes no response`, missing),
        async () => {
          await using bench = new Bench();
          cpSync(source.data, bench.data, { recursive: true });
          const path = join(bench.data, `topics/t/0/${FIRST}.${suffix}`);
          const observed = await Observed.start(bench, FLAGS);
          await check(observed, 10);
          {
            const fault = { calls: "pread64,preadv,preadv2,read", error: "EIO" } as const;
            await using failing = await FailingCalls.attach(observed.server.child.pid, [fault], [path]);
            await check(observed, UNREAD_OFFSET);
            expect(failing.count).toBeGreaterThan(0);
          }
          await checkAll(observed);
          expect(await observed.health()).toMatchObject({ status: "healthy", offline: 0, findings: 1 });
          expect(await observed.stop()).toBe(0);
          expect(observed.log).toContain("rebuilt from the log");
          expect(await bench.run("verify", bench.data)).toMatchObject({ exitCode: 0, stderr: "" });
        },
      );
    }
  },
);
