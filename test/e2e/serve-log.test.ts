/** A real server whose standard error or standard output cannot be written: it serves, and it ends in order. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../network/support.ts";
import { compiled, fromSources, type Program } from "../support/obelisk-command.ts";
import { FREE_PORTS } from "../support/obelisk-server.ts";

const noFullDevice = existsSync("/dev/full") ? undefined : "there is no /dev/full";

let directory = "";
const undo: (() => void)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "obelisk-log-"));
});
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
  rmSync(directory, { recursive: true, force: true });
});

/** A descriptor that the test closes, at the latest at its end. */
function open(path: string, flags: number): number {
  const descriptor = openSync(path, flags);
  undo.push(() => {
    try {
      closeSync(descriptor);
    } catch {
      // Closed by the test.
    }
  });
  return descriptor;
}

/** A pipe whose ends the test holds. */
function pipe(): { readEnd: number; writeEnd: number } {
  const path = join(directory, "pipe");
  expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
  const readEnd = open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { readEnd, writeEnd: open(path, constants.O_WRONLY) };
}

/** Fills a pipe until nothing goes in any more. */
function fill(path: string): void {
  const descriptor = open(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const block = Buffer.alloc(4096);
  try {
    for (;;) writeSync(descriptor, block);
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: "EAGAIN" });
  }
}

/**
 * Starts a server that is about to be ready: it has its data directory. What becomes of its outputs says `shell`, a redirection;
 * `stdout` and `stderr` are descriptors.
 */
async function serve(program: Program, outputs: { stdout?: number; stderr?: number; shell?: string }) {
  const data = join(directory, "data");
  const words = [...program.command, "serve", "--json", "--data", data, ...FREE_PORTS];
  const { shell, stdout, stderr } = outputs;
  const child = Bun.spawn(
    shell === undefined ? words : ["/bin/sh", "-c", `exec "$@" ${shell}`, "sh", ...words],
    {
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("OBELISK_"))),
      stdout: stdout ?? "pipe",
      stderr: stderr ?? "pipe",
    },
  );
  undo.push(() => child.kill("SIGKILL"));
  await until(() => existsSync(join(data, "obelisk.json")), "the data directory");
  return {
    child,
    stop: async () => {
      child.kill("SIGTERM");
      return await child.exited;
    },
  };
}

/** Where the server's metrics are, as it says on standard output; a reading of how many lines were lost. */
async function lostLines(child: { stdout: unknown }): Promise<() => Promise<number>> {
  const { value } = await (child.stdout as ReadableStream<Uint8Array>).getReader().read();
  const { http } = JSON.parse(new TextDecoder().decode(value)) as { http: { port: number } };
  return async () => {
    const response = await fetch(`http://127.0.0.1:${http.port}/metrics`);
    return Number(/^obelisk_log_lines_lost_total (\d+)$/m.exec(await response.text())?.[1] ?? "-1");
  };
}

/** Makes the server say `count` lines that it cannot write, and waits until they are counted. */
async function losesLines(child: Bun.Subprocess, lost: () => Promise<number>, count: number): Promise<void> {
  for (let expected = 1; expected <= count; expected += 1) {
    child.kill("SIGUSR1");
    for (;;) {
      const lines = await lost();
      expect(lines).toBeLessThanOrEqual(expected);
      if (lines === expected) break;
    }
  }
}

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;

  describe.skipIf(program.missing !== undefined)(`a log that cannot be written, ${title}`, () => {
    test.skipIf(noFullDevice !== undefined)("on a full disk costs its lines, which are counted", async () => {
      const server = await serve(program, { stderr: open("/dev/full", constants.O_WRONLY) });
      await losesLines(server.child, await lostLines(server.child), 3);
      expect(await server.stop()).toBe(0);
    });

    test("in a pipe whose reader went away costs its lines, which are counted", async () => {
      const { readEnd, writeEnd } = pipe();
      const server = await serve(program, { stderr: writeEnd });
      closeSync(writeEnd);
      closeSync(readEnd);
      await losesLines(server.child, await lostLines(server.child), 3);
      expect(await server.stop()).toBe(0);
    });

    test("in a pipe whose reader does not read holds up neither the work nor the end", async () => {
      const { writeEnd } = pipe();
      fill(join(directory, "pipe"));
      const server = await serve(program, { stderr: writeEnd });
      const lost = await lostLines(server.child);
      server.child.kill("SIGUSR1");
      expect(await lost()).toBe(0);
      expect(await server.stop()).toBe(0);
    });

    test("with both outputs closed the server runs and ends in order", async () => {
      const server = await serve(program, { shell: "2>&- >&-" });
      server.child.kill("SIGUSR1");
      expect(await server.stop()).toBe(0);
    });

    test.skipIf(noFullDevice !== undefined)("standard output on a full disk is told in the log", async () => {
      const log = join(directory, "log");
      const server = await serve(program, { shell: `2>"${log}" >/dev/full` });
      const told = "WARN  standard output cannot be written; the server goes on";
      await until(() => readFileSync(log, "utf8").includes(told), "a line in the log");
      expect(await server.stop()).toBe(0);
    });

    test("standard output in a pipe that nobody reads does not hold up the end", async () => {
      const { writeEnd } = pipe();
      fill(join(directory, "pipe"));
      const server = await serve(program, { stdout: writeEnd });
      expect(await server.stop()).toBe(0);
    });
  });
}
