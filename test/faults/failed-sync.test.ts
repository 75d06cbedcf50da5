/**
 * A sync of the compiled server fails with EIO, as on a disk that is dying, while producers write; once for each way in which a
 * file is synced. Held to: nothing is acknowledged by it or after it, the partition reports why, its neighbours go on,
 * what was acknowledged can be read, and a restart brings it back with all of that.
 *
 * Which way a sync takes is the server's choice: the cases only lead it there, and hold whichever it takes.
 */

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { wireCode } from "../../src/base/errors.ts";
import { KiB } from "../../src/base/units.ts";
import { readAll } from "../crash/wire.ts";
import { until } from "../network/support.ts";
import { FailingCalls, type Fault, failingCallsMissing, titled } from "../support/failing-calls.ts";
import { compiled } from "../support/obelisk-command.ts";
import { Ledger } from "./ledger.ts";
import { Observed } from "./observed.ts";
import { Bench, runProgram, SMALL_SEGMENTS } from "./support.ts";

const REFUSED = wireCode("KAFKA_STORAGE_ERROR");
const kcat = Bun.which("kcat");
const SYNC: Fault = { calls: "fdatasync", error: "EIO" };

interface Way {
  readonly name: string;
  /** Records that come one by one before the fault, and their size. */
  readonly before: readonly [count: number, bytes: number];
  readonly bytes: number;
  readonly fault: Fault;
  /** How the server ends that met it. */
  readonly ending: NodeJS.Signals;
}

const WAYS: readonly Way[] = [
  { name: "in the thread pool", before: [2, 16 * KiB], bytes: 16 * KiB, fault: SYNC, ending: "SIGTERM" },
  { name: "of a busy partition", before: [30, 16 * KiB], bytes: 16 * KiB, fault: SYNC, ending: "SIGKILL" },
  { name: "of a few bytes on a fast disk", before: [60, 100], bytes: 100, fault: SYNC, ending: "SIGTERM" },
  {
    name: "that fails once and would then succeed",
    before: [30, 16 * KiB],
    bytes: 16 * KiB,
    fault: { ...SYNC, when: "1" },
    ending: "SIGKILL",
  },
];

const directoryOf = (bench: Bench, topic: string, partition = 0) =>
  join(bench.data, "topics", topic, `${partition}`);
const activeLog = (bench: Bench, topic: string, partition = 0) => {
  const directory = directoryOf(bench, topic, partition);
  const logs = readdirSync(directory).filter((name) => name.endsWith(".log"));
  return join(directory, logs.sort().at(-1)!);
};

const missing = compiled.missing ?? failingCallsMissing;

