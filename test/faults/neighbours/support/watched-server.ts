/**
 * A compiled server under watch: its resident memory now and at most, whether it lives, how many lines it logs. One that takes more
 * than `killBytes` is killed, so that an attack that works costs its server and not the machine.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { GiB, KiB } from "../../../../src/base/units.ts";
import type { Program } from "../../../support/obelisk-command.ts";
import { type RunningServer, startServer } from "../../../support/obelisk-server.ts";

export const KILL_BYTES = 6 * GiB;
const WATCH_MS = 10;
const LOG_LINES_KEPT = 20;

const children = new Set<Bun.Subprocess>();
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/** A child that must not outlive this process, also where that is ended in the middle. */
export function endsWithUs(child: Bun.Subprocess): void {
  children.add(child);
  void child.exited.then(() => children.delete(child));
}

export class WatchedServer implements AsyncDisposable {
  readonly running: RunningServer;
  /** Why it is not there any more. */
  ended: string | null = null;
  readonly whenEnded: Promise<void>;
  logLines = 0;
  /** The last lines of its log. */
  readonly log: string[] = [];
  readonly #timer: ReturnType<typeof setInterval>;
  #peakBytes = 0;
  #isStopping = false;

  private constructor(running: RunningServer) {
    this.running = running;
    this.whenEnded = running.child.exited.then((code) => {
      if (!this.#isStopping) this.ended ??= `ended by itself with ${running.child.signalCode ?? code}`;
    });
    this.#timer = setInterval(() => this.#watch(), WATCH_MS);
    void this.#readLog();
  }

  static async start(data: string, flags: readonly string[], program: Program): Promise<WatchedServer> {
    const running = await startServer(data, flags, { program });
    try {
      // Should the machine run short all the same, this process goes first.
      writeFileSync(`/proc/${running.child.pid}/oom_score_adj`, "1000");
    } catch {
      // Only a courtesy.
    }
    endsWithUs(running.child);
    return new WatchedServer(running);
  }

  get kafkaPort(): number {
    return this.running.started.kafka.port;
  }

  get nativePort(): number {
    return this.running.started.native.port;
  }

  residentBytes(): number {
    return this.#status("VmRSS");
  }

  /** The most that was resident since `resetPeak`. */
  peakBytes(): number {
    return Math.max(this.#peakBytes, this.#status("VmHWM"));
  }

  resetPeak(): void {
    this.#peakBytes = 0;
    try {
      writeFileSync(`/proc/${this.running.child.pid}/clear_refs`, "5");
    } catch {
      // Then the peak counts from the start.
    }
  }

  /** One gauge of `/metrics` by its label; empty when there is none, or no response. */
  async gauge(name: string): Promise<Map<string, number>> {
    try {
      const url = `http://127.0.0.1:${this.running.started.http.port}/metrics`;
      const body = await (await fetch(url, { signal: AbortSignal.timeout(5000) })).text();
      const lines = body.matchAll(new RegExp(`^${name}\\{\\w+="(.*)"\\} (\\S+)$`, "gm"));
      return new Map([...lines].map((line) => [line[1]!, Number(line[2])]));
    } catch {
      return new Map();
    }
  }

  /** Graceful shutdown; its exit code. */
  async stop(): Promise<number> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    return await this.running.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    await this.running.stop("SIGKILL");
  }

  #watch(): void {
    const bytes = this.#status("VmRSS");
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    if (bytes <= KILL_BYTES || this.ended !== null) return;
    this.ended = `killed at ${KILL_BYTES / GiB} GiB resident`;
    this.running.child.kill("SIGKILL");
  }

  #status(field: string): number {
    try {
      const status = readFileSync(`/proc/${this.running.child.pid}/status`, "utf8");
      return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * KiB;
    } catch {
      return 0;
    }
  }

  async #readLog(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.running.child.stderr) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      this.logLines += lines.length;
      this.log.push(...lines.slice(-LOG_LINES_KEPT));
      this.log.splice(0, this.log.length - LOG_LINES_KEPT);
    }
  }
}
