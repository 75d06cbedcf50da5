import { expect, test } from "bun:test";
import { version } from "../../../package.json" with { type: "json" };
import { MiB } from "../../../src/base/units.ts";
import { apiVersionsApi } from "../../../src/protocol/kafka/apis/api-versions.ts";
import { batchOf } from "../../support/batches.ts";
import { startHttp } from "../../support/http.ts";
import { WireClient } from "../../support/kafka-wire.ts";
import { appendTo } from "../../support/partitions.ts";
import { startHere } from "../../support/server.ts";

test("statistics are the messages of a topic, and those of them in memory", async () => {
  await using http = await startHttp();
  const { partitions } = await http.broker.topics.create("t", { partitions: 2, configs: {} });
  await http.broker.topics.create("u", { partitions: 1, configs: {} });
  await appendTo(partitions[0]!, batchOf(["a", "b"])).done;
  await appendTo(partitions[1]!, batchOf(["c"])).done;
  const bytes = partitions[0]!.bytes + partitions[1]!.bytes;
  const t = { topic: "t", buffered: 3, persisted: 3, bytes, partitions: 2 };
  const u = { topic: "u", buffered: 0, persisted: 0, bytes: 0, partitions: 1 };
  expect(await http.ask("/stats?topic=t")).toEqual([200, t]);
  expect(await http.ask("/stats")).toEqual([
    200,
    { buffered: 3, persisted: 3, bytes, partitions: 3, topics: [t, u] },
  ]);
  expect(await http.ask("/stats?topic=none")).toMatchObject([404, { code: "UNKNOWN_TOPIC_OR_PARTITION" }]);
});

test("transactions are told as not served", async () => {
  await using http = await startHttp();
  expect(await http.ask("/transactions")).toEqual([200, { transactions: [], isServed: false }]);
});

test("the cluster, its settings and who is connected are told by a whole server", async () => {
  const server = await startHere({ memoryBytes: 256 * MiB, nodeId: 7 });
  const client = await WireClient.connect(server.kafkaPort);
  const native = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.nativePort,
    socket: { data: () => {} },
  });
  const origin = `http://localhost:${server.httpPort}`;
  const ask = async (path: string) => (await (await fetch(origin + path)).json()) as Record<string, never[]>;
  try {
    const names = { clientSoftwareName: "a-library", clientSoftwareVersion: "1.2" };
    client.send(apiVersionsApi, 3, names);
    await client.take();
    expect(await ask("/cluster")).toMatchObject({
      version,
      controller: 7,
      brokers: [{ id: 7, host: "localhost", port: server.kafkaPort, rack: null }],
      topics: 0,
      partitions: 0,
      features: [{ name: "group.version", level: 1 }],
    });
    const { settings } = await ask("/config");
    const named = (name: string) => settings!.find((setting: { name: string }) => setting.name === name);
    expect(named("memory")).toMatchObject({
      value: "256MiB",
      default: "512MiB",
      source: "set",
      number: 256 * MiB,
      unit: "bytes",
      range: "64 MiB to 1024 GiB",
      variable: "OBELISK_MEMORY",
      isLive: false,
    });
    expect(named("shutdown-timeout")).toMatchObject({ value: "10s", source: "default", unit: "ms" });
    expect(named("log-level")).toMatchObject({ value: "info", unit: null, number: null, isLive: true });

    let { connections } = await ask("/connections");
    while (connections!.length < 2) ({ connections } = await ask("/connections"));
    expect(connections).toMatchObject([
      {
        id: "kafka-1",
        listener: "kafka",
        host: "127.0.0.1",
        clientId: "test",
        software: "a-library 1.2",
        requests: 1,
        requestsUnderWay: 0,
        unsentBytes: 0,
      },
      { id: "native-1", listener: "native", clientId: null, software: null, bytesIn: 0, requests: 0 },
    ]);
    const ids = async (query: string) => {
      const page = await ask(`/connections?${query}`);
      return [page["connections"]!.map(({ id }: { id: string }) => id), page["next"] as unknown] as const;
    };
    expect(await ids("limit=1")).toEqual([["kafka-1"], "kafka-1"]);
    expect(await ids("limit=1&after=kafka-1")).toEqual([["native-1"], undefined]);
    expect(await ids("listener=native")).toEqual([["native-1"], undefined]);
    expect((await fetch(`${origin}/connections?after=x`)).status).toBe(400);

    const close = () => fetch(`${origin}/connections/kafka-1`, { method: "DELETE" });
    expect((await close()).status).toBe(204);
    expect(await client.take()).toBeNull();
    expect((await close()).status).toBe(404);
  } finally {
    native.terminate();
    client.close();
    await server.stop();
  }
});
