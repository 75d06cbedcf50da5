/** `obelisk verify` and its repair on a directory that a real server wrote, from the sources and compiled. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiled, fromSources, runObelisk } from "../support/obelisk-command.ts";
import { startServer } from "../support/obelisk-server.ts";

const LOG = "topics/greetings/0/00000000000000000000.log";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "obelisk-verify-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;
  const run = (...args: string[]) => runObelisk(args, { program });

  /** Three records in three batches, written by a server that was shut down gracefully. */
  async function writeRecords(): Promise<void> {
    await using server = await startServer(directory, [], { program });
    const { host, port } = server.started.kafka;
    for (const word of ["one", "two", "three"]) {
      const { exitCode, stderr } = await run("produce", "greetings", word, "--brokers", `${host}:${port}`);
      expect({ exitCode, stderr: exitCode === 0 ? "" : stderr }).toEqual({ exitCode: 0, stderr: "" });
    }
    expect(await server.stop()).toBe(0);
  }

  /** Flips a bit in the value of the second record. */
  function damage(): void {
    const bytes = readFileSync(join(directory, LOG));
    const position = bytes.indexOf("two");
    expect(position).toBeGreaterThan(0);
    bytes[position]! ^= 1;
    writeFileSync(join(directory, LOG), bytes);
  }

  describe.skipIf(program.missing !== undefined)(`verify, ${title}`, () => {
    test("finds nothing in what a graceful shutdown left", async () => {
      await writeRecords();
      const { exitCode, stdout, stderr } = await run("verify", directory);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(stdout).toStartWith(`${directory}: nothing wrong\n`);
      expect(stdout).toContain("3 batches, 3 records");
    });

    test("names a flipped bit with file and place, exits 1, and writes nothing", async () => {
      await writeRecords();
      damage();
      const before = readFileSync(join(directory, LOG));
      const { exitCode, stdout, stderr } = await run("verify", directory, "--json");
      expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: "" });
      const lines = stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(lines.find(({ kind }) => kind === "damaged-batch")).toMatchObject({
        event: "finding",
        file: LOG,
      });
      expect(lines.at(-1)).toMatchObject({
        event: "summary",
        directory,
        topics: 1,
        partitions: 1,
        records: 2,
      });
      expect(readFileSync(join(directory, LOG))).toEqual(before);
    });

    test("after --repair nothing remains, and the records around the damage are served", async () => {
      await writeRecords();
      damage();
      const repaired = await run("verify", directory, "--repair");
      expect({
        exitCode: repaired.exitCode,
        last: repaired.stdout.trimEnd().split("\n").at(-1),
      }).toMatchObject({
        exitCode: 0,
        last: expect.stringMatching(/: repaired, \d+ findings?, none remains$/),
      });
      expect((await run("verify", directory)).exitCode).toBe(0);
      await using server = await startServer(directory, [], { program });
      const { host, port } = server.started.kafka;
      const consumed = await run(
        "consume",
        "--topic=greetings",
        "--mode=poll",
        "--brokers",
        `${host}:${port}`,
      );
      expect({ exitCode: consumed.exitCode, stdout: consumed.stdout }).toEqual({
        exitCode: 0,
        stdout: "one\nthree\n",
      });
    });

    test("repair refuses while a server owns the directory", async () => {
      await writeRecords();
      damage();
      await using _server = await startServer(directory, [], { program });
      writeFileSync(join(directory, "topics/stray"), "x");
      const { exitCode, stderr } = await run("verify", directory, "--repair");
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(/^obelisk: .*running server.*\n$/);
    });

    test("a directory that is not there, or is none of ours, is one line and exit code 2", async () => {
      for (const place of [join(directory, "gone"), directory]) {
        const { exitCode, stdout, stderr } = await run("verify", place);
        expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
        expect(stderr).toMatch(/^obelisk: .*\n$/);
        expect(stderr).toContain(place);
      }
    });
  });
}
