/** Responses that are read as they are sent, over real sockets: a peer that is slow, one that does not read, and bytes that go away. */

import { expect, test } from "bun:test";
import type { ByteSource } from "../../src/base/byte-source.ts";
import { ObeliskError } from "../../src/base/errors.ts";
import type { Facts } from "../../src/base/log.ts";
import { KiB, MiB } from "../../src/base/units.ts";
import type { FrameConnection, FrameHandler } from "../../src/network/frame-handler.ts";
import { bigEndianFrame, listen, TestClient, until } from "./support.ts";

/** Bytes that count up, made when they are needed; now and then from a "disk" that takes a turn. */
class Counting implements ByteSource {
  length: number;
  isGone = false;
  peeks = 0;
  #position = 0;
  #piece: Buffer | null = null;
  readonly #isSlow: boolean;

  constructor(length: number, isSlow = false) {
    this.length = length;
    this.#isSlow = isSlow;
  }

  peek(ready: () => void): Buffer | null {
    if (this.isGone) throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail: "gone" });
    this.peeks += 1;
    if (this.#isSlow && this.#piece === null) {
      setImmediate(() => {
        this.#piece = this.#make();
        ready();
        this.#piece = null;
      });
      return null;
    }
    return this.#piece ?? this.#make();
  }

  skip(bytes: number): void {
    this.length -= bytes;
    this.#position += bytes;
    this.#piece = null;
  }

  #make(): Buffer {
    return countedBytes(this.#position, Math.min(this.length, 256 * KiB));
  }
}

function countedBytes(start: number, bytes: number): Buffer {
  const made = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) made[at] = (start + at) % 251;
  return made;
}

/** Responds to each frame with what the test has prepared. */
class Responding implements FrameHandler<null> {
  readonly connections: FrameConnection<null>[] = [];
  readonly responses: (Buffer | ByteSource)[][] = [];
  frames = 0;
  closed = 0;

  open(connection: FrameConnection<null>): null {
    this.connections.push(connection);
    return null;
  }

  frame(connection: FrameConnection<null>): void {
    this.frames += 1;
    for (const part of this.responses.shift() ?? []) connection.write(part);
  }

  isPeerWaiting = () => false;
  turnEnd(): void {}
  written(): void {}
  violation(): void {}
  end(): void {}

  close(): void {
    this.closed += 1;
  }
}

for (const isSlow of [false, true]) {
  test(`a response arrives whole and in order, ${isSlow ? "read from the disk" : "read at once"}, and the next request waits for it`, async () => {
    const handler = new Responding();
    using listener = listen(handler);
    const source = new Counting(10 * MiB, isSlow);
    handler.responses.push([Buffer.from("head"), source, Buffer.from("tail")], [Buffer.from("next")]);
    await using client = await TestClient.connect(listener.port);
    client.pause();
    client.send(Buffer.concat([bigEndianFrame("a"), bigEndianFrame("b")]));
    await until(() => (handler.connections[0]?.bytesOut ?? 0) > 0);
    await until(() => source.length < 10 * MiB);
    expect(handler.frames).toBe(1);
    client.resume();
    await until(() => client.received.length >= 10 * MiB + 12, "the responses");
    const expected = [Buffer.from("head"), countedBytes(0, 10 * MiB), Buffer.from("tailnext")];
    expect(client.received.equals(Buffer.concat(expected))).toBe(true);
  });
}

test("nothing is read for a peer that does not take it, and what it holds are the few bytes around", async () => {
  const handler = new Responding();
  using listener = listen(handler);
  const source = new Counting(64 * MiB);
  const slab = Buffer.alloc(64 * KiB);
  handler.responses.push([slab.subarray(0, 10), source, slab.subarray(10, 30)]);
  await using client = await TestClient.connect(listener.port);
  client.pause();
  client.send(bigEndianFrame("a"));
  const [connection] = [...listener.connections];
  let before = -1;
  await until(() => {
    const isStill = source.length === before;
    before = source.length;
    return isStill && source.length < 64 * MiB;
  });
  const { peeks } = source;
  // Whatever wakes the connection: the socket has not drained.
  connection!.resumeInput();
  connection!.write(Buffer.from("more"));
  for (let turns = 0; turns < 20; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  expect([source.peeks, connection!.heldOutputBytes]).toEqual([peeks, 24]);
});

test("a connection whose response cannot be read to its end is closed, with a debug line", async () => {
  const lines: [string, Facts][] = [];
  const tell = (message: string, facts: Facts = {}) => void lines.push([message, facts]);
  const handler = new Responding();
  using listener = listen(handler, { log: { debug: tell, info: tell, warn: tell, error: tell } });
  const source = new Counting(64 * MiB);
  handler.responses.push([source]);
  await using client = await TestClient.connect(listener.port);
  client.pause();
  client.send(bigEndianFrame("a"));
  await until(() => source.length < 64 * MiB);
  source.isGone = true;
  client.resume();
  await until(() => client.isClosed);
  expect([handler.closed, lines.map(([message]) => message)]).toEqual([
    1,
    ["a connection is closed: its response cannot be read to the end"],
  ]);
});
