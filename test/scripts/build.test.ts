/** scripts/build as the README offers it alone: in a copy of its directory, with stand-ins for bun and npm in PATH. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  existsSync,
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
  directory = realpathSync(mkdtempSync(join(tmpdir(), "obelisk-build-")));
  mkdirSync(join(directory, "path"));
  for (const script of ["build", "install-bun"])
    cpSync(join(ROOT, "scripts", script), join(directory, "scripts", script));
  writeFileSync(join(directory, "package.json"), `{ "packageManager": "bun@${VERSION}" }`);
  for (const tool of ["sed", "dirname", "mkdir", "rm", "ln", "chmod", "cat"])
    symlinkSync(Bun.which(tool)!, join(directory, "path", tool));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** A bun that prints the pinned version and records what else it is called with. */
const NOTING_BUN = `#!/bin/sh
[ "$1" = --version ] && { echo ${VERSION}; exit 0; }
echo "$@" >>bun-calls
`;

/** An npm that "installs" that bun. */
function addNpm(): void {
  const bun = join(directory, "noting-bun");
  writeFileSync(bun, NOTING_BUN);
  const file = join(directory, "path/npm");
  const target = `"$3"/node_modules/@oven/bun-linux-x64/bin`;
  writeFileSync(file, `#!/bin/sh\nmkdir -p ${target}\ncat "${bun}" >${target}/bun\n`);
  chmodSync(file, 0o755);
}

async function build(...words: string[]): Promise<number> {
  const child = Bun.spawn(["/bin/sh", join(directory, "scripts/build"), ...words], {
    env: { PATH: join(directory, "path") },
    stdout: "ignore",
    stderr: "ignore",
  });
  return await child.exited;
}

function calls(): string[] {
  return readFileSync(join(directory, "bun-calls"), "utf8").trimEnd().split("\n");
}

test("without bun in PATH it brings Bun and the packages, then builds the dashboard and the executable with it", async () => {
  addNpm();
  expect(await build()).toBe(0);
  const [install, ...rest] = calls();
  expect(install).toStartWith("install --frozen-lockfile");
  expect(rest.map((call) => call.replace(/ --.*/, ""))).toEqual([
    "scripts/build-dashboard.ts dist/dashboard.assets",
    "build commands/main.ts dist/dashboard.assets",
  ]);
});

test("packages that are there are not installed again, and its arguments go to the build", async () => {
  addNpm();
  mkdirSync(join(directory, "node_modules"));
  expect(await build("--outfile", "elsewhere")).toBe(0);
  const [dashboard, executable, ...rest] = calls();
  expect([dashboard, rest]).toEqual(["scripts/build-dashboard.ts dist/dashboard.assets", []]);
  expect(executable).toEndWith("--outfile elsewhere");
});

test("without bun and npm it fails, and builds nothing", async () => {
  expect(await build()).toBe(2);
  expect(existsSync(join(directory, "bun-calls"))).toBe(false);
});
