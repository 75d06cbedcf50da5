/**
 * scripts/bench/partitions.ts: how long a server with many partitions takes to stop and to start, and how many descriptors it
 * holds at most meanwhile.
 *
 *   bun scripts/bench/partitions.ts [--partitions N] [--rounds N] [--executable FILE] [--ulimit N]
 *
 * Needs ./scripts/build first. Each round writes one small batch to each partition, stops in order, starts, writes again, kills,
 * starts, and stops. Descriptors are counted from outside (/proc), so a peak of a few milliseconds may be missed.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTopicsApi } from "../../src/protocol/kafka/apis/create-topics.ts";
import { produceApi } from "../../src/protocol/kafka/apis/produce.ts";
import { buildBatch, flat } from "./kafka-api.ts";
import { type Address, CallSocket } from "./load.ts";
import { firstLine } from "./servers.ts";

const HOST = "127.0.0.1";
const CLIENT = "obelisk-bench";
/** As many get a record with one request: below what a small `--ulimit` lets wait for one sync. */
const PARTITIONS_PER_TOPIC = 100;
const LOOK_MS = 50;
/** Linux: USER_HZ is 100. */
const TICK_MS = 10;

interface Running {
  readonly address: Address;
  readonly startMs: number;
  readonly descriptorsMax: () => number;
  /** `cpuMs`: how long processors worked on it meanwhile, which other load on the machine hardly changes. */
  end(signal: NodeJS.Signals): Promise<{ ms: number; cpuMs: number; exitCode: number }>;
}

async function main(args: readonly string[]): Promise<void> {
  const option = (name: string, defaultValue: string) => {
    const at = args.indexOf(`--${name}`);
    return at === -1 ? defaultValue : (args[at + 1] ?? defaultValue);
  };
  const partitions = Number(option("partitions", "10000"));
  const executable = option("executable", join(import.meta.dir, "..", "..", "dist", "obelisk"));
  const start = () => startServer(executable, directory, option("ulimit", ""));
  const directory = mkdtempSync(join(tmpdir(), "obelisk-bench-partitions-"));
  let server = await start();
  try {
    console.log(`${partitions} partitions: the empty start ${words(server.startMs)}`);
    await createTopics(server.address, partitions);
    for (let round = 1; round <= Number(option("rounds", "3")); round += 1) {
      await writeAll(server.address, partitions);
      const beforeStop = server;
      const stopped = await server.end("SIGTERM");
      server = await start();
      const afterStop = server;
      await writeAll(server.address, partitions);
      const beforeKill = server;
      await server.end("SIGKILL");
      server = await start();
      const afterKill = server;
      const again = await server.end("SIGTERM");
      server = await start();
      console.log(
        [
          `round ${round}: stop ${words(stopped.ms)} (CPU ${words(stopped.cpuMs)}, exit ${stopped.exitCode}, ${beforeStop.descriptorsMax()} descriptors)`,
          `start ${words(afterStop.startMs)}`,
          `start after a kill ${words(afterKill.startMs)} (before it ${beforeKill.descriptorsMax()} descriptors)`,
          `stop at once after it ${words(again.ms)} (CPU ${words(again.cpuMs)}, exit ${again.exitCode}, ${afterKill.descriptorsMax()} descriptors)`,
        ].join("; "),
      );
    }
  } finally {
    await server.end("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

async function startServer(executable: string, directory: string, ulimit: string): Promise<Running> {
  const flags = ["--native-port=0", "--http-port=0", "--kafka-port=0", "--log-level=error"];
  const command = [executable, "serve", "--json", "--data", directory, ...flags];
  const limited = ulimit === "" ? command : ["sh", "-c", `ulimit -n ${ulimit}; exec "$@"`, "sh", ...command];
  const startedAt = performance.now();
  const child = Bun.spawn(limited, { stdin: "ignore", stdout: "pipe", stderr: "inherit", cwd: directory });
  let descriptorsMax = 0;
  const looker = setInterval(() => {
    descriptorsMax = Math.max(descriptorsMax, openDescriptors(child.pid));
  }, LOOK_MS);
  const started = JSON.parse(await firstLine(child.stdout)) as { kafka: Address };
  return {
    address: { host: HOST, port: started.kafka.port },
    startMs: performance.now() - startedAt,
    descriptorsMax: () => descriptorsMax,
    end: async (signal) => {
      const endedAt = performance.now();
      const cpuMs = cpuOf(child.pid);
      child.kill(signal);
      const exitCode = await child.exited;
      clearInterval(looker);
      const ms = performance.now() - endedAt;
      return { ms, cpuMs: Number(child.resourceUsage()?.cpuTime.total ?? 0n) / 1000 - cpuMs, exitCode };
    },
  };
}

/** What the process has used of processors so far, by the clock ticks of /proc; 0 where the system does not tell. */
function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0;
  }
}

/** 0 where the system does not tell, or the process is gone. */
function openDescriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

async function createTopics(address: Address, partitions: number): Promise<void> {
  const socket = await CallSocket.connect(address);
  for (const { name, count } of topicsFor(partitions)) {
    const topic = { name, numPartitions: count, replicationFactor: 1, assignments: [], configs: [] };
    const request = { topics: [topic], timeoutMs: 60_000 };
    const response = await socket.call(flat(createTopicsApi.encodeRequest(5, 1, CLIENT, request)));
    const { topics } = createTopicsApi.decodeResponse(5, response, 0, response.length);
    if (topics[0]?.errorCode !== 0) throw new Error(`topic ${name} cannot be made: ${topics[0]?.errorCode}`);
  }
  socket.close();
}

/** One batch of one record to each partition. */
async function writeAll(address: Address, partitions: number): Promise<void> {
  const socket = await CallSocket.connect(address);
  for (const { name, count } of topicsFor(partitions)) {
    const partitionData = Array.from({ length: count }, (_, index) => ({
      index,
      records: buildBatch(1, 100).batch,
    }));
    const body = { transactionalId: null, acks: -1, timeoutMs: 60_000, topicData: [{ name, partitionData }] };
    const response = await socket.call(flat(produceApi.encodeRequest(8, 1, CLIENT, body)));
    const { responses } = produceApi.decodeResponse(8, response, 0, response.length);
    for (const { index, errorCode } of responses[0]!.partitionResponses) {
      if (errorCode !== 0) throw new Error(`${name}/${index} takes no record: error ${errorCode}`);
    }
  }
  socket.close();
}

function topicsFor(partitions: number): { name: string; count: number }[] {
  const topics: { name: string; count: number }[] = [];
  for (let made = 0; made < partitions; made += PARTITIONS_PER_TOPIC) {
    topics.push({ name: `topic-${topics.length}`, count: Math.min(PARTITIONS_PER_TOPIC, partitions - made) });
  }
  return topics;
}

function words(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

await main(process.argv.slice(2));
