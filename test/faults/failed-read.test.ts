/**
 * Reads of the compiled server fail with EIO for a while, as on a disk with a bad cable, while consumers read. Held to: the read
 * is refused with what clients try again, no damage is made of it, nothing on the disk changes, and once reads succeed again
 * the same offsets give the same records, to the client that has waited too.
 */

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { wireCode } from "../../src/base/errors.ts";
import { KiB } from "../../src/base/units.ts";
import { fetchOnce } from "../crash/wire.ts";
import {
  FailingCalls,
  type Fault,
  failingCallsMissing,
  injectedIn,
  titled,
  underFaults,
} from "../support/failing-calls.ts";
import { until } from "../support/kafka-until.ts";
import { compiled, runObelisk } from "../support/obelisk-command.ts";
import { filesBelow } from "./files-below.ts";
import { Ledger } from "./ledger.ts";
import { Observed } from "./observed.ts";
import { Bench, runProgram, SMALL_SEGMENTS } from "./support.ts";

const REFUSED = wireCode("KAFKA_STORAGE_ERROR");
const RECORDS = 40;
const RECORD_BYTES = 64 * KiB;
const kcat = Bun.which("kcat");
const IMPATIENT = "-X fetch.error.backoff.ms=20 -X fetch.wait.max.ms=20";

interface Trouble {
  readonly name: string;
  readonly fault: Fault;
  /** Of the partition's files, in the order of their names. */
  readonly file: (names: readonly string[]) => string;
  /** An offset whose read meets it. */
  readonly offset: number;
}

const logs = (names: readonly string[]) => names.filter((name) => name.endsWith(".log"));
const READ: Fault = { calls: "pread64,preadv,preadv2,read", error: "EIO" };

const TROUBLES: readonly Trouble[] = [
  { name: "a sealed segment", fault: READ, file: (names) => logs(names)[0]!, offset: 3 },
  { name: "the active segment", fault: READ, file: (names) => logs(names).at(-1)!, offset: RECORDS - 1 },
];

/** What an index says can be found in the log too: a read succeeds without it, only slower, unless the process is short of descriptors. */
const INDEX_TROUBLES: readonly Trouble[] = (
  [
    { calls: "openat", error: "EIO" },
    { calls: "openat", error: "EMFILE" },
    { calls: "pread64,preadv,preadv2,read", error: "EIO" },
  ] as const
).map((fault) => ({
  name: `an index (${fault.calls} fails with ${fault.error})`,
  fault,
  file: (names) => names.find((name) => name.endsWith(".index"))!,
  offset: 3,
}));

const missing = compiled.missing ?? failingCallsMissing;

describe.skipIf(missing !== undefined)(titled("a read that fails", missing), () => {
  /** A server on files that it has not read yet: the memory of recent batches is empty. */
  async function start(bench: Bench) {
    const ledger = new Ledger("ill");
    const neighbour = new Ledger("neighbour");
    const before = await Observed.start(bench, SMALL_SEGMENTS);
    for (const made of [ledger, neighbour]) {
      await made.create(before.wire);
      await made.fill(before.wire, RECORDS, RECORD_BYTES);
    }
    expect(await before.stop()).toBe(0);
    const directory = join(bench.data, "topics/ill/0");
    const files = await filesBelow(directory);
    return { observed: await Observed.start(bench, SMALL_SEGMENTS), ledger, neighbour, directory, files };
  }

  for (const { name, fault, file, offset } of [...TROUBLES, ...INDEX_TROUBLES]) {
    test(`of ${name} is refused for as long, and costs no record`, async () => {
      await using bench = new Bench();
      const { observed, ledger, neighbour, directory, files } = await start(bench);
      const path = join(directory, file(readdirSync(directory).sort()));
      const canGoOn = path.endsWith(".index");
      let waiting: ReturnType<typeof runProgram> | undefined;
      {
        await using failing = await FailingCalls.attach(observed.server.child.pid, [fault], [path]);
        const response = await fetchOnce(observed.wire, "ill", offset);
        expect(response.errorCode).toBe(canGoOn && response.errorCode === 0 ? 0 : REFUSED);
        const metAtFirst = failing.count;
        expect(metAtFirst).toBeGreaterThan(0);
        await neighbour.check(observed.wire);
        if (kcat !== null) {
          const words = `-C -t ill -o ${offset} -e -q -f %o\\n ${IMPATIENT}`.split(" ");
          waiting = runProgram([kcat, "-b", observed.brokers, ...words]);
          if (!canGoOn) await until(() => failing.count > metAtFirst);
        }
      }
      const offsets = Array.from({ length: RECORDS - offset }, (_, index) => `${offset + index}\n`);
      if (waiting !== undefined) expect((await waiting).stdout.toString()).toBe(offsets.join(""));
      expect((await fetchOnce(observed.wire, "ill", offset)).errorCode).toBe(0);
      await ledger.check(observed.wire);
      expect(await observed.health()).toMatchObject({ status: "healthy", offline: 0 });
      expect(await observed.stop()).toBe(0);
      expect(observed.log).not.toContain("damaged");
      expect(await filesBelow(directory)).toEqual(files);
      expect(readdirSync(bench.data)).not.toContain("quarantine");
      expect(await bench.run("verify", bench.data)).toMatchObject({ exitCode: 0, stderr: "" });
    });
  }

  for (const flags of [[], ["--repair"]]) {
    test(`is reported by ${["verify", ...flags].join(" ")}, which changes nothing that it could not read`, async () => {
      await using bench = new Bench();
      const ledger = new Ledger("ill");
      const before = await Observed.start(bench, SMALL_SEGMENTS);
      await ledger.create(before.wire);
      await ledger.fill(before.wire, RECORDS, RECORD_BYTES);
      expect(await before.stop()).toBe(0);
      const files = await filesBelow(join(bench.data, "topics"));
      const file = "topics/ill/0/00000000000000000000.log";
      const trace = join(bench.directory, "trace");
      const program = underFaults(compiled, [READ], [join(bench.data, file)], trace);
      const { exitCode, stdout } = await runObelisk(["verify", bench.data, ...flags], { program });
      expect(exitCode).toBe(1);
      expect(stdout).toContain(`${file} at 0, `);
      expect(stdout).toContain("unreadable: input/output error (EIO)");
      expect(injectedIn(trace)).toBeGreaterThan(0);
      expect(await filesBelow(join(bench.data, "topics"))).toEqual(files);
      expect(readdirSync(bench.data)).not.toContain("quarantine");
      expect(await bench.run("verify", bench.data)).toMatchObject({ exitCode: 0, stderr: "" });
    });
  }
});
