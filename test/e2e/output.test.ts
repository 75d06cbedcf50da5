/**
 * Standard output that takes nothing: closed by the caller (`>&-`), a full disk, a reader that left, a reader that sleeps. What was
 * not written does not count as done: nothing is committed, and the exit code says so.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Admin } from "../../src/client/admin.ts";
import { Producer } from "../../src/client/producer.ts";
import { compiled, fromSources, type Program } from "../support/obelisk-command.ts";
import { startHere, type TestServer } from "../support/server.ts";

const CLOSED = "obelisk: standard output cannot be written: it is closed\n";
const FULL = "obelisk: standard output cannot be written: ENOSPC: no space left on device, write\n";
const isLinux = process.platform === "linux";

let server: TestServer;
let admin: Admin;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "obelisk-output-"));
  server = await startHere();
  admin = await Admin.connect({ brokers: server.kafka });
  await admin.createTopic({ name: "t", partitions: 1 });
  const producer = await Producer.connect({ brokers: server.kafka });
  for (const value of ["1", "2", "3"]) await producer.send("t", { value });
  await producer.close();
});
afterAll(async () => {
  await admin.close();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Runs the program under a shell, which says where its output goes; exit code and standard error. */
async function run(
  program: Program,
  args: readonly string[],
  redirection: string,
): Promise<[number, string]> {
  const words = [...program.command, ...args].map((word) => `'${word}'`).join(" ");
  const child = Bun.spawn(["bash", "-c", `exec ${words} ${redirection}`], { stderr: "pipe" });
  const stderr = await new Response(child.stderr).text();
  return [await child.exited, stderr];
}

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;
  const committed = async (group: string) => await admin.groupOffsets(group, [{ topic: "t", partition: 0 }]);

  describe.skipIf(program.missing !== undefined || !isLinux)(`output that takes nothing, ${title}`, () => {
    test("consume commits nothing that was not written", async () => {
      const group = `unwritten-${program.name}`;
      const args = ["consume", "t", "--brokers", server.kafka, "--group", group];
      for (const format of [[], ["--json"], ["--format=%s"]]) {
        expect(await run(program, [...args, ...format], ">&-")).toEqual([2, CLOSED]);
        expect(await run(program, [...args, ...format], ">/dev/full")).toEqual([2, FULL]);
      }
      expect(await run(program, [...args, "--mode=continuous"], ">&-")).toEqual([2, CLOSED]);
      const [exitCode, lines] = await run(program, [...args, "--mode=continuous"], ">/dev/full");
      expect(exitCode).toBe(2);
      expect(lines).toEndWith(FULL); // What the group does comes before.
      expect(await committed(group)).toEqual([]);
      expect(await run(program, args, ">/dev/null")).toEqual([0, ""]);
    });

    test("an interrupt ends a consume whose reader sleeps, also one that commits nothing", async () => {
      const topic = `sleeps-${program === compiled ? "compiled" : "sources"}`;
      const producer = await Producer.connect({ brokers: server.kafka });
      const value = "x".repeat(100_000);
      await Promise.all(Array.from({ length: 100 }, () => producer.send(topic, { value })));
      await producer.close();
      const pipe = join(directory, topic);
      Bun.spawnSync(["mkfifo", pipe]);
      const reader = await open(pipe, "r+");
      const out = openSync(pipe, "w");
      const child = Bun.spawn(
        [...program.command, "consume", topic, "--brokers", server.kafka, "--no-commit", "--mode=continuous"],
        { stdout: out, stderr: "pipe" },
      );
      closeSync(out);
      await reader.read(Buffer.alloc(10), 0, 10); // It prints; nobody reads on.
      child.kill("SIGTERM");
      const stderr = await new Response(child.stderr).text();
      expect([await child.exited, stderr]).toEqual([
        0,
        "obelisk: the reader of standard output has not taken everything; the rest is not committed\n",
      ]);
      await reader.close();
    });

    test("every command fails by it, and does nothing that it could not tell", async () => {
      const group = `told-${program.name}`;
      const brokers = ["--brokers", server.kafka];
      const commands = [
        ["produce", "t", "unwanted", ...brokers],
        ["reset", "--topic=t", "--to=2", "--yes", "--group", group, ...brokers],
        ["reset", "--topic=t", "--to=2", "--yes", "--json", "--group=json", ...brokers],
        ["inspect", directory],
        ["verify", directory],
        ["consume", "--help"],
        ["serve", "--print-config"],
        ["--version"],
      ];
      for (const args of commands)
        expect([args, await run(program, args, ">&-")]).toEqual([args, [2, CLOSED]]);
      expect((await admin.listOffsets([{ topic: "t", partition: 0, at: -1 }]))[0]!.offset).toBe(3);
      for (const args of commands.slice(1).filter(([name]) => name !== "inspect" && name !== "verify"))
        expect([args, await run(program, args, ">/dev/full")]).toEqual([args, [2, FULL]]);
      expect(await committed(group)).toEqual([]);
    });
  });
}
