/**
 * scripts/bench/observed.ts: what it costs to be watched. Produce throughput alone, with a scrape of /metrics each second, and with open
 * dashboards, which ask for /overview/history once and for /overview each second; in turns within one run, so that what else the
 * machine does meets all alike. With --pages the dashboards are opened in Chromium as well (Debian: chromium).
 *
 *   bun scripts/bench/observed.ts [--topics N] [--partitions N] [--groups N] [--dashboards N] [--rounds N] [--megabytes N] [--pages]
 *
 * The server has so many topics with so many partitions each, and groups that have committed for one. Whoever asks is a process of its own,
 * and shares the machine's processors with the server and the load: that is in the ratio of throughput, and most of it where a browser
 * draws. The server's own processor time is told beside it, and is the better measure where others use the machine too. Then, at rest,
 * what single requests take, and the longest turns of the event loop meanwhile. Needs ./scripts/build first.
 */

import { createTopicsApi } from "../../src/protocol/kafka/apis/create-topics.ts";
import { offsetCommitApi } from "../../src/protocol/kafka/apis/offset-commit.ts";
import { flat, produce } from "./kafka-api.ts";
import { type Address, CallSocket, percentile } from "./load.ts";
import { cpuMs, startObelisk } from "./servers.ts";
import { browserMissing, type WatcherKind, Watchers } from "./watchers.ts";

const CLIENT = "obelisk-bench";
const TOPIC = "topic-0";
const BATCH_BYTES = 16 * 1024;
const IN_FLIGHT = 32;
const MiB = 1024 * 1024;
const TOPICS_A_REQUEST = 100;
/** The processor's time is told in steps of 10 ms. */
const REQUESTS = 100;

async function main(args: readonly string[]): Promise<void> {
  const option = (name: string, defaultValue: number) => {
    const at = args.indexOf(`--${name}`);
    return at === -1 ? defaultValue : Number(args[at + 1]);
  };
  const topics = option("topics", 1000);
  const partitions = option("partitions", 10);
  const groups = option("groups", 10_000);
  const dashboards = option("dashboards", 10);
  const rounds = option("rounds", 6);
  const bytes = option("megabytes", 1024) * MiB;
  const server = await startObelisk(
    ...["--partitions-max", String(topics * partitions), "--topics-max", String(topics)],
    ...["--retention-bytes", String(256 * MiB), "--segment-bytes", String(32 * MiB)],
  );
  try {
    await fill(server.kafka, topics, partitions, groups);
    const watched: { name: string; kind: WatcherKind | null; count: number }[] = [
      { name: "alone", kind: null, count: 0 },
      { name: "a scrape each second", kind: "scrape", count: 1 },
      { name: `${dashboards} dashboards`, kind: "dashboards", count: dashboards },
    ];
    if (args.includes("--pages")) {
      if (browserMissing !== undefined) throw new Error(browserMissing);
      watched.push({ name: `${dashboards} pages in Chromium`, kind: "pages", count: dashboards });
    }
    const speeds = watched.map((): number[] => []);
    const costs = watched.map((): number[] => []);
    for (let round = 0; round <= rounds; round += 1) {
      for (const [index, { kind, count }] of watched.entries()) {
        const watchers = kind === null ? null : await Watchers.start(kind, server.http, count);
        const cpuAt = cpuMs(server.pid);
        watchers?.begin();
        const { megabytesPerSecond } = await produce(server.kafka, TOPIC, BATCH_BYTES, bytes, IN_FLIGHT);
        const cost = cpuMs(server.pid) - cpuAt;
        await watchers?.stop();
        if (round === 0) continue; // warms up
        speeds[index]!.push(megabytesPerSecond);
        costs[index]!.push((cost / bytes) * MiB);
      }
    }
    console.log(
      `${topics} topics x ${partitions} partitions, ${groups} groups; medians of ${rounds} rounds of ${bytes / MiB} MiB`,
    );
    for (const [index, { name }] of watched.entries()) {
      const speed = percentile(speeds[index]!, 0.5);
      const cost = percentile(costs[index]!, 0.5);
      const ratio = (of: readonly number[][]) =>
        percentile(
          of[index]!.map((each, round) => each / of[0]![round]!),
          0.5,
        ).toFixed(3);
      console.log(
        `  ${name.padEnd(24)} ${speed.toFixed(0).padStart(5)} MB/s, ratio ${ratio(speeds)}; the server's processor ${cost.toFixed(2)} ms for a MiB, ratio ${ratio(costs)}`,
      );
    }
    await measureAtRest(server);
  } finally {
    await server.stop();
  }
}

async function fill(address: Address, topics: number, partitions: number, groups: number): Promise<void> {
  const socket = await CallSocket.connect(address);
  for (let first = 0; first < topics; first += TOPICS_A_REQUEST) {
    const names = Array.from({ length: Math.min(TOPICS_A_REQUEST, topics - first) }, (_, index) => ({
      name: `topic-${first + index}`,
      numPartitions: first + index === 0 ? 1 : partitions,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    }));
    await socket.call(
      flat(createTopicsApi.encodeRequest(5, 1, CLIENT, { topics: names, timeoutMs: 60_000 })),
    );
  }
  for (let group = 0; group < groups; group += 1) {
    const request = {
      groupId: `group-${group}`,
      generationIdOrMemberEpoch: -1,
      memberId: "",
      topics: [
        { name: TOPIC, partitions: [{ partitionIndex: 0, committedOffset: group, committedMetadata: "" }] },
      ],
    };
    await socket.call(flat(offsetCommitApi.encodeRequest(6, 1, CLIENT, request)));
  }
  socket.close();
}

async function measureAtRest({ pid, http }: { pid: number; http: Address }): Promise<void> {
  const origin = `http://${http.host}:${http.port}`;
  for (const path of ["/metrics", "/overview", "/overview/history", "/health"]) {
    const before = await delays(origin);
    const times: number[] = [];
    let bytes = 0;
    const cpuAt = cpuMs(pid);
    for (let request = 0; request < REQUESTS; request += 1) {
      const startedAt = performance.now();
      bytes = (await (await fetch(origin + path)).text()).length;
      times.push(performance.now() - startedAt);
    }
    const cost = (cpuMs(pid) - cpuAt) / REQUESTS;
    const { longestPieceMs } = await delays(origin);
    console.log(
      `  GET ${path.padEnd(18)} ${(bytes / 1024).toFixed(0).padStart(5)} KiB  p50 ${percentile(times, 0.5).toFixed(1)} ms, ` +
        `max ${Math.max(...times).toFixed(1)} ms; the server's processor ${cost.toFixed(1)} ms; ` +
        `longest piece of http since the start ${longestPieceMs} ms (before ${before.longestPieceMs})`,
    );
  }
}

async function delays(origin: string): Promise<{ longestPieceMs: number }> {
  const text = await (await fetch(`${origin}/metrics`)).text();
  const line = /^obelisk_loop_piece_seconds_max\{work="http"\} (\S+)$/m.exec(text);
  return { longestPieceMs: Math.round(Number(line?.[1] ?? 0) * 10_000) / 10 };
}

await main(process.argv.slice(2));
