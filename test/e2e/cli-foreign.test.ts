/**
 * The offline commands at places that are none of ours or closed to us: one line that names the place and what to do, and the
 * exit code. Nothing there is changed. No message begins with the system's own name of an error.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildData } from "../support/data-tree.ts";
import { compiled, fromSources, type Program, runObelisk } from "../support/obelisk-command.ts";

const RAW = /\bE[A-Z]{3,}: /;
/** A user who owns nothing. */
const NOBODY = 65_534;
const WHY_NOT_AS_NOBODY = reasonAgainstNobody();
let folder = "";
let data = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "obelisk-foreign-"));
  data = join(folder, "data");
  await buildData(data, 10);
  writeFileSync(join(folder, "a-file"), "x");
  writeFileSync(join(folder, "other.log"), "a line of another program\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;

  describe.skipIf(program.missing !== undefined)(`places that are none of ours, ${title}`, () => {
    test("verify and inspect refuse them in one line", async () => {
      const file = join(folder, "a-file");
      const gone = join(folder, "gone");
      for (const [args, exitCode, words] of [
        [
          ["verify", "/etc"],
          2,
          "/etc is not a data directory of Obelisk; name the directory that the server uses",
        ],
        [["verify", "/etc", "--repair"], 2, "/etc is not a data directory of Obelisk"],
        [["verify", file], 2, `${file} is a file, and a data directory is meant`],
        [["verify", gone], 2, `there is no data directory ${gone}`],
        [["inspect", "/etc"], 1, "/etc holds no topics"],
        [["inspect", "/proc"], 1, "/proc holds no"],
        [["inspect", file], 1, "a-file is not a kind of file that can be inspected"],
        [["inspect", join(folder, "other.log")], 1, "other.log is no log of Obelisk"],
        [["inspect", join(file, "below")], 1, `there is nothing at ${join(file, "below")}`],
        [["inspect", gone], 1, `there is nothing at ${gone}`],
        [["serve", "--data", file], 2, `${file} is not a directory`],
        [["serve", "--config", gone], 64, gone],
        [["serve", "--config", folder], 64, folder],
      ] as const) {
        const ended = await runObelisk([...args], { program });
        expect({ args, exitCode: ended.exitCode, stdout: ended.stdout }).toEqual({
          args,
          exitCode,
          stdout: "",
        });
        expect(ended.stderr).toMatch(/^obelisk: .*\n$/);
        expect(ended.stderr).toContain(words);
        expect(ended.stderr).not.toMatch(RAW);
      }
    });

    test.skipIf(WHY_NOT_AS_NOBODY !== undefined)(
      `places closed to a plain user are told, and the rest is judged${why(WHY_NOT_AS_NOBODY)}`,
      async () => {
        const copy = join(folder, `closed-${program.name.replaceAll(" ", "-")}`);
        cpSync(data, copy, { recursive: true });
        chmodSync(folder, 0o755);
        const asNobody = plainUser(program);
        const run = (...args: string[]) => runObelisk(args, { program: asNobody, cwd: "/" });
        expect(await run("verify", copy)).toMatchObject({ exitCode: 0 });
        chmodSync(join(copy, "topics/orders/0"), 0o000);
        chmodSync(join(copy, "meta.db"), 0o000);
        const verified = await run("verify", copy);
        expect({ exitCode: verified.exitCode, stderr: verified.stderr }).toEqual({ exitCode: 1, stderr: "" });
        expect(verified.stdout).not.toMatch(RAW);
        expect(verified.stdout).toContain("topics/orders/0 at 0, 0 bytes: unreadable:");
        expect(verified.stdout).toContain("meta.db at 0, 0 bytes: unreadable:");
        expect(verified.stdout).toContain("2 partitions, 1 segment, 10 batches, 20 records");
        const shown = await run("inspect", copy);
        expect({ exitCode: shown.exitCode, stderr: shown.stderr }).toEqual({ exitCode: 0, stderr: "" });
        expect(shown.stdout).toContain("topics/orders/0 is not shown:");
        const log = join(copy, "topics/orders/1/00000000000000000000.log");
        chmodSync(log, 0o000);
        const refused = await run("inspect", log);
        expect({ exitCode: refused.exitCode, stderr: refused.stderr }).toEqual({
          exitCode: 2,
          stderr: `obelisk: ${log} cannot be opened: permission denied (EACCES)\n`,
        });
        chownSync(copy, 0, 0);
        chmodSync(copy, 0o000);
        const closed = await run("verify", copy);
        expect({ exitCode: closed.exitCode, stderr: closed.stderr }).toEqual({
          exitCode: 2,
          stderr: `obelisk: the data directory ${copy} cannot be read: permission denied (EACCES); give this user the right to read it\n`,
        });
      },
    );
  });
}

/** The same program without root's rights. */
function plainUser(program: Program): Program {
  const drop = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  return { ...program, command: [...drop, ...program.command] };
}

function reasonAgainstNobody(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can become somebody else";
  if (!existsSync("/usr/bin/setpriv")) return "there is no setpriv";
  const [command = "", ...args] = plainUser(fromSources).command;
  const tried = Bun.spawnSync([command, ...args, "--version"], { cwd: "/", env: process.env });
  return tried.exitCode === 0 ? undefined : "this program lies where a plain user cannot reach it";
}

function why(reason: string | undefined): string {
  return reason === undefined ? "" : ` (skipped: ${reason})`;
}
