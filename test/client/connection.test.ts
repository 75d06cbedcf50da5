/** One connection against a broker that behaves, and one that does not. */

import { describe, expect, test } from "bun:test";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { Connection } from "../../src/client/connection.ts";
import { metadataApi } from "../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../src/protocol/kafka/apis/produce.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { FakeBroker, until } from "./fake-broker.ts";

function open(broker: FakeBroker, clock: Clock = systemClock): Promise<Connection> {
  return Connection.open({
    address: { host: "127.0.0.1", port: broker.port },
    clientId: "test",
    clock,
    requestTimeoutMs: 1000,
  });
}

const NO_TOPICS = { topics: [] };

describe("connection", () => {
  test("uses the highest version that both sides support", async () => {
    using broker = new FakeBroker();
    broker.ranges.set("Metadata", { min: 0, max: 5 });
    const connection = await open(broker);
    await connection.request(metadataApi, NO_TOPICS);
    expect(broker.requests.map(({ name, version }) => [name, version])).toEqual([
      ["ApiVersions", 4],
      ["Metadata", 5],
    ]);
    connection.close();
  });

  test("requests again in an older version when the broker returns 35 in version 0", async () => {
    const listener = brokerThatRespondsInVersion0();
    const connection = await Connection.open({
      address: { host: "127.0.0.1", port: listener.port },
      clientId: "test",
      clock: systemClock,
    });
    expect(listener.versions).toEqual([4, 2]);
    expect(connection.versionOf(metadataApi)).toBe(1);
    connection.close();
    listener.stop();
  });

  test("refuses an API without a common version, and says what both support", async () => {
    using broker = new FakeBroker();
    broker.ranges.set("Metadata", { min: 14, max: 20 });
    broker.ranges.set("Produce", { min: 0, max: 2 });
    const connection = await open(broker);
    expect(() => connection.versionOf(metadataApi)).toThrow(
      "no common version of Metadata: the broker supports versions 14 to 20, this client 0 to 13",
    );
    expect(() => connection.versionOf(produceApi)).toThrow("supports versions 0 to 2, this client 3 to 12");
    connection.close();
  });

  test("responses go to their requests in order, with at most five under way", async () => {
    using broker = new FakeBroker();
    const connection = await open(broker);
    const gate = Promise.withResolvers<void>();
    let underWay = 0;
    let most = 0;
    broker.on("Metadata", async (body) => {
      underWay += 1;
      most = Math.max(most, underWay);
      await gate.promise;
      underWay -= 1;
      return { response: broker.metadata(body.topics.map((topic: { name: string }) => topic.name)) };
    });
    const names = Array.from({ length: 12 }, (_, index) => `t${index}`);
    const responses = names.map((name) => connection.request(metadataApi, { topics: [{ name }] }));
    await until(() => broker.of("Metadata").length === 5);
    expect(connection.openRequests).toBe(12);
    gate.resolve();
    expect((await Promise.all(responses)).map((response) => response.topics[0]!.name)).toEqual(names);
    expect(most).toBe(5);
    connection.close();
  });

  test("a response that never comes ends the connection and everything on it", async () => {
    using broker = new FakeBroker();
    const clock = new ManualClock();
    const connection = await open(broker, clock);
    broker.on("Metadata", () => "silence");
    const responses = [1, 2].map(() =>
      connection.request(metadataApi, NO_TOPICS).catch((error) => error.code),
    );
    await until(() => broker.of("Metadata").length === 2);
    clock.advance(999);
    expect(connection.isClosed).toBe(false);
    clock.advance(1);
    expect(await Promise.all(responses)).toEqual(["REQUEST_TIMED_OUT", "REQUEST_TIMED_OUT"]);
    expect(connection.isClosed).toBe(true);
    await expect(connection.request(metadataApi, NO_TOPICS)).rejects.toThrow(
      "no response from the broker within 1000 ms",
    );
  });

  test("a connection that is cut in the middle of a response fails what is open", async () => {
    using broker = new FakeBroker();
    const connection = await open(broker);
    for (const cutAt of [0, 3, 4, 7, 12]) {
      broker.on("Metadata", () => ({ response: broker.metadata([]), cutAt }));
      const fresh = await open(broker);
      expect(await fresh.request(metadataApi, NO_TOPICS).catch((error) => error.code)).toBe(
        "CONNECTION_CLOSED",
      );
    }
    connection.close();
  });

  test("a response to another request violates the protocol", async () => {
    const stray = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 99])) },
    });
    const opening = Connection.open({
      address: { host: "127.0.0.1", port: stray.port },
      clientId: "test",
      clock: systemClock,
    });
    expect(await opening.catch((error) => error.code)).toBe("PROTOCOL_ERROR");
    stray.stop(true);
  });

  test("a port of another protocol is recognized", async () => {
    const other = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n") },
    });
    const opening = Connection.open({
      address: { host: "127.0.0.1", port: other.port },
      clientId: "test",
      clock: systemClock,
    });
    expect(await opening.catch((error) => error.message)).toContain("is this the Kafka port of a broker?");
    other.stop(true);
  });

  test("nobody there: the address and what to do", async () => {
    const broker = new FakeBroker();
    const { address } = broker;
    broker[Symbol.dispose]();
    expect(await open(broker).catch((error) => error.message)).toBe(
      `cannot connect to the broker: connection refused (address ${address}); is the server running? start it with \`obelisk serve\``,
    );
  });
});

/** Responds to every ApiVersions above 2 with error 35 in version 0, as brokers do. */
function brokerThatRespondsInVersion0() {
  const versions: number[] = [];
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket, chunk) => {
        const version = chunk.readInt16BE(6);
        versions.push(version);
        const isTooNew = version > 2;
        const entries = isTooNew
          ? [[18, 0, 2]]
          : [
              [18, 0, 2],
              [3, 0, 1],
            ];
        const body = Buffer.alloc(4 + 2 + 4 + entries.length * 6 + (isTooNew ? 0 : 4));
        chunk.copy(body, 0, 8, 12);
        body.writeInt16BE(isTooNew ? 35 : 0, 4);
        body.writeInt32BE(entries.length, 6);
        entries.flat().forEach((value, index) => {
          body.writeInt16BE(value, 10 + index * 2);
        });
        const length = Buffer.alloc(4);
        length.writeInt32BE(body.length);
        socket.write(Buffer.concat([length, body]));
      },
    },
  });
  return { port: listener.port, versions, stop: () => listener.stop(true) };
}
