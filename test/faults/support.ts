/**
 * What the fault tests share: the compiled executable as server and as commands, in a directory of its own. Commands that would
 * wait for ever are killed after `COMMAND_MS_MAX`, so that a hang is a failure and not a hang of the suite.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiled, type Program, startObelisk } from "../support/obelisk-command.ts";
import { type RunningServer, startServer } from "../support/obelisk-server.ts";

/** A command of these tests takes well under a second; this is for a machine that is busy with other things. */
const COMMAND_MS_MAX = 30_000;
/** Small files, so that a few MiB make several segments. */
export const SMALL_SEGMENTS = ["--segment-bytes=1MiB", "--message-bytes-max=1MiB", "--batch-bytes=64KiB"];

export interface Output {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export class Bench implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "obelisk-faults-"));
  readonly #servers: RunningServer[] = [];

  readonly data: string;

  /** `data`: another place than in its own directory. */
  constructor(data?: string) {
    this.data = data ?? join(this.directory, "data");
  }

  async serve(
    flags: readonly string[] = [],
    data = this.data,
    program: Program = compiled,
  ): Promise<RunningServer> {
    const server = await startServer(data, flags, { program });
    this.#servers.push(server);
    return server;
  }

  /** Runs an obelisk command to its end. */
  async run(...args: string[]): Promise<Output> {
    return ended(startObelisk(args, { program: compiled }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await server.stop("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Any other program, such as kcat. */
export async function runProgram(command: readonly string[], input?: Uint8Array): Promise<Output> {
  return ended(Bun.spawn([...command], { stdin: input ?? null, stdout: "pipe", stderr: "pipe" }));
}

export function brokersOf(server: RunningServer): string {
  return `127.0.0.1:${server.started.kafka.port}`;
}

async function ended(child: ReturnType<typeof startObelisk>): Promise<Output> {
  const timer = setTimeout(() => child.kill("SIGKILL"), COMMAND_MS_MAX);
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).arrayBuffer(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  clearTimeout(timer);
  return { exitCode, stdout: Buffer.from(stdout), stderr };
}