describe.skipIf(missing !== undefined)(titled("a sync that fails", missing), () => {
  /** A server with two topics that have each a record. */
  async function start(bench: Bench) {
    const observed = await Observed.start(bench, SMALL_SEGMENTS);
    const ill = new Ledger("ill");
    const neighbour = new Ledger("neighbour");
    for (const ledger of [ill, neighbour]) {
      await ledger.create(observed.wire);
      await ledger.fill(observed.wire, 1, 100);
    }
    return { observed, ill, neighbour };
  }

  /** The partition is offline and reports so; the neighbour is not. */
  async function expectOffline(observed: Observed, ill: Ledger, neighbour: Ledger, file: string) {
    expect(await ill.send(observed.wire, 100)).toEqual([REFUSED]);
    await neighbour.fill(observed.wire, 3, 100);
    await ill.check(observed.wire);
    expect(await observed.health()).toMatchObject({ status: "degraded", offline: 1 });
    expect(observed.log).toMatch(
      new RegExp(`a sync failed, the partition is offline: .*EIO.* file=${file} `),
    );
  }

  /** After a restart everything is there and goes on. */
  async function expectBack(bench: Bench, ledgers: readonly Ledger[]) {
    const observed = await Observed.start(bench, SMALL_SEGMENTS);
    expect(await observed.health()).toMatchObject({ status: "healthy", offline: 0 });
    for (const ledger of ledgers) {
      await ledger.check(observed.wire);
      await ledger.fill(observed.wire, 3, 16 * KiB);
      await ledger.check(observed.wire);
    }
    expect(await observed.stop()).toBe(0);
    expect(await bench.run("verify", bench.data)).toMatchObject({ exitCode: 0, stderr: "" });
  }

  for (const { name, before, bytes, fault, ending } of WAYS) {
    test(`${name}, costs nothing that was acknowledged`, async () => {
      await using bench = new Bench();
      const { observed, ill, neighbour } = await start(bench);
      await ill.fill(observed.wire, ...before);
      {
        await using failing = await FailingCalls.attach(
          observed.server.child.pid,
          [fault],
          [activeLog(bench, "ill")],
        );
        const responses = await ill.sendUntilRefused(observed.wire, bytes);
        expect(new Set(responses)).toEqual(new Set([REFUSED]));
        expect(failing.count).toBeGreaterThan(0);
      }
      await expectOffline(observed, ill, neighbour, "topics/ill/0");
      await observed.stop(ending);
      await expectBack(bench, [ill, neighbour]);
    });
  }

  test("that runs while a neighbour needs one acknowledges nothing that it concerns", async () => {
    await using bench = new Bench();
    const { observed, ill, neighbour } = await start(bench);
    await ill.fill(observed.wire, 30, 16 * KiB);
    {
      const fault: Fault = { ...SYNC, when: "1", delayMs: 200 };
      const path = activeLog(bench, "ill");
      await using failing = await FailingCalls.attach(observed.server.child.pid, [fault], [path]);
      const lost = ill.send(observed.wire, 16 * KiB);
      // Both wait for the sync that is about to fail.
      const responses = await Promise.all([
        lost,
        neighbour.send(observed.wire, 16 * KiB),
        ill.send(observed.wire, 16 * KiB),
      ]);
      expect(responses).toEqual([[REFUSED], [0], [REFUSED]]);
      expect(failing.count).toBeGreaterThan(0);
    }
    await expectOffline(observed, ill, neighbour, "topics/ill/0");
    await observed.stop("SIGKILL");
    await expectBack(bench, [ill, neighbour]);
  });

  test("of the whole file system, because of one file, takes only that partition out", async () => {
    await using bench = new Bench();
    const { observed, neighbour } = await start(bench);
    const many = new Ledger("many", 8);
    await many.create(observed.wire);
    await many.fill(observed.wire, 3, 16 * KiB);
    {
      const faults: Fault[] = [SYNC, { calls: "syncfs", error: "EIO", when: "1" }];
      // Through which descriptor the whole is synced is the server's choice.
      const paths = [bench.data, join(bench.data, "topics"), activeLog(bench, "many", 0)];
      await using failing = await FailingCalls.attach(observed.server.child.pid, faults, paths);
      expect(await many.send(observed.wire, 16 * KiB)).toEqual([REFUSED, 0, 0, 0, 0, 0, 0, 0]);
      expect(failing.count).toBeGreaterThan(1);
    }
    expect(await many.send(observed.wire, 100)).toEqual([REFUSED, 0, 0, 0, 0, 0, 0, 0]);
    expect(await observed.health()).toMatchObject({ status: "degraded", offline: 1 });
    await neighbour.fill(observed.wire, 3, 100);
    await many.check(observed.wire);
    await observed.stop("SIGKILL");
    await expectBack(bench, [neighbour]);
  });

  test("of a directory at a roll takes the partition out, and no name is taken for durable", async () => {
    await using bench = new Bench();
    const { observed, ill, neighbour } = await start(bench);
    await ill.fill(observed.wire, 3, 16 * KiB);
    {
      const faults: Fault[] = [{ calls: "fsync", error: "EIO", when: "1" }];
      const path = directoryOf(bench, "ill");
      await using failing = await FailingCalls.attach(observed.server.child.pid, faults, [path]);
      const responses = await ill.sendUntilRefused(observed.wire, 200 * KiB);
      expect(new Set(responses)).toEqual(new Set([REFUSED]));
      expect(failing.count).toBe(1);
    }
    await expectOffline(observed, ill, neighbour, "topics/ill/0");
    await observed.stop("SIGKILL");
    await expectBack(bench, [ill, neighbour]);
  });

  test.skipIf(kcat === null)(
    titled("is survived by a kcat that goes on trying", kcat === null ? "kcat is missing" : undefined),
    async () => {
      await using bench = new Bench();
      const { observed } = await start(bench);
      const lines = Array.from({ length: 20_000 }, (_, index) => `${index} ${"a line ".repeat(10)}`);
      const input = new TextEncoder().encode(`${lines.join("\n")}\n`);
      const words =
        "-P -E -t ill -X enable.idempotence=true -X batch.size=20000 -X reconnect.backoff.max.ms=100".split(
          " ",
        );
      let sending: ReturnType<typeof runProgram>;
      {
        const fault: Fault = { ...SYNC, when: "5" };
        const path = activeLog(bench, "ill");
        await using failing = await FailingCalls.attach(observed.server.child.pid, [fault], [path]);
        sending = runProgram([kcat!, "-b", observed.brokers, ...words], input);
        await until(() => observed.log.includes("the partition is offline"));
        expect(failing.count).toBeGreaterThan(0);
      }
      await observed.stop("SIGKILL");
      const port = `--kafka-port=${observed.server.started.kafka.port}`;
      const next = await Observed.start(bench, [...SMALL_SEGMENTS, port]);
      expect(await sending).toMatchObject({ exitCode: 0 });
      const stored = (await readAll(next.wire, "ill", 1)).map(({ value }) => value);
      expect(stored).toEqual(lines);
      expect(await next.stop()).toBe(0);
    },
  );
});
