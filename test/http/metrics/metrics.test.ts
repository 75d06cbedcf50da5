/** What a scrape of a whole server gives, judged by Prometheus' own checker. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { createTopicsApi } from "../../../src/protocol/kafka/apis/create-topics.ts";
import { fetchOnce, produceBatch, Wire } from "../../crash/wire.ts";
import { batchOf } from "../../support/batches.ts";
import { WireClient } from "../../support/kafka-wire.ts";
import { promtool, promtoolMissing } from "../../support/promtool.ts";
import { startHere, type TestServer } from "../../support/server.ts";

const TOPICS = 2000;
const NAMED = 100;

let server: TestServer;
beforeAll(async () => {
  server = await startHere({ data: "memory:", metricsTopicsMax: NAMED });
  const client = await WireClient.connect(server.kafkaPort);
  const topics = Array.from({ length: TOPICS }, (_, number) => ({
    name: `topic-${number}`,
    numPartitions: 1,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }));
  await client.ask(createTopicsApi, 5, { topics, timeoutMs: 30_000 });
  client.close();
  const wire = await Wire.kafka(server.kafkaPort);
  for (const number of [1500, 3, 700])
    await produceBatch(wire, `topic-${number}`, batchOf(Array.from({ length: number }, () => "value")));
  await fetchOnce(wire, "topic-3", 1);
  wire.close();
});
afterAll(() => server.stop());

async function scrape(accept = "*/*"): Promise<{ type: string | null; lines: string[] }> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`, { headers: { accept } });
  return { type: response.headers.get("content-type"), lines: (await response.text()).split("\n") };
}

test.skipIf(promtoolMissing !== undefined)("promtool finds nothing wrong", async () => {
  const { lines } = await scrape();
  expect(await promtool(["check", "metrics"], lines.join("\n"))).toEqual({ exitCode: 0, said: "" });
});

test(`of ${TOPICS} topics the ${NAMED} largest have names, and the rest is one series`, async () => {
  const { lines } = await scrape();
  for (const name of [
    "obelisk_topic_records_in_total",
    "obelisk_topic_log_bytes",
    "obelisk_topic_partitions",
  ]) {
    const series = lines.filter((line) => line.startsWith(`${name}{`));
    expect(series.length).toBe(NAMED + 1);
    expect(series.slice(0, 3).map((line) => /"(.*)"/.exec(line)![1])).toEqual([
      "topic-1500",
      "topic-700",
      "topic-3",
    ]);
  }
  expect(lines).toContain('obelisk_topic_partitions{topic="(other)"} 1900');
  expect(lines).toContain("obelisk_topics_summed 1900");
  const labels = new Set(lines.map((line) => /topic="(.*?)"/.exec(line)?.[1]));
  expect(labels.size).toBe(NAMED + 2);
});

test("a topic's series count what came in and went out, and say what is kept", async () => {
  const { lines } = await scrape();
  const own = lines.filter((line) => line.includes('topic="topic-3"'));
  expect(own).toEqual([
    'obelisk_topic_records_in_total{topic="topic-3"} 3',
    'obelisk_topic_bytes_in_total{topic="topic-3"} 97',
    'obelisk_topic_records_out_total{topic="topic-3"} 2',
    'obelisk_topic_bytes_out_total{topic="topic-3"} 97',
    'obelisk_topic_log_bytes{topic="topic-3"} 97',
    'obelisk_topic_records{topic="topic-3"} 3',
    'obelisk_topic_partitions{topic="topic-3"} 1',
    'obelisk_partition_start_offset{topic="topic-3",partition="0"} 0',
    'obelisk_partition_end_offset{topic="topic-3",partition="0"} 3',
    'obelisk_partition_log_bytes{topic="topic-3",partition="0"} 97',
  ]);
});

test("each API has a histogram of its durations, and connections their bytes", async () => {
  const { lines } = await scrape();
  expect(lines).toContain('obelisk_request_duration_seconds_bucket{api="Produce",le="+Inf"} 3');
  expect(lines).toContain('obelisk_request_duration_seconds_count{api="Fetch"} 1');
  expect(lines).toContain('obelisk_request_duration_seconds_count{api="CreateTopics"} 1');
  const bytesIn = lines.find((line) => line.startsWith('obelisk_connection_bytes_in_total{door="kafka"}'));
  expect(Number(bytesIn?.split(" ")[1])).toBeGreaterThan(10_000);
});

test("who asks for OpenMetrics gets it: counters are named without _total, and the text has its end", async () => {
  const { type, lines } = await scrape("application/openmetrics-text; version=1.0.0, text/plain; q=0.5");
  expect(type).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  expect(lines).toContain("# TYPE obelisk_messages_stored counter");
  expect(lines).toContain("obelisk_messages_stored_total 2203");
  expect(lines.slice(-2)).toEqual(["# EOF", ""]);
  const plain = await scrape();
  expect(plain.type).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(plain.lines).toContain("# TYPE obelisk_messages_stored_total counter");
});
