/** Who is at the other end: anonymous when a connection is opened, and whoever it is said to be from then on, for it alone. */

import { expect, test } from "bun:test";
import type { FrameConnection, FrameHandler } from "../../src/network/frame-handler.ts";
import { Principal } from "../../src/security/principal.ts";
import { bigEndianFrame, listen, TestClient } from "./support.ts";

/** Takes each frame for the name of who sends it, and responds with who that was until then. */
class Introductions implements FrameHandler<string> {
  open({ principal }: FrameConnection<string>): string {
    return String(principal);
  }

  frame(connection: FrameConnection<string>, buffer: Buffer, position: number, end: number): void {
    connection.write(Buffer.from(`${connection.principal}, opened as ${connection.state}\n`));
    connection.principal = new Principal("User", buffer.toString("utf8", position, end));
    connection.releaseFrame(end - position);
  }

  turnEnd(): void {}
  violation(): void {}
  end(): void {}
  written(): void {}
  close(): void {}

  isPeerWaiting(): boolean {
    return false;
  }
}

test("a peer is anonymous until it is said who it is, and another connection of it still is", async () => {
  using listener = listen(new Introductions());
  await using first = await TestClient.connect(listener.port);
  first.send(Buffer.concat(["alice", "bob", "carol"].map((name) => bigEndianFrame(name))));
  const opened = "opened as User:ANONYMOUS\n";
  const told = ["User:ANONYMOUS", "User:alice", "User:bob"].map((name) => `${name}, ${opened}`).join("");
  await first.receives(told);
  expect(first.text).toBe(told);
  await using second = await TestClient.connect(listener.port);
  second.send(bigEndianFrame("dave"));
  await second.receives(`User:ANONYMOUS, ${opened}`);
  expect(second.text).toBe(`User:ANONYMOUS, ${opened}`);
});
