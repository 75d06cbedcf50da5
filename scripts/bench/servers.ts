/**
 * The servers of a benchmark run, each a child process with its own temporary directory, ended by its id afterwards:
 * the compiled Obelisk, the bare socket, and the peers that this machine has (Redis by its executable in PATH, Apache Kafka by
 * KAFKA_HOME, a directory with libs/*.jar).
 */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address } from "./load.ts";

/** USER_HZ is 100. */
const TICK_MS = 10;
const STOP_MS = 15_000;
const START_MS = 60_000;
const ROOT = join(import.meta.dir, "..", "..");
const HOST = "127.0.0.1";

export interface Server {
  pid: number;
  stop(): Promise<void>;
}

export interface ObeliskServer extends Server {
  kafka: Address;
  native: Address;
  http: Address;
  startMs: number;
}

/** @throws when dist/obelisk is missing: run ./scripts/build first */
export async function startObelisk(...flags: string[]): Promise<ObeliskServer> {
  const executable = join(ROOT, "dist", "obelisk");
  if (!existsSync(executable)) throw new Error("dist/obelisk is missing; run ./scripts/build first");
  const directory = temporary("obelisk");
  const startedAt = performance.now();
  const child = Bun.spawn(
    [
      executable,
      "serve",
      "--json",
      "--data",
      directory,
      ...["--native-port", "0", "--http-port", "0", "--kafka-port", "0", "--log-level", "error"],
      ...flags,
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "inherit", cwd: directory },
  );
  const started = JSON.parse(await firstLine(child.stdout)) as Record<"kafka" | "native" | "http", Address>;
  const startMs = performance.now() - startedAt;
  return {
    pid: child.pid,
    kafka: { host: HOST, port: started.kafka.port },
    native: { host: HOST, port: started.native.port },
    http: { host: HOST, port: started.http.port },
    startMs,
    stop: () => end(child, directory),
  };
}

export async function startBare(
  script: "bare.ts" | "bare-http.ts" = "bare.ts",
): Promise<Server & { address: Address }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, script)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const port = Number(await firstLine(child.stdout));
  return {
    pid: child.pid,
    address: { host: HOST, port },
    stop: async () => {
      child.stdin.end();
      await child.exited;
    },
  };
}

/** Redis with its log synced on every write; null when there is no redis-server. */
export async function startRedis(): Promise<(Server & { address: Address }) | null> {
  const executable = Bun.which("redis-server");
  if (executable === null) return null;
  const directory = temporary("redis");
  const port = await freePort();
  const flags = [
    "--port",
    `${port}`,
    "--bind",
    HOST,
    "--dir",
    directory,
    "--save",
    "",
    "--appendonly",
    "yes",
  ];
  const child = Bun.spawn([executable, ...flags, "--appendfsync", "always"], {
    stdout: "ignore",
    stderr: "inherit",
  });
  const address = { host: HOST, port };
  await untilListening(address);
  return { pid: child.pid, address, stop: () => end(child, directory) };
}

export interface KafkaOptions {
  /** As java takes it. */
  readonly heap?: string;
  /** Lines for server.properties. */
  readonly properties?: readonly string[];
}

/** Apache Kafka on its defaults (no sync); null without KAFKA_HOME or java. */
export async function startKafka(
  options: KafkaOptions = {},
): Promise<(Server & { address: Address }) | null> {
  const home = process.env["KAFKA_HOME"];
  const java = Bun.which("java");
  if (home === undefined || java === null || !existsSync(join(home, "libs"))) return null;
  const directory = temporary("kafka");
  const port = await freePort();
  const properties = join(directory, "server.properties");
  writeFileSync(properties, kafkaProperties(directory, port, await freePort(), options));
  const { heap: heapBytes = "1g" } = options;
  const heap = [`-Xms${heapBytes}`, `-Xmx${heapBytes}`, "-XX:+UseG1GC", "-cp", join(home, "libs", "*")];
  const format = Bun.spawn(
    [java, ...heap, "kafka.tools.StorageTool", "format", "-t", "b2JlbGlzay1iZW5jaC0wMA", "-c", properties],
    { stdout: "ignore", stderr: "ignore" },
  );
  if ((await format.exited) !== 0) throw new Error("Kafka's data directory cannot be formatted");
  const child = Bun.spawn([java, ...heap, "kafka.Kafka", properties], { stdout: "ignore", stderr: "ignore" });
  const address = { host: HOST, port };
  await untilListening(address);
  return { pid: child.pid, address, stop: () => end(child, directory) };
}

/** Resident memory, bytes (Linux; 0 elsewhere). */
export function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Processor time of all threads so far (Linux). */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function kafkaProperties(
  directory: string,
  port: number,
  controllerPort: number,
  { properties = [] }: KafkaOptions,
): string {
  mkdirSync(join(directory, "log"));
  return [
    "process.roles=broker,controller",
    "node.id=1",
    `log.dirs=${join(directory, "log")}`,
    `controller.quorum.voters=1@${HOST}:${controllerPort}`,
    "controller.listener.names=CONTROLLER",
    `listeners=PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://${HOST}:${port}`,
    "offsets.topic.replication.factor=1",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    ...properties,
  ].join("\n");
}

function temporary(name: string): string {
  return mkdtempSync(join(tmpdir(), `obelisk-bench-${name}-`));
}

async function end(child: Bun.Subprocess, directory: string): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await child.exited;
  clearTimeout(timer);
  rmSync(directory, { recursive: true, force: true });
}

export async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) throw new Error("the server ended before it was ready");
    text += new TextDecoder().decode(value);
  }
  reader.releaseLock();
  return text.slice(0, text.indexOf("\n"));
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function untilListening(address: Address): Promise<void> {
  const deadline = performance.now() + START_MS;
  for (;;) {
    try {
      const socket = await Bun.connect({ hostname: address.host, port: address.port, socket: { data() {} } });
      socket.end();
      return;
    } catch {
      if (performance.now() > deadline) throw new Error(`nothing listens on ${address.host}:${address.port}`);
      await Bun.sleep(100);
    }
  }
}
