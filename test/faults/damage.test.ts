/**
 * Damage in the files of a topic with several segments, as the user meets it: `verify` names the place and exits 1, the server
 * serves everything before and after it (to kcat too, without waiting for ever), `verify --repair` exits 0 and nothing remains.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiled } from "../support/obelisk-command.ts";
import { Bench, brokersOf, runProgram, SMALL_SEGMENTS } from "./support.ts";

const LINES = 24_000;
/** Records in the largest batch: what one damaged batch may cost. */
const BATCH_RECORDS_MAX = 3000;
const kcat = Bun.which("kcat");
const lines = Array.from({ length: LINES }, (_, index) => `${index} ${"a line of text ".repeat(7)}`);
const title = compiled.missing === undefined ? "" : ` (skipped: ${compiled.missing})`;

const partition = (data: string, file = "") => join(data, "topics/t/0", file);
const logsOf = (data: string) =>
  readdirSync(partition(data))
    .filter((name) => name.endsWith(".log"))
    .sort();

/** File positions of the batches. */
function batchesOf(path: string): number[] {
  const bytes = readFileSync(path);
  const positions: number[] = [];
  for (let at = 0; at + 12 <= bytes.length; at += 12 + bytes.readInt32BE(at + 8)) positions.push(at);
  return positions;
}

function flip(path: string, position: number): void {
  const bytes = readFileSync(path);
  bytes[position]! ^= 0x15;
  writeFileSync(path, bytes);
}

interface Damage {
  readonly name: string;
  /** Harms the directory and returns what `verify` must name; null where it may find nothing. */
  readonly harm: (data: string) => string | null;
  /** Whether records go with it. */
  readonly costsRecords: boolean;
  /** After a kill it looks like a write that was cut short, which the next start cuts off: `verify` reports it as a note, and no finding. */
  readonly isHealedAfterKill?: boolean;
}

const inBatch = (name: string, segment: number, batch: number, offset: number): Damage => ({
  name,
  costsRecords: true,
  harm: (data) => {
    const log = logsOf(data).at(segment)!;
    const position = batchesOf(partition(data, log)).at(batch)!;
    flip(partition(data, log), position + offset);
    return `topics/t/0/${log} at ${position},`;
  },
});

const DAMAGES: readonly Damage[] = [
  inBatch("a flipped byte in the body of a batch, sealed segment", 0, 2, 300),
  inBatch("a flipped byte in a batch's length", 1, 3, 10),
  inBatch("a flipped byte in a batch's CRC, first batch of a segment", 1, 0, 18),
  inBatch("a flipped byte in a batch's base offset, last batch of a segment", 0, -1, 7),
  inBatch("a flipped byte in the last batch of all", -1, -1, 300),
  inBatch("a wrong base offset in the last batch of all", -1, -1, 7),
  {
    name: "a tail that is torn",
    costsRecords: true,
    isHealedAfterKill: true,
    harm: (data) => {
      const log = partition(data, logsOf(data).at(-1)!);
      truncateSync(log, batchesOf(log).at(-1)! + 70);
      return "topics/t/0/";
    },
  },
  {
    name: "indexes that are gone and a snapshot of garbage",
    costsRecords: false,
    harm: (data) => {
      for (const name of readdirSync(partition(data)))
        if (name.endsWith("index")) rmSync(partition(data, name));
      writeFileSync(partition(data, "producers.snapshot"), "garbage ".repeat(100));
      return "topics/t/0/producers.snapshot";
    },
  },
  {
    name: "a state file of garbage",
    costsRecords: false,
    harm: (data) => {
      writeFileSync(join(data, "meta.db"), "garbage ".repeat(1000));
      return "meta.db";
    },
  },
  {
    name: "no state file and no identity",
    costsRecords: false,
    harm: (data) => {
      rmSync(join(data, "meta.db"));
      rmSync(join(data, "obelisk.json"));
      return null;
    },
  },
];

