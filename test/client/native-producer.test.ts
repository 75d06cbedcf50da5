/** The native protocol's client against a server of a few lines: responses in order, broken lines, refusals, silence. */

import { describe, expect, test } from "bun:test";
import { NativeProducer } from "../../src/client/native-producer.ts";
import { encodeNativeFrame } from "../../src/protocol/native/message.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** A server that calls `onData` with everything that arrived so far. */
function serve(onData: (socket: Bun.Socket, bytes: Buffer) => void) {
  let bytes = Buffer.alloc(0);
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket, chunk) => {
        bytes = Buffer.concat([bytes, chunk]);
        onData(socket, bytes);
      },
    },
  });
  return { address: `127.0.0.1:${listener.port}`, [Symbol.dispose]: () => listener.stop(true) };
}

const record = (value: string) => ({ topic: "t", key: "k", value, timestampMs: 1_700_000_000_123 });
const frames = (values: string[]) =>
  Buffer.concat(
    values.map((value) =>
      encodeNativeFrame(1_700_000_000_123, Buffer.from("t"), Buffer.from("k"), Buffer.from(value)),
    ),
  );

describe("native producer", () => {
  test("sends frames in a row and gives each its response, however the lines are cut", async () => {
    const expected = frames(["a", "b", "c"]);
    using server = serve(async (socket, bytes) => {
      if (bytes.length < expected.length) return;
      expect(bytes).toEqual(expected);
      for (const piece of ["O", "K\nNACK:INVALID", "_FORMAT\nO", "K", "\n"]) {
        socket.write(piece);
        await Bun.sleep(1);
      }
    });
    const producer = await NativeProducer.connect({ native: server.address });
    const responses = await Promise.all(["a", "b", "c"].map((value) => producer.send(record(value))));
    expect(responses.map(({ isStored, reason }) => [isStored, reason])).toEqual([
      [true, ""],
      [false, "INVALID_FORMAT"],
      [true, ""],
    ]);
    producer.close();
  });

  test("keeps at most so many frames in flight", async () => {
    const two = frames(["0", "1"]).length;
    let most = 0;
    using server = serve((socket, bytes) => {
      most = Math.max(most, bytes.length);
      if (bytes.length === two) setImmediate(() => socket.write("OK\nOK\n"));
      if (bytes.length === 2 * two) socket.write("OK\nOK\n");
    });
    const producer = await NativeProducer.connect({ native: server.address, inFlightMax: 2 });
    const responses = Array.from({ length: 4 }, (_, index) => producer.send(record(`${index}`)));
    await responses[0];
    expect((await Promise.all(responses)).length).toBe(4);
    producer.close();
  });

  test("a full server, another protocol, an end and silence are told apart", async () => {
    const cases: [(socket: Bun.Socket) => void, string, string][] = [
      [
        (socket) => void socket.write("NACK:TOO_MANY_CONNECTIONS\n"),
        "CONNECTION_CLOSED",
        "limit of connections",
      ],
      [
        (socket) => void socket.write("HTTP/1.1 400 Bad Request\n"),
        "PROTOCOL_ERROR",
        "is this the native port",
      ],
      [(socket) => void socket.write("x".repeat(200)), "PROTOCOL_ERROR", "is this the native port"],
      [(socket) => void socket.end(), "CONNECTION_CLOSED", "closed the connection"],
    ];
    for (const [behave, code, text] of cases) {
      using server = serve((socket) => behave(socket));
      const producer = await NativeProducer.connect({ native: server.address });
      const error = await producer.send(record("a")).catch((thrown) => thrown);
      expect([error.code, error.message]).toEqual([code, expect.stringContaining(text)]);
      await expect(producer.send(record("b"))).rejects.toThrow(text);
      producer.close();
    }
    const arrived = Promise.withResolvers<void>();
    using silent = serve(() => arrived.resolve());
    const clock = new ManualClock();
    const producer = await NativeProducer.connect({ native: silent.address, clock, responseTimeoutMs: 1000 });
    const waiting = producer.send(record("a")).catch((thrown) => thrown.code);
    await arrived.promise;
    clock.advance(1000);
    expect(await waiting).toBe("REQUEST_TIMED_OUT");
  });

  test("what the protocol cannot carry is refused before it is sent", async () => {
    using server = serve(() => {});
    const producer = await NativeProducer.connect({ native: server.address });
    await expect(producer.send(record("x".repeat(10 * 1024 * 1024)))).rejects.toThrow(
      "larger than the native protocol allows",
    );
    await expect(producer.send({ topic: "t".repeat(256), value: "v" })).rejects.toThrow("topic name");
    producer.close();
  });
});
