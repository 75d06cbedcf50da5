/** The command line as a user meets it: real processes, from the sources and compiled. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json" with { type: "json" };
import { ALL_COMMANDS } from "../support/all-commands.ts";
import { compiled, fromSources, type RunOptions, runObelisk } from "../support/obelisk-command.ts";

/** Dozens of processes one after another, on a machine that is busy. */
const MANY_PROCESSES_MS = 60_000;

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "obelisk-cli-"));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;
  const run = (args: string[], options: RunOptions = {}) =>
    runObelisk(args, { program, cwd: directory, ...options });

  describe.skipIf(program.missing !== undefined)(`the command line, ${title}`, () => {
    test("--version prints the version and nothing else", async () => {
      expect(await run(["--version"])).toEqual({ exitCode: 0, stdout: `obelisk ${version}\n`, stderr: "" });
    });

    test("--help names every command, on standard output", async () => {
      const { exitCode, stdout, stderr } = await run(["--help"]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      for (const name of ALL_COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${name.split(" ")[0]} `, "m"));
    });

    test(
      "every command has help with usage and an example",
      async () => {
        for (const name of ALL_COMMANDS) {
          const words = name.split(" ");
          const [{ exitCode, stdout, stderr }, same] = await Promise.all([
            run([...words, "--help"]),
            run(["help", ...words]),
          ]);
          expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
          expect(stdout).toContain(`Usage\n  obelisk ${name}`);
          expect(stdout).toMatch(new RegExp(`Examples\\n {2}.*obelisk ${name}`));
          expect(same).toEqual({ exitCode, stdout, stderr });
        }
      },
      MANY_PROCESSES_MS,
    );

    test("no command is a wrong usage: the help goes to standard error", async () => {
      const { exitCode, stdout, stderr } = await run([]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: "" });
      expect(stderr).toStartWith("Obelisk ");
    });

    test("an unknown command names the nearest", async () => {
      expect(await run(["consum"])).toEqual({
        exitCode: 64,
        stdout: "",
        stderr: "obelisk: unknown command `consum`; did you mean `consume`?\n",
      });
      expect((await run(["--serve"])).exitCode).toBe(64);
      expect((await run(["constructor"])).exitCode).toBe(64);
    });

    test("all errors of flags, variables and file are reported at once, one per line", async () => {
      writeFileSync(join(directory, "wrong.yaml"), "memory: lots\n");
      const { exitCode, stdout, stderr } = await run(
        ["serve", "--memry", "1", "--kafka-port=nine", "--config", "wrong.yaml", "--http-port"],
        { env: { OBELISK_DATTA: "x" } },
      );
      expect({ exitCode, stdout, stderr: stderr.split("\n") }).toEqual({
        exitCode: 64,
        stdout: "",
        stderr: [
          "obelisk: unknown flag `--memry`, did you mean `--memory`?",
          "obelisk: --http-port needs a value",
          "obelisk: OBELISK_DATTA: unknown variable `OBELISK_DATTA`, did you mean `OBELISK_DATA`?",
          "obelisk: wrong.yaml line 1: memory must be a size in whole bytes such as 64KiB or 512MiB, from 64 MiB to 1024 GiB, not `lots`",
          "obelisk: --kafka-port: kafka-port must be a whole number from 0 to 65535, not `nine`",
          "",
        ],
      });
    });

    test(
      "every command names a misspelt variable, and is not stopped by the settings of another",
      async () => {
        const commands = [
          ["serve", "--print-config"],
          ["produce", "t", "m", "--brokers=127.0.0.1:1"],
          ["consume", "t", "--brokers=127.0.0.1:1"],
          ["reset", "--topic=t", "--to=0", "--yes", "--brokers=127.0.0.1:1"],
          ["inspect", import.meta.dir],
          ["verify", import.meta.dir],
          ["verify"],
        ];
        for (const args of commands) {
          const { exitCode, stderr } = await run(args, { env: { OBELISK_GRUOP: "g" } });
          expect([args, exitCode, stderr]).toEqual([
            args,
            64,
            "obelisk: OBELISK_GRUOP: unknown variable `OBELISK_GRUOP`, did you mean `OBELISK_GROUP`?\n",
          ]);
        }
        const env = { OBELISK_BROKERS: "nobody:1", OBELISK_GROUP: "g", OBELISK_NATIVE: "n:1" };
        expect((await run(commands[0]!, { env })).exitCode).toBe(0);
        const others = { OBELISK_MEMORY: "lots", OBELISK_DURABILITY: "none" };
        for (const args of commands.slice(1)) {
          const { stderr } = await run(args, { env: others });
          expect([args, stderr.includes("lots"), stderr.includes("DURABILITY")]).toEqual([
            args,
            false,
            false,
          ]);
        }
      },
      MANY_PROCESSES_MS,
    );

    test("with --json a failure is one JSON line on standard output too", async () => {
      const { exitCode, stdout, stderr } = await run(["serve", "--json", "--node-id=-1"]);
      const message = "node-id must be from 0 to 2147483647, not `-1`";
      expect({ exitCode, json: JSON.parse(stdout), stderr }).toEqual({
        exitCode: 64,
        json: {
          event: "error",
          code: "INVALID_SETTING",
          message: `--node-id: ${message}`,
          errors: [{ source: "--node-id", message }],
        },
        stderr: `obelisk: --node-id: ${message}\n`,
      });
    });

    test("the printed configuration, given back, prints the same values", async () => {
      const first = await run([
        "serve",
        "--print-config",
        "--memory=1GiB",
        "--durability=interval:50",
        "--advertise=[::1]:9",
      ]);
      expect({ exitCode: first.exitCode, stderr: first.stderr }).toEqual({ exitCode: 0, stderr: "" });
      writeFileSync(join(directory, "printed.yaml"), first.stdout);
      const second = await run(["serve", "--print-config", "--config", "printed.yaml"]);
      const values = (text: string) => Bun.YAML.parse(text);
      expect(values(second.stdout)).toEqual(values(first.stdout));
      expect(values(second.stdout)).toMatchObject({
        memory: "1GiB",
        durability: "interval:50",
        advertise: "[::1]:9",
      });
    });

    test("a command that cannot write to standard error ends as it would otherwise", async () => {
      for (const [words, exitCode] of [
        ["nonsense", 64],
        ["serve --node-id=-1", 64],
        [`inspect '${join(directory, "nowhere")}'`, 1],
      ] as const) {
        const command = program.command.map((word) => `'${word}'`).join(" ");
        const child = Bun.spawn(["sh", "-c", `exec ${command} ${words} 2>/dev/full`], { cwd: directory });
        expect([words, await child.exited]).toEqual([words, exitCode]);
      }
    });

    test("words that are no UTF-8 are refused with their place", async () => {
      const command = program.command.map((word) => `'${word}'`).join(" ");
      const words = `produce greetings "$(printf 'caf\\351')" "--key=$(printf '\\377')"`;
      const child = Bun.spawn(["sh", "-c", `exec ${command} ${words}`], { cwd: directory, stderr: "pipe" });
      const rest = "is not UTF-8: `%`; records of any bytes come from standard input or --file";
      expect(await new Response(child.stderr).text()).toBe(
        `obelisk: argument 2 ${rest.replace("%", "caf\ufffd")}\nobelisk: argument 3 ${rest.replace("%", "--key=\ufffd")}\n`,
      );
      expect(await child.exited).toBe(64);
    });

    test("a reader that goes away is a normal end", async () => {
      const line = `${program.command.map((word) => `'${word}'`).join(" ")} serve --print-config; echo "exit $?" >&2`;
      const child = Bun.spawn(["sh", "-c", `{ ${line}; } | true`], {
        stdout: "pipe",
        stderr: "pipe",
        cwd: directory,
      });
      expect({ stderr: await new Response(child.stderr).text(), exitCode: await child.exited }).toEqual({
        stderr: "exit 0\n",
        exitCode: 0,
      });
    });
  });
}
