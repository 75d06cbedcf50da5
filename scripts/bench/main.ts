/**
 * scripts/bench: what one machine gives, in one run, so that the figures can be divided by each other.
 *
 *   bun scripts/bench/main.ts [--quick] [--json FILE] [--no-peers]
 *
 * Needs ./scripts/build first. Measures the bare socket (receive, CRC, write), the compiled Obelisk with fsync before every
 * acknowledgement, and beside it Redis (appendfsync always) and Apache Kafka (its defaults, no sync) where they are present.
 * Client and server share the machine. Figures from another day or machine do not compare; ratios within one run do.
 */

import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { encodeNativeFrame } from "../../src/protocol/native/message.ts";
import { measureHttp } from "./http.ts";
import {
  createTopic,
  endToEnd,
  fetchAll,
  type Latency,
  ping,
  produce,
  type Throughput,
} from "./kafka-api.ts";
import { type Address, percentile, pump, pumpLines } from "./load.ts";
import { residentBytes, startBare, startKafka, startObelisk, startRedis } from "./servers.ts";

interface Row {
  work: string;
  server: string;
  value: number;
  unit: string;
}

interface Plan {
  produceBytes: number;
  pings: number;
  endToEndSeconds: number;
  sparseMessages: number;
  crowdMessages: number;
  httpRequests: number;
}

const FULL: Plan = {
  produceBytes: 1000e6,
  pings: 5000,
  endToEndSeconds: 10,
  sparseMessages: 5000,
  crowdMessages: 1_000_000,
  httpRequests: 40_000,
};
const QUICK: Plan = {
  produceBytes: 100e6,
  pings: 500,
  endToEndSeconds: 2,
  sparseMessages: 500,
  crowdMessages: 100_000,
  httpRequests: 4000,
};

const CONNECTIONS = 16;
const IN_FLIGHT = 64;

async function main(args: readonly string[]): Promise<void> {
  const plan = args.includes("--quick") ? QUICK : FULL;
  const hasPeers = !args.includes("--no-peers");
  const rows: Row[] = [];
  const add = (server: string, work: string, value: number, unit: string) => {
    rows.push({ server, work, value, unit });
    console.log(`${server.padEnd(10)} ${work.padEnd(44)} ${format(value)} ${unit}`);
  };
  await measureBare(plan, add);
  await measureBareHttp(plan, add);
  await measureObelisk(plan, add);
  if (hasPeers) await measureKafka(plan, add);
  if (hasPeers) await measureRedis(plan, add);
  console.log(`\n${table(rows)}`);
  const report = {
    at: new Date().toISOString(),
    bun: Bun.version,
    cpus: cpus().length,
    memoryBytes: totalmem(),
    rows,
  };
  const file = args[args.indexOf("--json") + 1];
  if (args.includes("--json") && file !== undefined)
    writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  else console.log(JSON.stringify(report));
}

type Add = (server: string, work: string, value: number, unit: string) => void;

async function measureBare(plan: Plan, add: Add): Promise<void> {
  const server = await startBare();
  const frame = Buffer.alloc(4 + 64 * 1024, 1);
  frame.writeInt32BE(64 * 1024, 0);
  const count = Math.floor(plan.produceBytes / frame.length);
  const startedAt = performance.now();
  await pump(server.address, [frame], count, 5);
  add(
    "bare",
    "produce 64 KiB, 5 in flight",
    (count * frame.length) / (performance.now() - startedAt) / 1000,
    "MB/s",
  );
  await server.stop();
}

async function measureBareHttp(plan: Plan, add: Add): Promise<void> {
  const server = await startBare("bare-http.ts");
  await measureHttp("bare", server, plan.httpRequests, add);
  await server.stop();
}

async function measureObelisk(plan: Plan, add: Add): Promise<void> {
  const server = await startObelisk();
  add("obelisk", "start until ready", server.startMs, "ms");
  add("obelisk", "resident at start", residentBytes(server.pid) / 1e6, "MB");
  await measureKafkaApi("obelisk", server.kafka, plan, add);
  await measureNativeProtocol(server.native, plan, add);
  await measureHttp("obelisk", { address: server.http, pid: server.pid }, plan.httpRequests, add);
  add("obelisk", "resident after the load", residentBytes(server.pid) / 1e6, "MB");
  await server.stop();
}

