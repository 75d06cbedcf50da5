/** `obelisk profile`: what is kept under a name, and which of flag, environment, profile and default counts. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiled, fromSources, runObelisk } from "../support/obelisk-command.ts";
import { startHere, type TestServer } from "../support/server.ts";

/** Many processes one after another, on a machine that is busy. */
setDefaultTimeout(60_000);

let server: TestServer;
beforeAll(async () => {
  server = await startHere();
});
afterAll(() => server.stop());

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;

  describe.skipIf(program.missing !== undefined)(`profiles, ${title}`, () => {
    let home = "";
    beforeAll(() => {
      home = mkdtempSync(join(tmpdir(), "obelisk-profiles-"));
    });
    afterAll(() => rmSync(home, { recursive: true, force: true }));

    const run = (args: string[], env: Record<string, string> = {}) =>
      runObelisk(args, { program, env: { XDG_CONFIG_HOME: join(home, "config"), ...env } });
    const said = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await run(args);
      return [exitCode, stdout + stderr];
    };

    test("a profile is created, shown, changed, chosen and deleted", async () => {
      expect(await said("profile", "list")).toEqual([0, ""]);
      expect(await said("profile", "create", "a", `--brokers=${server.kafka}`)).toEqual([
        0,
        "created profile a, and it is in use\n",
      ]);
      expect(await said("profile", "create", "b", "--brokers=127.0.0.1:1", "--group=g")).toEqual([
        0,
        "created profile b\n",
      ]);
      expect(await said("profile", "create", "b")).toEqual([
        1,
        "obelisk: there is a profile b already; change it with `obelisk profile edit b`\n",
      ]);
      expect(await said("profile", "edit", "b", "--group=", "--native=n:1")).toEqual([
        0,
        "changed profile b\n",
      ]);
      expect(
        (await run(["profile", "list", "--json"])).stdout
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line)),
      ).toEqual([
        { profile: "a", isCurrent: true, brokers: server.kafka, group: null, native: null },
        { profile: "b", isCurrent: false, brokers: "127.0.0.1:1", group: null, native: "n:1" },
      ]);
      expect(await said("profile", "use", "b")).toEqual([0, "profile b is in use\n"]);
      expect(await said("profile", "show")).toEqual([
        0,
        "profile  b (in use)\nbrokers  127.0.0.1:1\ngroup    -\nnative   n:1\n",
      ]);
      expect(await said("profile", "delete", "b")).toEqual([0, "deleted profile b\n"]);
      expect(JSON.parse(readFileSync(join(home, "config/obelisk/profiles.json"), "utf8"))).toEqual({
        version: 1,
        current: null,
        profiles: { a: { brokers: server.kafka } },
      });
    });

    test("a flag counts before the environment, that before the profile, that before the default", async () => {
      const nowhere = { OBELISK_BROKERS: "127.0.0.1:1" };
      const list = async (args: string[], env: Record<string, string> = {}) =>
        (await run(["topic", "list", ...args], env)).exitCode;
      expect(await list(["--profile=a"])).toBe(0);
      expect(await list([], { OBELISK_PROFILE: "a" })).toBe(0);
      expect(await list(["--profile=a"], nowhere)).toBe(2);
      expect(await list([`--brokers=${server.kafka}`], nowhere)).toBe(0);
      expect(await list(["--profile=a"], { OBELISK_PROFILE: "gone" })).toBe(0);
      expect(await run(["topic", "list", "--profile=aa"])).toMatchObject({
        exitCode: 64,
        stderr: "obelisk: there is no profile aa; did you mean a?\n",
      });
    });

    test("a file that is not understood is named, and never overwritten", async () => {
      mkdirSync(join(home, "other/obelisk"), { recursive: true });
      const path = join(home, "other/obelisk/profiles.json");
      for (const [content, reason] of [
        ["{", "it is not JSON"],
        ['{"version": 2}', "it has no version 1"],
        [
          '{"version":1,"current":null,"profiles":{"a":{"colour":"red"}}}',
          "it has fields that no profile has",
        ],
      ] as const) {
        writeFileSync(path, content);
        expect(await run(["profile", "create", "x"], { XDG_CONFIG_HOME: join(home, "other") })).toEqual({
          exitCode: 64,
          stdout: "",
          stderr: `obelisk: ${path} cannot be understood: ${reason}; mend it, or remove it and create the profiles anew\n`,
        });
        expect(readFileSync(path, "utf8")).toBe(content);
      }
    });

    test("names and addresses are checked when they are written down", async () => {
      expect(await said("profile", "create", "-x")).toMatchObject([64, expect.anything()]);
      expect(await said("profile", "create", "a b")).toEqual([
        64,
        "obelisk: `a b` is no name for a profile; use letters, digits, dots, dashes and underscores\n",
      ]);
      expect((await run(["profile", "create", "c", "--brokers=a:b:c"])).exitCode).toBe(64);
    });
  });
}
