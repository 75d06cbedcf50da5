/**
 * scripts/bench/slow-readers.ts: what readers over HTTP who take nothing cost the others. A topic grows at full speed, and so many readers have
 * asked for all of it and read nothing; meanwhile, records of another topic go end to end over the Kafka API at 1,000 a second, and a
 * probe asks the HTTP API. In turns within one run: nobody, server-sent events, NDJSON, WebSocket, and server-sent events that keep up.
 *
 *   bun scripts/bench/slow-readers.ts [--readers N] [--quick-readers N] [--rounds N] [--seconds N]
 *
 * Client and server share the machine. Ratios within one run compare. Needs ./scripts/build first.
 */

import { connect, type Socket } from "node:net";
import { createTopic, endToEnd, produce } from "./kafka-api.ts";
import { type Address, percentile } from "./load.ts";
import { cpuMs, type ObeliskServer, residentBytes, startObelisk } from "./servers.ts";

const GROWS = "grows";
const QUIET = "quiet";
const RATE = 1000;
const BATCH_BYTES = 64 * 1024;
const PIECE_BYTES = 16 * 1024 * 1024;
const IN_FLIGHT = 8;
/** The system's buffers are full of what nobody takes once nothing was read of the topic for so long. */
const REST_MS = 1000;
const PROBE_MS = 10;
const MiB = 1024 * 1024;

type Way = "sse" | "ndjson" | "websocket";

interface Phase {
  readonly name: string;
  readonly way: Way | null;
  readonly isSlow: boolean;
  readonly readers: number;
}

interface Figures {
  readonly p50Ms: number[];
  readonly p99Ms: number[];
  readonly probeP50Ms: number[];
  readonly probeP99Ms: number[];
  readonly megabytesPerSecond: number[];
  /** The server's processor time for each MiB that the topic has grown. */
  readonly costMs: number[];
  peakBytes: number;
}

async function main(args: readonly string[]): Promise<void> {
  const option = (name: string, defaultValue: number) => {
    const at = args.indexOf(`--${name}`);
    return at === -1 ? defaultValue : Number(args[at + 1]);
  };
  const readers = option("readers", 50);
  const quickReaders = option("quick-readers", 2);
  const rounds = option("rounds", 3);
  const seconds = option("seconds", 4);
  const phases: readonly Phase[] = [
    { name: "nobody", way: null, isSlow: false, readers: 0 },
    { name: `${readers} slow, server-sent events`, way: "sse", isSlow: true, readers },
    { name: `${readers} slow, NDJSON`, way: "ndjson", isSlow: true, readers },
    { name: `${readers} slow, WebSocket`, way: "websocket", isSlow: true, readers },
    { name: `${quickReaders} that keep up`, way: "sse", isSlow: false, readers: quickReaders },
  ];
  const figures = phases.map(
    (): Figures => ({
      p50Ms: [],
      p99Ms: [],
      probeP50Ms: [],
      probeP99Ms: [],
      megabytesPerSecond: [],
      costMs: [],
      peakBytes: 0,
    }),
  );
  const server = await startObelisk(
    ...["--retention-bytes", String(512 * MiB), "--segment-bytes", String(64 * MiB)],
  );
  try {
    await createTopic(server.kafka, GROWS);
    await createTopic(server.kafka, QUIET);
    await produce(server.kafka, GROWS, BATCH_BYTES, PIECE_BYTES, IN_FLIGHT);
    for (let round = 0; round <= rounds; round += 1)
      for (const [index, phase] of phases.entries())
        await measure(server, phase, seconds, figures[index]!, round === 0);
  } finally {
    await server.stop();
  }
  console.log(
    `medians of ${rounds} rounds of ${seconds} s; a topic grows at full speed, another at ${RATE}/s`,
  );
  for (const [index, { name }] of phases.entries()) {
    const found = figures[index]!;
    const median = (values: readonly number[]) => percentile(values, 0.5).toFixed(1).padStart(6);
    console.log(
      `  ${name.padEnd(30)} end to end p50 ${median(found.p50Ms)} ms, p99 ${median(found.p99Ms)} ms; ` +
        `probe p50 ${median(found.probeP50Ms)} ms, p99 ${median(found.probeP99Ms)} ms; ` +
        `${median(found.megabytesPerSecond)} MB/s, the server's processor ${median(found.costMs)} ms for a MiB; resident memory up to ${(found.peakBytes / MiB).toFixed(0)} MiB`,
    );
  }
}

