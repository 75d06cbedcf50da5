/** Completion in real shells: each loads its script and asks for what may stand at the end of a line. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Admin } from "../../src/client/admin.ts";
import { compiled, fromSources, runObelisk } from "../support/obelisk-command.ts";
import { startHere, type TestServer } from "../support/server.ts";

/** What a shell runs to print the candidates for the words in its arguments, one a line. */
const SHELLS: Readonly<Record<string, (script: string) => string[]>> = {
  bash: (script) => [
    "--norc",
    "-c",
    `source ${script}; COMP_WORDS=(obelisk "$@"); COMP_CWORD=$#; _obelisk; printf '%s\\n' "\${COMPREPLY[@]}"`,
    "bash",
  ],
  // What zsh's own functions are told; they run in a line editor only.
  zsh: (script) => [
    "-f",
    "-c",
    `compdef() {}; _files() { print files }; _describe() { print -l -- "\${(@P)2}" }; source ${script}
    words=(obelisk "$@"); CURRENT=$#words; _obelisk | sed -E 's/^(([^:\\\\]|\\\\.)*):.*/\\1/'`,
    "zsh",
  ],
  fish: (script) => [
    "--no-config",
    "-c",
    `source ${script}; complete -C "obelisk $argv" | string replace -r '\\t.*' ''`,
  ],
};

const program = compiled.missing === undefined ? compiled : fromSources;
let server: TestServer;
let directory = "";
beforeAll(async () => {
  server = await startHere();
  const admin = await Admin.connect({ brokers: server.kafka });
  await admin.createTopic({ name: "orders" });
  await admin.createTopic({ name: "payments" });
  await admin.close();
  directory = mkdtempSync(join(tmpdir(), "obelisk-completion-"));
  const command = program.command.map((word) => `'${word}'`).join(" ");
  writeFileSync(join(directory, "obelisk"), `#!/bin/sh\nexec ${command} "$@"\n`);
  chmodSync(join(directory, "obelisk"), 0o755);
});
afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

for (const [shell, argsOf] of Object.entries(SHELLS)) {
  const path = Bun.which(shell);
  describe.skipIf(path === null)(
    `completion in ${shell}${path === null ? " (skipped: not installed)" : ""}`,
    () => {
      const complete = async (...words: string[]): Promise<string[]> => {
        const script = join(directory, `script.${shell}`);
        writeFileSync(script, (await runObelisk(["completion", shell], { program })).stdout);
        const child = Bun.spawn([path!, ...argsOf(script), ...words], {
          cwd: directory,
          env: {
            PATH: `${directory}:${process.env["PATH"]}`,
            HOME: directory,
            OBELISK_BROKERS: server.kafka,
            TERM: "dumb",
          },
          stdout: "pipe",
          stderr: "pipe",
        });
        const [stdout, stderr] = await Promise.all([
          new Response(child.stdout).text(),
          new Response(child.stderr).text(),
        ]);
        expect(stderr).toBe("");
        // fish sorts them.
        return stdout
          .split("\n")
          .filter((line) => line !== "")
          .toSorted();
      };

      test("commands, flags and values are completed", async () => {
        expect(await complete("topic", "de")).toEqual(["delete", "describe"]);
        expect(await complete("consume", "--comm")).toEqual(["--commit", "--committed-only"]);
        expect(await complete("consume", "--mode", "c")).toEqual(["continuous"]);
        expect(await complete("completion", "z")).toEqual(["zsh"]);
      }, 30_000);

      test("topics are those of the broker", async () => {
        expect(await complete("topic", "describe", "o")).toEqual(["orders"]);
        expect(await complete("topic", "describe", "")).toEqual(["orders", "payments"]);
      }, 30_000);

      test("what is on the line is not run", async () => {
        expect(await complete("topic", "describe", "$(touch ran)", "pay")).toEqual(["payments"]);
        expect(await Bun.file(join(directory, "ran")).exists()).toBe(false);
      }, 30_000);
    },
  );
}

test("a broker that does not answer costs a second and no error", async () => {
  using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const args = ["complete", "zsh", "--", "topic", "describe", "-b", `127.0.0.1:${silent.port}`, ""];
  expect(await runObelisk(args, { program })).toEqual({ exitCode: 0, stdout: "", stderr: "" });
});

test("another shell is refused", async () => {
  expect(await runObelisk(["completion", "tcsh"], { program })).toEqual({
    exitCode: 64,
    stdout: "",
    stderr: "obelisk: there is no completion for `tcsh`; use bash, zsh, fish\n",
  });
});