describe.skipIf(compiled.missing !== undefined)(`damage on disk${title}`, () => {
  const bench = new Bench();
  const sources = { clean: "", killed: "" };
  beforeAll(async () => {
    writeFileSync(join(bench.directory, "lines"), `${lines.join("\n")}\n`);
    for (const ending of ["clean", "killed"] as const) {
      sources[ending] = join(bench.directory, ending);
      const server = await bench.serve(SMALL_SEGMENTS, sources[ending]);
      const flags = ["--topic=t", "--brokers", brokersOf(server)];
      const produced = await bench.run("produce", ...flags, "--file", join(bench.directory, "lines"));
      expect(produced.exitCode).toBe(0);
      await server.stop(ending === "clean" ? "SIGTERM" : "SIGKILL");
    }
  }, 60_000);
  afterAll(() => bench[Symbol.asyncDispose]());

  /** What a server on the directory gives; both clients must get the same, and the topic must take more. */
  async function consume(data: string): Promise<string[]> {
    const server = await bench.serve(SMALL_SEGMENTS, data);
    const brokers = brokersOf(server);
    const ours = await bench.run("consume", "t", "--no-commit", "--from=earliest", "--brokers", brokers);
    expect({ exitCode: ours.exitCode, stderr: ours.stderr }).toEqual({ exitCode: 0, stderr: "" });
    if (kcat !== null) {
      const theirs = await runProgram([
        kcat,
        "-b",
        brokers,
        "-C",
        "-t",
        "t",
        "-e",
        "-q",
        "-X",
        "check.crcs=true",
      ]);
      expect({ exitCode: theirs.exitCode, isSame: theirs.stdout.equals(ours.stdout) }).toEqual({
        exitCode: 0,
        isSame: true,
      });
    }
    expect((await bench.run("produce", "t", "more", "--brokers", brokers)).exitCode).toBe(0);
    const next = await bench.run("consume", "t", "--no-commit", "--from=-1", "--brokers", brokers);
    expect(next.stdout.toString()).toBe("more\n");
    expect(await server.stop()).toBe(0);
    return ours.stdout.toString().split("\n").slice(0, -1);
  }

  /** One gap at most, no larger than a batch; everything else in order. */
  function expectAllBut(served: readonly string[], costsRecords: boolean): void {
    const lost = LINES - served.length;
    if (costsRecords) expect(lost).toBeWithin(1, BATCH_RECORDS_MAX);
    else expect(lost).toBe(0);
    const gap = lines.findIndex((line, index) => served[index] !== line);
    const at = gap === -1 ? LINES : gap;
    expect(served).toEqual([...lines.slice(0, at), ...lines.slice(at + lost)]);
  }

  for (const ending of ["clean", "killed"] as const) {
    for (const { name, harm, costsRecords, isHealedAfterKill } of DAMAGES) {
      // What only an index or the state suffers is the same after a kill.
      if (ending === "killed" && !costsRecords) continue;
      test(`${name}, ${ending === "clean" ? "after a graceful shutdown" : "after a kill"}`, async () => {
        const served = join(bench.directory, "served");
        const repaired = join(bench.directory, "repaired");
        for (const data of [served, repaired]) {
          rmSync(data, { recursive: true, force: true });
          cpSync(sources[ending], data, { recursive: true });
        }
        const named = harm(served);
        harm(repaired);

        const found = await bench.run("verify", served);
        const isNote = ending === "killed" && isHealedAfterKill === true;
        if (named !== null) {
          expect(found.exitCode).toBe(isNote ? 0 : 1);
          expect(found.stdout.toString()).toContain(isNote ? `note: ${named}` : named);
        }
        expectAllBut(await consume(served), costsRecords);

        const repair = await bench.run("verify", repaired, "--repair");
        expect({ exitCode: repair.exitCode, stderr: repair.stderr }).toEqual({ exitCode: 0, stderr: "" });
        const again = await bench.run("verify", repaired);
        expect({ exitCode: again.exitCode, stderr: again.stderr }).toEqual({ exitCode: 0, stderr: "" });
        expectAllBut(await consume(repaired), costsRecords);
      }, 60_000);
    }
  }
});
