/** Who asks, as the handlers of the Kafka API are told. */

import { expect, test } from "bun:test";
import type { Exchange } from "../../../src/api/kafka/exchange.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { Principal } from "../../../src/security/principal.ts";
import { batchOf } from "../../support/batches.ts";
import { GatedEngine } from "../../support/gated-engine.ts";
import { openKafkaApi } from "../../support/kafka-api.ts";
import { until } from "../../support/kafka-until.ts";

test("a request is handled for who its connection was when it was begun, also when that changes while it is under way", async () => {
  const engine = new GatedEngine();
  const api = await openKafkaApi({ engine });
  const client = await api.connect();
  await client.ask(metadataApi, 4, { topics: [{ name: "t" }] });
  const connection = [...api.listener.connections][0]!;
  const begun = beginningsOf(connection.state);
  const records = batchOf(["a"]);
  const request = {
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ name: "t", partitionData: [{ index: 0, records }] }],
  };
  client.send(produceApi, 7, request);
  await until(() => begun.length === 1);
  connection.principal = new Principal("User", "alice");
  client.send(produceApi, 7, request);
  await until(() => begun.length === 2);
  expect(begun.map(({ principal, isDone }) => [String(principal), isDone])).toEqual([
    ["User:ANONYMOUS", false],
    ["User:alice", false],
  ]);
  await api.stop();
});

/** The requests that are begun from now on, as their handlers get them. */
function beginningsOf(session: { begin(exchange: Exchange<never>, wasParked: boolean): void }) {
  const begun: Exchange<never>[] = [];
  const begin = session.begin.bind(session);
  session.begin = (exchange, wasParked) => {
    begun.push(exchange);
    begin(exchange, wasParked);
  };
  return begun;
}
