/** What clients are told when the server listens on all addresses: the one that they came to. */

import { expect, test } from "bun:test";
import { metadataApi } from "../../src/protocol/kafka/apis/metadata.ts";
import { startHere } from "../support/server.ts";

async function requestedAt(host: string, port: number) {
  const response = Promise.withResolvers<Buffer>();
  const socket = await Bun.connect({
    hostname: host,
    port,
    socket: { data: (_, chunk) => response.resolve(chunk) },
  });
  const { parts } = metadataApi.encodeRequest(9, 1, "test", { topics: [] });
  socket.write(Buffer.concat(parts));
  const frame = await response.promise;
  socket.end();
  return metadataApi.decodeResponse(9, frame, 4, frame.length).brokers.map((each) => [each.host, each.port]);
}

test("a server on all addresses names the one that each client connected to", async () => {
  const server = await startHere({ host: "0.0.0.0" });
  try {
    expect(await requestedAt("127.0.0.1", server.kafkaPort)).toEqual([["127.0.0.1", server.kafkaPort]]);
    expect(await requestedAt("127.0.0.2", server.kafkaPort)).toEqual([["127.0.0.2", server.kafkaPort]]);
  } finally {
    await server.stop();
  }
});

test("--advertise decides for everyone", async () => {
  const server = await startHere({ host: "0.0.0.0", advertise: { host: "broker.example", port: 19 } });
  try {
    expect(await requestedAt("127.0.0.1", server.kafkaPort)).toEqual([["broker.example", 19]]);
  } finally {
    await server.stop();
  }
});
