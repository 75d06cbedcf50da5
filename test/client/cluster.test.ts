/** Finding brokers, leaders and coordinators; what users are told when one cannot be reached. */

import { describe, expect, test } from "bun:test";
import { Cluster } from "../../src/client/cluster.ts";
import { FakeBroker } from "./fake-broker.ts";

function closedPort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

describe("cluster", () => {
  test("any address of the list is enough", async () => {
    using broker = new FakeBroker();
    const cluster = new Cluster({ brokers: `127.0.0.1:${closedPort()},${broker.address}` });
    expect((await cluster.attempt(() => cluster.topic("t"))).partitions.map(({ leader }) => leader)).toEqual([
      1,
    ]);
    await cluster.close();
  });

  test("fails at once, without retries, when no address has ever responded", async () => {
    const brokers = `127.0.0.1:${closedPort()},127.0.0.1:${closedPort()}`;
    const cluster = new Cluster({ brokers });
    const error = await cluster.attempt(() => cluster.topic("t")).catch((thrown) => thrown);
    expect([error.code, error.facts.detail, error.facts.remedy]).toEqual([
      "CONNECTION_FAILED",
      `no broker responds at ${brokers.replace(",", ", ")}`,
      "is the server running? start it with `obelisk serve`",
    ]);
    await cluster.close();
  });

  test("an advertised address that cannot be reached is explained", async () => {
    using broker = new FakeBroker();
    broker.advertised = { host: "127.0.0.1", port: closedPort() };
    const cluster = new Cluster({ brokers: broker.address, retryTimeoutMs: 0 });
    const error = await cluster.attempt(() => cluster.leader("t", 0)).catch((thrown) => thrown);
    expect([error.code, error.message]).toEqual([
      "CONNECTION_FAILED",
      `the broker at ${broker.address} advertises 127.0.0.1:${broker.advertised.port}, and that address cannot be ` +
        "reached from here; start the server with --advertise HOST:PORT, an address that its clients can reach",
    ]);
    await cluster.close();
  });

  test("retriable errors are retried, and what is cached is requested once", async () => {
    using broker = new FakeBroker();
    let requested = 0;
    broker.on("Metadata", (body) => {
      const names = body.topics.map((topic: { name: string }) => topic.name);
      if (names.length === 0) return { response: broker.metadata([]) };
      requested += 1;
      if (requested === 1)
        return { response: { brokers: [], topics: [{ errorCode: 5, name: "t", partitions: [] }] } };
      return { response: broker.metadata(names) };
    });
    const cluster = new Cluster({ brokers: broker.address, random: () => 0 });
    await cluster.attempt(() => cluster.leader("t", 0));
    await cluster.attempt(() => cluster.leader("t", 0));
    expect(requested).toBe(2);
    cluster.evict("t");
    await cluster.attempt(() => cluster.leader("t", 0));
    expect(requested).toBe(3);
    await cluster.close();
  });

  test("a partition that is not there names those that are", async () => {
    using broker = new FakeBroker();
    broker.partitions = 3;
    const cluster = new Cluster({ brokers: broker.address, retryTimeoutMs: 0 });
    await expect(cluster.attempt(() => cluster.leader("t", 3))).rejects.toThrow(
      "the topic has the partitions 0 to 2",
    );
    await cluster.close();
  });

  test("the coordinator is requested in the old and in the new form", async () => {
    for (const max of [3, 4]) {
      using broker = new FakeBroker();
      broker.ranges.set("FindCoordinator", { min: 0, max });
      const node = { nodeId: 1, host: "127.0.0.1", port: broker.port, errorCode: 0 };
      broker.on("FindCoordinator", () => ({
        response: max === 3 ? node : { coordinators: [{ key: "g", ...node }] },
      }));
      const cluster = new Cluster({ brokers: broker.address });
      await cluster.attempt(() => cluster.coordinator("g"));
      await cluster.attempt(() => cluster.coordinator("g"));
      const requested = broker
        .of("FindCoordinator")
        .map(({ body }) => (max === 3 ? body.key : body.coordinatorKeys));
      expect(requested).toEqual([max === 3 ? "g" : ["g"]]);
      await cluster.close();
    }
  });

  test("a connection that broke is opened anew", async () => {
    using broker = new FakeBroker();
    const cluster = new Cluster({ brokers: broker.address, random: () => 0 });
    await cluster.attempt(() => cluster.refresh(["t"]));
    broker.closeConnections();
    await cluster.attempt(() => cluster.refresh(["t"]));
    expect(broker.connections).toBe(2);
    await cluster.close();
  });
});
