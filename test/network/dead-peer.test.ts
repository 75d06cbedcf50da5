/**
 * A peer that goes away while its input is held: no event comes for a paused socket, so the connection must find out when it
 * writes. Otherwise its responses would hold memory for as long as the idle timeout.
 */

import { expect, test } from "bun:test";
import { MiB } from "../../src/base/units.ts";
import type { FrameConnection, FrameHandler } from "../../src/network/frame-handler.ts";
import { bigEndianFrame, listen, TestClient, until } from "./support.ts";

class Holder implements FrameHandler<null> {
  held: FrameConnection<null> | null = null;
  open(): null {
    return null;
  }
  frame(connection: FrameConnection<null>): void {
    connection.expectResponses(1);
    connection.pauseInput();
    this.held = connection;
  }
  turnEnd(): void {}
  violation(): void {}
  end(): void {}
  written(): void {}

  isPeerWaiting(): boolean {
    return false;
  }
  close(): void {}
}

test("a response to a peer that is gone closes the connection", async () => {
  const handler = new Holder();
  using listener = listen(handler);
  await using client = await TestClient.connect(listener.port);
  client.send(bigEndianFrame("request"));
  await until(() => handler.held !== null, "the request");
  client.close();
  client.abort();
  await until(() => client.isClosed, "the end of the peer");
  const connection = handler.held!;
  connection.write(Buffer.from("the head of a response, which the system takes and the other side resets"));
  connection.write(Buffer.alloc(32 * MiB));
  connection.responded(1);
  await until(() => listener.counters.open === 0, "the end of the connection");
  expect({ open: listener.counters.open, outputBytes: connection.outputBytes }).toEqual({
    open: 0,
    outputBytes: 0,
  });
});