async function measure(
  server: ObeliskServer,
  phase: Phase,
  seconds: number,
  figures: Figures,
  isWarmUp: boolean,
): Promise<void> {
  const sockets = Array.from({ length: phase.readers }, () =>
    openReader(server.http, phase.way!, phase.isSlow),
  );
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      figures.peakBytes = Math.max(figures.peakBytes, residentBytes(server.pid));
      await Bun.sleep(20);
    }
  })();
  if (phase.isSlow) await settle(server.http);
  const speeds: number[] = [];
  const cpuAt = cpuMs(server.pid);
  const growing = (async () => {
    while (!isOver) {
      const speed = await produce(server.kafka, GROWS, BATCH_BYTES, PIECE_BYTES, IN_FLIGHT);
      speeds.push(speed.megabytesPerSecond);
    }
  })();
  const probes: number[] = [];
  const probing = (async () => {
    while (!isOver) {
      const startedAt = performance.now();
      await (await fetch(`http://${server.http.host}:${server.http.port}/health/live`)).text();
      probes.push(performance.now() - startedAt);
      await Bun.sleep(PROBE_MS);
    }
  })();
  const latency = await endToEnd(server.kafka, QUIET, RATE, seconds);
  isOver = true;
  await Promise.all([looking, growing, probing]);
  const cost = cpuMs(server.pid) - cpuAt;
  for (const socket of sockets) socket.destroy();
  if (isWarmUp) return;
  figures.p50Ms.push(latency.p50Ms);
  figures.p99Ms.push(latency.p99Ms);
  figures.probeP50Ms.push(percentile(probes, 0.5));
  figures.probeP99Ms.push(percentile(probes, 0.99));
  figures.costMs.push((cost / (speeds.length * PIECE_BYTES)) * MiB);
  figures.megabytesPerSecond.push(percentile(speeds, 0.5));
}

async function settle({ host, port }: Address): Promise<void> {
  const readBytes = async () => {
    const metrics = await (await fetch(`http://${host}:${port}/metrics`)).text();
    return Number(
      new RegExp(`^obelisk_topic_bytes_out_total\\{[^}]*"${GROWS}"[^}]*\\} (\\d+)`, "m").exec(metrics)![1],
    );
  };
  let before = -1;
  for (let now = await readBytes(); now !== before; now = await readBytes()) {
    before = now;
    await Bun.sleep(REST_MS);
  }
}

/** Slow ones have asked for everything; those that keep up for what comes. */
function openReader({ host, port }: Address, way: Way, isSlow: boolean): Socket {
  const socket = connect(port, host);
  socket.on("error", () => {});
  socket.on("data", () => {});
  const place = isSlow ? "earliest" : "latest";
  const path =
    way === "websocket" ? "live" : `messages?offset=${place}${way === "ndjson" ? "&wait=300000" : ""}`;
  const headers = {
    sse: "Accept: text/event-stream",
    ndjson: "Accept: application/x-ndjson",
    websocket:
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  };
  socket.write(`GET /topics/${GROWS}/${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n${headers[way]}\r\n\r\n`);
  if (way === "websocket") socket.write(subscribeFrame(place));
  if (isSlow) socket.pause();
  return socket;
}

/** A text frame of less than 126 bytes (RFC 6455), its mask zeros. */
function subscribeFrame(offset: string): Buffer {
  const payload = Buffer.from(JSON.stringify({ type: "subscribe", offset }));
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

await main(process.argv.slice(2));
