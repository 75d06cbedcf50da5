/** The lag of groups as a scrape of a whole server tells it, on a clock that the test advances. */

import { expect, test } from "bun:test";
import { silentLog } from "../../../src/base/log.ts";
import { defaultSettings } from "../../../src/config/settings.ts";
import { LOOK_MS_MIN } from "../../../src/http/metrics/group-lags.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { startServer } from "../../../src/server.ts";
import { createTopic, produceBatch, Wire } from "../../crash/wire.ts";
import { batchOf } from "../../support/batches.ts";
import { WireClient } from "../../support/kafka-wire.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const SETTINGS = { data: "memory:", nativePort: 0, httpPort: 0, kafkaPort: 0, metricsGroupsMax: 2 };

test("the groups that lag most are named, the others summed, and what is unknown has no lag", async () => {
  const clock = new ManualClock();
  const server = await startServer(defaultSettings(SETTINGS), silentLog, clock);
  const { kafka, http } = server.addresses;
  const wire = await Wire.kafka(kafka.port);
  const client = await WireClient.connect(kafka.port);
  const commit = (groupId: string, topic: string, committedOffset: number) => {
    const partition = { partitionIndex: 0, committedOffset, committedLeaderEpoch: -1, committedMetadata: "" };
    return client.ask(offsetCommitApi, 7, {
      groupId,
      generationIdOrMemberEpoch: -1,
      memberId: "",
      groupInstanceId: null,
      topics: [{ name: topic, partitions: [partition] }],
    });
  };
  const lines = async () => {
    const text = await (await fetch(`http://127.0.0.1:${http.port}/metrics`)).text();
    return text.split("\n").filter((line) => /^obelisk_(group_lag|groups_summed)/.test(line));
  };
  await createTopic(wire, "orders");
  await produceBatch(wire, "orders", batchOf(["a", "b", "c", "d", "e"]));
  await commit("behind", "orders", 1);
  await commit("near", "orders", 4);
  await commit("done", "orders", 5);
  await commit("nowhere", "orders", -1);
  clock.advance(LOOK_MS_MIN);
  while ((await lines()).length < 2);
  expect(await lines()).toEqual([
    'obelisk_group_lag{group="behind"} 4',
    'obelisk_group_lag{group="near"} 1',
    'obelisk_group_lag{group="(other)"} 0',
    'obelisk_group_lag_max{group="behind"} 4',
    'obelisk_group_lag_max{group="near"} 1',
    'obelisk_group_lag_max{group="(other)"} 0',
    'obelisk_group_lag_unknown_partitions{group="behind"} 0',
    'obelisk_group_lag_unknown_partitions{group="near"} 0',
    'obelisk_group_lag_unknown_partitions{group="(other)"} 1',
    "obelisk_groups_summed 2",
  ]);
  client.close();
  wire.close();
  await server.stop();
});
