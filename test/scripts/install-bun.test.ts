/** scripts/install-bun in a directory of its own, with stand-ins for bun and npm in PATH: nothing is downloaded. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const VERSION = "1.4.5";

let directory = "";
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "obelisk-install-")));
  mkdirSync(join(directory, "scripts"));
  mkdirSync(join(directory, "path"));
  cpSync(join(ROOT, "scripts/install-bun"), join(directory, "scripts/install-bun"));
  writeFileSync(join(directory, "package.json"), `{ "packageManager": "bun@${VERSION}" }`);
  for (const tool of ["sed", "dirname", "mkdir", "rm", "ln", "chmod", "cat"])
    symlinkSync(Bun.which(tool)!, join(directory, "path", tool));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Puts a program into PATH. */
function program(name: string, body: string): void {
  const file = join(directory, "path", name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
}

/** An npm that "installs" platform packages, each with a bun that prints a version. */
function npmWith(versions: Record<string, string>): void {
  const lines = Object.entries(versions).map(([name, version]) => {
    const bin = `"$3"/node_modules/@oven/${name}/bin`;
    return `mkdir -p ${bin}; printf '#!/bin/sh\\necho ${version}\\n' >${bin}/bun`;
  });
  program("npm", [`echo "$@" >>"${directory}/npm-calls"`, ...lines].join("\n"));
}

async function install(): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const child = Bun.spawn(["/bin/sh", join(directory, "scripts/install-bun")], {
    env: { PATH: join(directory, "path") },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exitCode: await child.exited, stdout: stdout.trim(), stderr: stderr.trim() };
}

describe("scripts/install-bun", () => {
  test("takes the bun in PATH when it has the pinned version", async () => {
    program("bun", `echo ${VERSION}`);
    expect(await install()).toEqual({ exitCode: 0, stdout: join(directory, "path"), stderr: "" });
  });

  test("installs beside another version, without install scripts, once", async () => {
    program("bun", "echo 1.0.0");
    npmWith({ "bun-linux-x64": VERSION });
    const bin = join(directory, `.tools/bun-${VERSION}/bin`);
    expect(await install()).toEqual({
      exitCode: 0,
      stdout: bin,
      stderr: `installing Bun ${VERSION} from npm into .tools/`,
    });
    expect(await install()).toEqual({ exitCode: 0, stdout: bin, stderr: "" });
    const calls = readFileSync(join(directory, "npm-calls"), "utf8").trim().split("\n");
    expect(calls.length).toBe(1);
    expect(calls[0]).toContain("--ignore-scripts");
    expect(calls[0]).toEndWith(`bun@${VERSION}`);
  });

  test("of several builds it takes the first that runs", async () => {
    npmWith({ "bun-linux-x64": "$(exit 1)", "bun-linux-x64-musl": VERSION });
    const { exitCode, stdout } = await install();
    expect(exitCode).toBe(0);
    expect(realpathSync(join(stdout, "bun"))).toEndWith("@oven/bun-linux-x64-musl/bin/bun");
  });

  test("says so when there is no npm, or no build that runs", async () => {
    const without = await install();
    expect(without).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: `Bun ${VERSION} is not here, and npm, which could install it, is not in PATH`,
    });
    npmWith({ "bun-linux-x64": "9.9.9" });
    const { exitCode, stderr } = await install();
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: `installing Bun ${VERSION} from npm into .tools/\nnone of the builds of bun@${VERSION} runs on this machine`,
    });
  });
});
