/**
 * kill -9 under load, again and again on the same data directory. Each round:
 *
 *   start -> everything acknowledged so far is there -> `verify` finds nothing -> load on both doors -> kill -9
 *
 * and at the end one more start, an orderly stop, and a last `verify`. Everything random comes from the seed.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiled, type Program, runObelisk, startObelisk } from "../support/obelisk-command.ts";
import { KafkaStream, NativeStream, type Ports, randomFrom, type Stream } from "./streams.ts";

/** The smallest segments there are, so that kills meet rolls and sealed files too. */
const FLAGS = ["--segment-bytes", "1MiB", "--message-bytes-max", "1MiB", "--log-level", "error"];
/** A server lives this long under load, at least and at most. */
const LIFE_MS_MIN = 30;
const LIFE_MS_MAX = 500;

export interface CrashOptions {
  rounds: number;
  seed: number;
  program?: Program;
  say?: (line: string) => void;
}

export interface CrashReport {
  rounds: number;
  /** Numbers acknowledged by each stream. */
  acked: Record<string, number>;
}

/** @throws when a promise is broken; the data directory is then kept and named */
export async function runCrashes(options: CrashOptions): Promise<CrashReport> {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-crash-"));
  const random = randomFrom(options.seed);
  const streams: Stream[] = [
    new KafkaStream("idempotent", true, random),
    new KafkaStream("plain", false, random),
    new NativeStream("native"),
  ];
  try {
    for (let round = 1; round <= options.rounds; round += 1) {
      await crashOnce(directory, options, streams, random);
      const acked = streams.map((stream) => `${stream.name} ${stream.ackedCount}`).join(", ");
      options.say?.(`round ${round} of ${options.rounds}: acknowledged ${acked}`);
    }
    await endInOrder(directory, options, streams);
  } catch (thrown) {
    throw new Error(`seed ${options.seed}, data in ${directory}`, { cause: thrown });
  }
  rmSync(directory, { recursive: true });
  return {
    rounds: options.rounds,
    acked: Object.fromEntries(streams.map((stream) => [stream.name, stream.ackedCount])),
  };
}

async function crashOnce(
  directory: string,
  options: CrashOptions,
  streams: readonly Stream[],
  random: () => number,
): Promise<void> {
  const server = await start(directory, options);
  try {
    if (streams[0]!.ackedCount > 0) {
      for (const stream of streams) await stream.check(server.ports);
      await verify(directory, options);
    }
    const loads = streams.map((stream) => stream.load(server.ports));
    const life = LIFE_MS_MIN + random() * (LIFE_MS_MAX - LIFE_MS_MIN);
    await Promise.race([Bun.sleep(life), ...loads]);
    server.child.kill("SIGKILL");
    await Promise.all(loads);
  } finally {
    server.child.kill("SIGKILL");
    await server.child.exited;
  }
}

async function endInOrder(
  directory: string,
  options: CrashOptions,
  streams: readonly Stream[],
): Promise<void> {
  const server = await start(directory, options);
  try {
    for (const stream of streams) await stream.check(server.ports);
  } finally {
    server.child.kill("SIGTERM");
  }
  const exitCode = await server.child.exited;
  if (exitCode !== 0) throw new Error(`the orderly stop ended with ${exitCode}`);
  await verify(directory, options);
}

async function verify(directory: string, options: CrashOptions): Promise<void> {
  const { exitCode, stdout, stderr } = await runObelisk(["verify", directory], {
    program: options.program ?? compiled,
  });
  if (exitCode !== 0) throw new Error(`verify ended with ${exitCode}:\n${stdout}${stderr}`);
}

async function start(directory: string, options: CrashOptions) {
  const ports = ["--native-port", "0", "--http-port", "0", "--kafka-port", "0"];
  const args = ["serve", "--json", "--data", directory, ...ports, ...FLAGS];
  const child = startObelisk(args, { program: options.program ?? compiled });
  const reader = child.stdout.getReader();
  let line = "";
  while (!line.includes("\n")) {
    const { done, value } = await reader.read();
    if (done)
      throw new Error(`the server ended before it was ready: ${await new Response(child.stderr).text()}`);
    line += new TextDecoder().decode(value);
  }
  const started = JSON.parse(line) as { native: { port: number }; kafka: { port: number } };
  const taken: Ports = { native: started.native.port, kafka: started.kafka.port };
  return { child, ports: taken };
}
