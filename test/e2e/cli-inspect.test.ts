/** `obelisk inspect` on a directory that a real server wrote, from the sources and compiled. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiled, fromSources, runObelisk } from "../support/obelisk-command.ts";
import { startServer } from "../support/obelisk-server.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "obelisk-inspect-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;
  const run = (...args: string[]) => runObelisk(args, { program });

  describe.skipIf(program.missing !== undefined)(`inspect, ${title}`, () => {
    test("shows topics, partitions and records, for people and for machines, beside a running server", async () => {
      await using server = await startServer(directory, [], { program });
      const { host, port } = server.started.kafka;
      const sent = await run(
        "produce",
        "greetings",
        "one",
        "two\tand more",
        "--key=k",
        "--brokers",
        `${host}:${port}`,
      );
      expect(sent.exitCode).toBe(0);

      const shown = await run("inspect", directory);
      expect({ exitCode: shown.exitCode, stderr: shown.stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(shown.stdout).toStartWith(`${directory}: data directory\n`);
      expect(shown.stdout).toMatch(/^greetings +0 +0-1 +1 +2 /m);

      const json = JSON.parse((await run("inspect", directory, "--topic=greetings", "--json")).stdout);
      expect(json).toMatchObject({
        kind: "data",
        records: 2,
        topics: [
          { name: "greetings", partitions: [{ partition: 0, startOffset: 0, nextOffset: 2, records: 2 }] },
        ],
      });

      const log = join(directory, "topics/greetings/0/00000000000000000000.log");
      const lines = (await run("inspect", log, "--records")).stdout.trimEnd().split("\n");
      expect(lines.map((line) => line.replace(/ {2}\d{4}-\S+Z /, "  TIME "))).toEqual([
        "greetings-0  0  TIME  k: one",
        "greetings-0  1  TIME  k: two\\tand more",
      ]);

      const first = JSON.parse((await run("inspect", directory, "--max=1", "--json")).stdout);
      expect(first).toMatchObject({
        topic: "greetings",
        partition: 0,
        offset: 0,
        key: "k",
        value: "one",
        batch: { baseOffset: 0 },
      });
    });

    test("nothing there, or no such topic, is one line and exit code 1", async () => {
      const gone = join(directory, "gone");
      const nothing = await run("inspect", gone);
      expect(nothing).toEqual({ exitCode: 1, stdout: "", stderr: `obelisk: there is nothing at ${gone}\n` });
      await using server = await startServer(directory, [], { program });
      expect(await server.stop()).toBe(0);
      const noTopic = await run("inspect", directory, "--topic=absent");
      expect({ exitCode: noTopic.exitCode, stdout: noTopic.stdout }).toEqual({ exitCode: 1, stdout: "" });
      expect(noTopic.stderr).toMatch(/^obelisk: .*absent.*\n$/);
    });

    test("a wrong number is a wrong usage", async () => {
      expect(await run("inspect", directory, "--max=many")).toEqual({
        exitCode: 64,
        stdout: "",
        stderr: "obelisk: --max must be a whole number, not `many`\n",
      });
    });
  });
}
