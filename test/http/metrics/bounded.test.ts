/** A scrape does not grow with what clients make, and is not labelled by what they call themselves. */

import { expect, test } from "bun:test";
import { silentLog } from "../../../src/base/log.ts";
import { defaultSettings } from "../../../src/config/settings.ts";
import { LOOK_MS_MIN } from "../../../src/http/metrics/group-lags.ts";
import { apiVersionsApi } from "../../../src/protocol/kafka/apis/api-versions.ts";
import { createTopicsApi } from "../../../src/protocol/kafka/apis/create-topics.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { startServer } from "../../../src/server.ts";
import { WireClient } from "../../support/kafka-wire.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const [TOPICS, PARTITIONS, GROUPS, CLIENTS] = [1000, 5, 1000, 300];
const LIMITS = { metricsTopicsMax: 20, metricsPartitionsMax: 50, metricsGroupsMax: 10 };
const FREE_PORTS = { data: "memory:", nativePort: 0, httpPort: 0, kafkaPort: 0 };

function commitOf(groupId: string, topic: string) {
  const partition = { partitionIndex: 0, committedOffset: 0, committedMetadata: "" };
  return {
    groupId,
    generationIdOrMemberEpoch: -1,
    memberId: "",
    topics: [{ name: topic, partitions: [partition] }],
  };
}

test(`${TOPICS} topics, ${GROUPS} groups and ${CLIENTS} clients have as many series as the limits allow`, async () => {
  const clock = new ManualClock();
  const server = await startServer(defaultSettings({ ...FREE_PORTS, ...LIMITS }), silentLog, clock);
  const { kafka, http } = server.addresses;
  const client = await WireClient.connect(kafka.port);
  const topics = Array.from({ length: TOPICS }, (_, index) => ({
    name: `topic-${index}`,
    numPartitions: PARTITIONS,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }));
  await client.ask(createTopicsApi, 5, { topics, timeoutMs: 60_000 });
  for (let group = 0; group < GROUPS; group += 1)
    await client.ask(offsetCommitApi, 6, commitOf(`group-${group}`, `topic-${group}`));
  client.close();
  for (let index = 0; index < CLIENTS; index += 1) {
    const other = await WireClient.connect(kafka.port);
    const software = { clientSoftwareName: `software-${index}`, clientSoftwareVersion: `${index}.0` };
    const { parts } = apiVersionsApi.encodeRequest(3, index, `client-${index}`, software);
    other.sendBytes(Buffer.concat(parts));
    await other.take();
    await fetch(`http://127.0.0.1:${http.port}/path-${index}`, {
      headers: { "user-agent": `agent-${index}` },
    });
    other.close();
  }
  clock.advance(LOOK_MS_MIN);
  const ask = async () => await (await fetch(`http://127.0.0.1:${http.port}/metrics`)).text();
  let text = await ask();
  while (!text.includes(`obelisk_groups_summed ${GROUPS - LIMITS.metricsGroupsMax}`)) text = await ask();
  await server.stop();
  const count = (label: string) =>
    new Set([...text.matchAll(new RegExp(`\\b${label}="(.*?)"`, "g"))].map(([, value]) => value)).size;
  expect([count("topic"), count("group")]).toEqual([
    LIMITS.metricsTopicsMax + 1,
    LIMITS.metricsGroupsMax + 1,
  ]);
  const partitions = text.split("\n").filter((line) => line.startsWith("obelisk_partition_end_offset{"));
  expect(partitions.length).toBe(LIMITS.metricsPartitionsMax);
  expect(text).not.toMatch(/client-|software-|agent-|path-/);
  expect(text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length).toBeLessThan(1000);
});
