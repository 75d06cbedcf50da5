/**
 * The compiled executable in a directory that holds files for Bun: they are another program's, and none of them changes a
 * setting or stops a command.
 */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json" with { type: "json" };
import { compiled, runObelisk } from "../support/obelisk-command.ts";
import { startServer } from "../support/obelisk-server.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "obelisk-directory-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const title =
  compiled.missing === undefined ? "the executable" : `the executable (skipped: ${compiled.missing})`;

describe.skipIf(compiled.missing !== undefined)(title, () => {
  for (const name of [".env", ".env.local", ".env.production", ".env.development"]) {
    test(`reads no settings from ${name}`, async () => {
      writeFileSync(join(directory, name), "OBELISK_NODE_ID=77\nOBELISK_NO_SUCH_SETTING=1\n");
      await using server = await startServer(join(directory, "data"), [], {
        program: compiled,
        cwd: directory,
      });
      expect(server.started["node"]).toBe(1);
      expect(await server.stop()).toBe(0);
    });
  }

  const strange: Record<string, string> = {
    "bunfig.toml": "[[[ this is no TOML",
    "tsconfig.json": "{ this is no JSON",
    "package.json": "{ this is no JSON",
  };
  for (const [name, content] of Object.entries(strange)) {
    test(`works beside a broken ${name}`, async () => {
      writeFileSync(join(directory, name), content);
      const ended = await runObelisk(["--version"], { program: compiled, cwd: directory });
      expect(ended).toEqual({ exitCode: 0, stdout: `obelisk ${version}\n`, stderr: "" });
    });
  }

  test("runs nothing that a bunfig.toml names", async () => {
    writeFileSync(join(directory, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
    writeFileSync(join(directory, "preload.ts"), 'console.log("preloaded");\n');
    const ended = await runObelisk(["--version"], { program: compiled, cwd: directory });
    expect(ended).toEqual({ exitCode: 0, stdout: `obelisk ${version}\n`, stderr: "" });
  });
});
