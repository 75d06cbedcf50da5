/**
 * kill -9 under load, or a power cut, again and again on the same data directory. Each round:
 *
 *   start -> everything acknowledged so far is there -> `verify` finds nothing -> load on both listeners -> kill -9
 *
 *   load      who writes                                      meets
 *   mixed     everybody                                       groups of several files and new names
 *   busy      one idempotent producer, with large batches     the thread that syncs a busy segment, rolls
 *   wide      producers of eight partitions at once           one syncfs for all
 *   passing   topics are created, written to and deleted      deletions and creations beside a busy producer
 *   retained  a topic that keeps little, with DeleteRecords   log starts that move, segments that leave
 *
 * and at the end one more start, a graceful shutdown, and a last `verify`. Everything random comes from the seed.
 */

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../network/support.ts";
import type { LoopDisk } from "../support/loop-disk.ts";
import { compiled, type Program, runObelisk, startObelisk } from "../support/obelisk-command.ts";
import { PassingTopics } from "./passing-topics.ts";
import { RetainedStream } from "./retained-stream.ts";
import { KafkaStream, type Load, NativeStream, type Ports, randomFrom, type Stream } from "./streams.ts";

/** The smallest segments there are, so that kills meet rolls and sealed files too. */
const FLAGS = ["--segment-bytes", "1MiB", "--message-bytes-max", "1MiB", "--log-level", "error"];
/** A server lives this long under load, at least and at most. */
const LIFE_MS_MIN = 30;
const LIFE_MS_MAX = 500;
const WIDTH = 8;
const KINDS = ["mixed", "busy", "wide", "passing", "retained"] as const;
type Kind = (typeof KINDS)[number];

export interface CrashOptions {
  rounds: number;
  seed: number;
  program?: Program;
  /** Where the data lie, and whose power is cut in each round before the kill. */
  disk?: LoopDisk | undefined;
  say?: (line: string) => void;
}

export interface CrashReport {
  rounds: number;
  /** Numbers acknowledged by each stream. */
  acked: Record<string, number>;
}

/** @throws when a promise is broken; the data directory is then kept and named */
export async function runCrashes(options: CrashOptions): Promise<CrashReport> {
  const directory = options.disk?.path ?? mkdtempSync(join(tmpdir(), "obelisk-crash-"));
  const random = randomFrom(options.seed);
  const streams: Stream[] = [
    new KafkaStream("idempotent", true, random),
    new KafkaStream("plain", false, random),
    new NativeStream("native"),
    new PassingTopics(random),
    new RetainedStream(random),
    ...Array.from({ length: WIDTH }, (_, partition) => {
      return new KafkaStream("wide", partition % 2 === 0, random, { partition, partitions: WIDTH });
    }),
  ];
  try {
    for (let round = 1; round <= options.rounds; round += 1) {
      const kind = KINDS[(round - 1) % KINDS.length]!;
      await crashOnce(join(directory, "data"), options, streams, kind, random);
      const acked = ackedBy(streams).map(([name, count]) => `${name} ${count}`);
      options.say?.(`round ${round} of ${options.rounds} (${kind}): acknowledged ${acked.join(", ")}`);
    }
    await shutDown(join(directory, "data"), options, streams);
  } catch (thrown) {
    throw new Error(`seed ${options.seed}, data in ${keep(directory, options)}`, { cause: thrown });
  }
  if (options.disk === undefined) rmSync(directory, { recursive: true });
  return { rounds: options.rounds, acked: Object.fromEntries(ackedBy(streams)) };
}

/** The partitions of a topic together. */
function ackedBy(streams: readonly Stream[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { name, ackedCount } of streams) {
    const topic = name.replace(/-\d+$/, "");
    counts.set(topic, (counts.get(topic) ?? 0) + ackedCount);
  }
  return [...counts];
}

async function crashOnce(
  directory: string,
  options: CrashOptions,
  streams: readonly Stream[],
  kind: Kind,
  random: () => number,
): Promise<void> {
  const server = await start(directory, options);
  try {
    for (const stream of streams) await stream.check(server.ports);
    await verify(directory, options);
    const isFirst = streams.every(({ ackedCount }) => ackedCount === 0);
    const load: Load = { ...server.ports, isLarge: kind === "busy", mayRefuse: options.disk !== undefined };
    const loads = streams.filter((stream) => writes(stream, kind)).map((stream) => stream.load(load));
    const life = LIFE_MS_MIN + random() * (LIFE_MS_MAX - LIFE_MS_MIN);
    await Promise.race([livesFor(life, streams, isFirst), ...loads]);
    if (options.disk !== undefined) await fail(options.disk, random, Promise.all(loads));
    server.child.kill("SIGKILL");
    await Promise.all(loads);
  } finally {
    server.child.kill("SIGKILL");
    await server.child.exited;
  }
  if (options.disk?.isCut === true) options.disk.restore();
  else options.disk?.takeNewBlocks();
}

/** The first time until each stream had something acknowledged. */
async function livesFor(life: number, streams: readonly Stream[], isFirst: boolean): Promise<void> {
  await Bun.sleep(life);
  if (!isFirst) return;
  await until(() => streams.every(({ ackedCount }) => ackedCount > 0), "the first acknowledgements");
}

/**
 * Cuts the power; or lets the disk lose what it is given until everybody has been refused, and until the server is gone. What is
 * stored after the next start then meets the power cut of another round.
 */
async function fail(disk: LoopDisk, random: () => number, ended: Promise<unknown>): Promise<void> {
  if (random() < 0.7) {
    disk.cutPower();
    return;
  }
  disk.loseNewBlocks();
  await ended;
}

/** Where the data of a failed run stay. */
function keep(directory: string, { disk }: CrashOptions): string {
  if (disk === undefined) return directory;
  const kept = mkdtempSync(join(tmpdir(), "obelisk-crash-"));
  cpSync(directory, kept, { recursive: true });
  return kept;
}

function writes({ name }: Stream, kind: Kind): boolean {
  switch (kind) {
    case "mixed":
      return true;
    case "busy":
      return name === "idempotent";
    case "wide":
      return name.startsWith("wide");
    case "retained":
      return name === "retained";
    case "passing":
      return name === "passing" || name === "idempotent";
  }
}

async function shutDown(directory: string, options: CrashOptions, streams: readonly Stream[]): Promise<void> {
  const server = await start(directory, options);
  try {
    for (const stream of streams) await stream.check(server.ports);
  } finally {
    server.child.kill("SIGTERM");
  }
  const exitCode = await server.child.exited;
  if (exitCode !== 0) throw new Error(`the graceful shutdown ended with ${exitCode}`);
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
  if (!line.includes('"started"')) throw new Error(`the server did not start: ${line}`);
  const started = JSON.parse(line) as { native: { port: number }; kafka: { port: number } };
  const taken: Ports = { native: started.native.port, kafka: started.kafka.port };
  return { child, ports: taken };
}
