/**
 * Makes system calls of a real process fail, as a disk that is ill makes them: strace puts the error in the place of the call,
 * for the files that are named and no others. It attaches and detaches while the process runs, so that a fault comes and goes.
 *
 *     attach:      strace -p PID       from now until `heal`
 *     underFaults: strace -D PROGRAM   from the first instruction on; the process keeps its own id, output and exit code
 *
 * The kernel knows nothing of it: what such a call would have written stays in the page cache, and what it would have synced is
 * not. A disk that really loses what it could not write is loop-disk.ts.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Program } from "./obelisk-command.ts";

const ATTACHED = /attached/;

export interface Fault {
  /** Names of system calls as strace takes them: `fdatasync`, or `pread64,preadv`. */
  readonly calls: string;
  readonly error: "EIO" | "EMFILE" | "ENOSPC" | "EACCES" | "ENOMEM";
  /** Which calls of each thread: `1` the first, `2+` all but the first. All when absent. */
  readonly when?: string;
  /** The call takes this long before it fails. */
  readonly delayMs?: number;
}

/** A title with the reason, for what is skipped. */
export function titled(title: string, ...missing: (string | undefined)[]): string {
  const first = missing.find((text) => text !== undefined);
  return first === undefined ? title : `${title} (skipped: ${first})`;
}

export class FailingCalls implements AsyncDisposable {
  readonly #strace: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly #directory: string;
  #output = "";

  private constructor(strace: Bun.Subprocess<"ignore", "ignore", "pipe">, directory: string) {
    this.#strace = strace;
    this.#directory = directory;
  }

  /** From when it resolves, calls of the process that concern `paths` (all files when empty) fail. */
  static async attach(
    pid: number,
    faults: readonly Fault[],
    paths: readonly string[],
  ): Promise<FailingCalls> {
    const directory = mkdtempSync(join(tmpdir(), "obelisk-calls-"));
    const words = ["strace", "-f", "-p", `${pid}`, ...flagsOf(faults, paths, join(directory, "trace"))];
    const strace = Bun.spawn(words, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    const failing = new FailingCalls(strace, directory);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    void failing.#listen(resolve);
    if (await promise) return failing;
    await failing[Symbol.asyncDispose]();
    throw new Error(`strace could not attach: ${failing.#output}`);
  }

  /** To the end: it prints a line for each new thread, and dies when nobody reads them. */
  async #listen(isAttached: (is: boolean) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#strace.stderr) {
      this.#output += decoder.decode(chunk, { stream: true });
      if (ATTACHED.test(this.#output)) isAttached(true);
    }
    isAttached(false);
  }

  /** How many calls have failed so far. */
  get count(): number {
    return injectedIn(join(this.#directory, "trace"));
  }

  /** From when it resolves, calls are the kernel's again. */
  async heal(): Promise<void> {
    this.#strace.kill("SIGTERM");
    await this.#strace.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.heal();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The program with faults from its start on; what failed is in `trace`. */
export function underFaults(
  program: Program,
  faults: readonly Fault[],
  paths: readonly string[],
  trace: string,
): Program {
  const command = ["strace", "-D", "-f", ...flagsOf(faults, paths, trace), ...program.command];
  return { ...program, name: `${program.name}, with failing calls`, command };
}

/** How many calls have failed by a trace. */
export function injectedIn(trace: string): number {
  return existsSync(trace) ? readFileSync(trace, "utf8").split("(INJECTED)").length - 1 : 0;
}

function flagsOf(faults: readonly Fault[], paths: readonly string[], trace: string): string[] {
  const flags = [
    "-o",
    trace,
    "-e",
    `trace=${faults.map(({ calls }) => calls).join(",")}`,
    "-e",
    "signal=none",
  ];
  for (const { calls, error, when, delayMs } of faults) {
    const parts = [`inject=${calls}`, `error=${error}`];
    if (when !== undefined) parts.push(`when=${when}`);
    if (delayMs !== undefined) parts.push(`delay_enter=${delayMs}ms`);
    flags.push("-e", parts.join(":"));
  }
  for (const path of paths) flags.push("-P", path);
  return flags;
}

const PROBE: Fault[] = [{ calls: "chdir", error: "EIO" }];

/** Tries it on a small program: a container may forbid it. */
function whyNoStarts(): string | undefined {
  if (process.platform !== "linux") return "needs Linux's strace";
  if (Bun.which("strace") === null) return "strace is missing";
  const { command } = underFaults({ name: "", command: [], missing: undefined }, PROBE, [], "/dev/null");
  const probe = Bun.spawnSync([...command, "/bin/sh", "-c", "cd / 2>/dev/null || echo failed"]);
  return probe.stdout.toString() === "failed\n" ? undefined : "this machine lets strace change no call";
}

/** The kernel may let only an ancestor, or only root, at a process that runs. */
async function whyNoAttaching(): Promise<string | undefined> {
  const child = Bun.spawn(["cat"], { stdin: "pipe", stdout: "ignore" });
  try {
    await using _ = await FailingCalls.attach(child.pid, PROBE, []);
    return undefined;
  } catch {
    return "this machine lets strace attach to no process";
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

/** Why `underFaults` cannot be used here; undefined when it can. */
export const failingStartsMissing = whyNoStarts();
/** Why `FailingCalls` cannot. */
export const failingCallsMissing = failingStartsMissing ?? (await whyNoAttaching());
