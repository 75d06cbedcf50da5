/** docs/metrics.md lists what a server really has, with type and labels; and no document names a metric that is not there. */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { silentLog } from "../../src/base/log.ts";
import { defaultSettings } from "../../src/config/settings.ts";
import { LOOK_MS_MIN } from "../../src/http/metrics/group-lags.ts";
import { offsetCommitApi } from "../../src/protocol/kafka/apis/offset-commit.ts";
import { startServer } from "../../src/server.ts";
import { createTopic, produceBatch, Wire } from "../crash/wire.ts";
import { batchOf } from "../support/batches.ts";
import { WireClient } from "../support/kafka-wire.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { parseScrape } from "../support/scrape.ts";

const DOCS = join(import.meta.dir, "../../docs");
const ROW = /^\| (`.*`) \| (counter|gauge|histogram) \| (.+) \|$/;
/** What Prometheus makes of a histogram. */
const PARTS = /_(bucket|sum|count)$/;

/** Of a server in which everything has happened that has a label. */
async function scrape(): Promise<string> {
  const clock = new ManualClock();
  const free = { nativePort: 0, httpPort: 0, kafkaPort: 0 };
  const server = await startServer(defaultSettings({ data: "memory:", ...free }), silentLog, clock);
  const { kafka, http } = server.addresses;
  const wire = await Wire.kafka(kafka.port);
  await createTopic(wire, "orders");
  await produceBatch(wire, "orders", batchOf(["a"]));
  wire.close();
  const client = await WireClient.connect(kafka.port);
  const partition = { partitionIndex: 0, committedOffset: 0, committedMetadata: "" };
  await client.ask(offsetCommitApi, 6, {
    groupId: "billing",
    generationIdOrMemberEpoch: -1,
    memberId: "",
    topics: [{ name: "orders", partitions: [partition] }],
  });
  client.close();
  clock.advance(LOOK_MS_MIN);
  const ask = async () => await (await fetch(`http://127.0.0.1:${http.port}/metrics`)).text();
  await ask(); // the next one tells of this answer
  let text = await ask();
  while (!text.includes('obelisk_group_lag{group="billing"}')) text = await ask();
  await server.stop();
  return text;
}

/** Rows as `name{label,...} type`. */
function documented(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const [, names, type] = ROW.exec(line) ?? [];
    return [...(names ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => `${name} ${type}`);
  });
}

const scraped = parseScrape(await scrape());

test("docs/metrics.md lists each metric of a scrape once, with its type and its labels, and no other", () => {
  const there = [...scraped].map(([name, { type, labels }]) => {
    const told = labels.size === 0 ? "" : `{${[...labels].join(",")}}`;
    return `${name}${told} ${type}`;
  });
  expect(documented(readFileSync(join(DOCS, "metrics.md"), "utf8")).sort()).toEqual(there.sort());
});

test("no document names a metric that is not there", () => {
  const named = readdirSync(DOCS, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .flatMap((file) => readFileSync(join(DOCS, file), "utf8").match(/\bobelisk_[a-z_]+[a-z]\b/g) ?? []);
  expect(named.length).toBeGreaterThan(100);
  const strange = named.filter((name) => !scraped.has(name) && !scraped.has(name.replace(PARTS, "")));
  expect(strange).toEqual([]);
});
