/** A compiled server observed from outside: its log as it comes, `/health`, and a connection to its Kafka listener. */

import { Wire } from "../crash/wire.ts";
import { compiled, type Program } from "../support/obelisk-command.ts";
import type { RunningServer } from "../support/obelisk-server.ts";
import { type Bench, brokersOf } from "./support.ts";

/** What `/health` says of the storage. */
export interface StorageHealth {
  readonly status: string;
  readonly offline: number;
  readonly findings: number;
}

export class Observed {
  readonly server: RunningServer;
  readonly wire: Wire;
  /** All lines of its log so far. */
  log = "";
  readonly #logEnded: Promise<void>;

  private constructor(server: RunningServer, wire: Wire) {
    this.server = server;
    this.wire = wire;
    this.#logEnded = this.#readLog();
  }

  static async start(bench: Bench, flags: readonly string[], program: Program = compiled): Promise<Observed> {
    const server = await bench.serve(flags, bench.data, program);
    return new Observed(server, await Wire.kafka(server.started.kafka.port));
  }

  get brokers(): string {
    return brokersOf(this.server);
  }

  async health(): Promise<StorageHealth> {
    const response = await fetch(`http://127.0.0.1:${this.server.started.http.port}/health`);
    const { components } = (await response.json()) as {
      components: { storage: { status: string; details: { offline_partitions: number; findings: number } } };
    };
    const { status, details } = components.storage;
    return { status, offline: details.offline_partitions, findings: details.findings };
  }

  /** Ends the server; its exit code. The log is whole then. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    this.wire.close();
    const exitCode = await this.server.stop(signal);
    await this.#logEnded;
    return exitCode;
  }

  async #readLog(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.server.child.stderr) this.log += decoder.decode(chunk, { stream: true });
  }
}