async function measureKafka(plan: Plan, add: Add): Promise<void> {
  const server = await startKafka();
  if (server === null)
    return console.log("kafka: skipped, KAFKA_HOME (a directory with libs/) or java is missing");
  await measureKafkaApi("kafka", server.address, plan, add);
  add("kafka", "resident after the load", residentBytes(server.pid) / 1e6, "MB");
  await server.stop();
}

async function measureKafkaApi(name: string, address: Address, plan: Plan, add: Add): Promise<void> {
  const throughput = (work: string, found: Throughput) => add(name, work, found.megabytesPerSecond, "MB/s");
  const latency = (work: string, found: Latency) => {
    add(name, `${work} p50`, found.p50Ms, "ms");
    add(name, `${work} p99`, found.p99Ms, "ms");
  };
  for (const topic of ["warm", "large", "small", "ping", "end-to-end"]) await createTopic(address, topic);
  await produce(address, "warm", 65_536, plan.produceBytes / 4, 5);
  throughput("produce 64 KiB, 5 in flight", await produce(address, "large", 65_536, plan.produceBytes, 5));
  throughput(
    "produce 16 KiB, 5 in flight",
    await produce(address, "small", 16_384, plan.produceBytes / 4, 5),
  );
  await fetchAll(address, "warm", 1 << 20);
  throughput("fetch 1 MiB", await fetchAll(address, "large", 1 << 20));
  latency("produce one record, 1 in flight", await ping(address, "ping", plan.pings));
  latency("end to end at 10,000/s", await endToEnd(address, "end-to-end", 10_000, plan.endToEndSeconds));
}

async function measureNativeProtocol(address: Address, plan: Plan, add: Add): Promise<void> {
  const message = encodeNativeFrame(
    Date.now(),
    Buffer.from("bench"),
    Buffer.from("k"),
    Buffer.alloc(100, "x"),
  );
  const sparse = await pumpLines(address, message, plan.sparseMessages, 1, 1);
  add("obelisk", "native one by one, 1 x 1, p50", percentile(sparse, 0.5), "ms");
  const perSecond = await crowd(plan.crowdMessages, (count) =>
    pumpLines(address, message, count, IN_FLIGHT, 1),
  );
  add("obelisk", `one by one, ${CONNECTIONS} x ${IN_FLIGHT}`, perSecond, "messages/s");
}

async function measureRedis(plan: Plan, add: Add): Promise<void> {
  const server = await startRedis();
  if (server === null) return console.log("redis: skipped, redis-server is missing");
  const parts = ["XADD", "bench", "*", "value", "x".repeat(100)];
  const command = Buffer.from(
    `*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join("")}`,
  );
  // XADD responds with a bulk string: two lines.
  const perSecond = await crowd(plan.crowdMessages, (count) =>
    pumpLines(server.address, command, count, IN_FLIGHT, 2),
  );
  add("redis", `one by one, ${CONNECTIONS} x ${IN_FLIGHT}`, perSecond, "messages/s");
  await server.stop();
}

async function crowd(messages: number, run: (count: number) => Promise<number[]>): Promise<number> {
  const each = Math.floor(messages / CONNECTIONS);
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: CONNECTIONS }, () => run(each)));
  return (each * CONNECTIONS) / ((performance.now() - startedAt) / 1000);
}

/** One row for each work, one column for each server. */
function table(rows: readonly Row[]): string {
  const servers = [...new Set(rows.map((row) => row.server))];
  const works = [...new Set(rows.map((row) => row.work))];
  const lines = [
    `| work | unit | ${servers.join(" | ")} |`,
    `|---|---|${servers.map(() => "---:|").join("")}`,
  ];
  for (const work of works) {
    const found = rows.filter((row) => row.work === work);
    const cells = servers.map((server) => {
      const row = found.find((candidate) => candidate.server === server);
      return row === undefined ? "" : format(row.value);
    });
    lines.push(`| ${work} | ${found[0]!.unit} | ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

function format(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

await main(process.argv.slice(2));
