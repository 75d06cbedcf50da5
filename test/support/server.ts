/**
 * A whole server on free ports and a temporary directory: in this process, or the compiled executable as its own one.
 * Whoever starts one stops it; the directory goes with it.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../src/base/log.ts";
import { defaultSettings, type Settings } from "../../src/config/settings.ts";
import { startServer } from "../../src/server.ts";
import { compiled, startObelisk } from "./obelisk-command.ts";

export interface TestServer {
  /** "127.0.0.1:PORT" of the Kafka listener. */
  readonly kafka: string;
  readonly kafkaPort: number;
  readonly nativePort: number;
  readonly httpPort: number;
  readonly directory: string;
  stop(): Promise<void>;
}

export interface ServerKind {
  readonly name: string;
  /** Why it cannot run here; undefined when it can. */
  readonly missing: string | undefined;
  start(): Promise<TestServer>;
}

/** Both kinds, for suites that run against each. */
export const SERVERS: readonly ServerKind[] = [
  { name: "in this process", missing: undefined, start: () => startHere() },
  { name: "compiled", missing: compiled.missing, start: () => startCompiled() },
];

/** A directory given as `data` is the caller's: it stays when the server stops. */
export async function startHere(overrides: Partial<Settings> = {}): Promise<TestServer> {
  const directory = overrides.data ?? mkdtempSync(join(tmpdir(), "obelisk-server-"));
  const free = { nativePort: 0, httpPort: 0, kafkaPort: 0 };
  const server = await startServer(defaultSettings({ data: directory, ...free, ...overrides }), silentLog);
  const { kafka, native, http } = server.addresses;
  return {
    kafka: `127.0.0.1:${kafka.port}`,
    kafkaPort: kafka.port,
    nativePort: native.port,
    httpPort: http.port,
    directory,
    stop: async () => {
      await server.stop();
      if (overrides.data === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

export async function startCompiled(more: readonly string[] = []): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-server-"));
  const flags = [
    "serve",
    "--json",
    "--data",
    directory,
    "--native-port=0",
    "--http-port=0",
    "--kafka-port=0",
    ...more,
  ];
  const child = startObelisk(flags, { program: compiled });
  const { value } = await child.stdout.getReader().read();
  const { kafka, native, http } = JSON.parse(new TextDecoder().decode(value)) as Record<
    string,
    { port: number }
  >;
  return {
    kafka: `127.0.0.1:${kafka!.port}`,
    kafkaPort: kafka!.port,
    nativePort: native!.port,
    httpPort: http!.port,
    directory,
    stop: async () => {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
      await child.exited;
      clearTimeout(timer);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
