import { expect, test } from "bun:test";
import { cLibrary } from "../../src/base/c-library.ts";
import { silentLog } from "../../src/base/log.ts";
import { ACCEPTED_AT_ONCE_MAX, ListeningSocket, listenOn } from "../../src/network/listening-socket.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { TestClient, until } from "./support.ts";

const missing = cLibrary() === undefined ? " (skipped: the C library cannot be opened)" : "";

/** Echoes, and counts whom it has accepted. */
function listening() {
  const clock = new ManualClock();
  const seen = { opened: 0 };
  const socket = new ListeningSocket<null>({
    hostname: "127.0.0.1",
    port: 0,
    data: null,
    socket: {
      open: () => void (seen.opened += 1),
      data: (client, bytes) => void client.write(bytes),
    },
    clock,
    log: silentLog,
  });
  return { socket, clock, seen, [Symbol.dispose]: () => socket.stop() };
}

async function connected(port: number, count: number): Promise<TestClient[]> {
  return await Promise.all(Array.from({ length: count }, () => TestClient.connect(port)));
}

test.skipIf(missing !== "")(
  `new connections wait while none is accepted, are served afterwards, and open ones are served all the time${missing}`,
  async () => {
    using served = listening();
    const { socket, seen } = served;
    await using inside = await TestClient.connect(socket.port);
    await until(() => seen.opened === 1);
    socket.setAccepting(false);
    socket.setAccepting(false);
    await using outside = await TestClient.connect(socket.port);
    outside.send(Buffer.from("late"));
    inside.send(Buffer.from("in"));
    await inside.receives("in");
    expect([seen.opened, outside.text]).toEqual([1, ""]);
    socket.setAccepting(true);
    await outside.receives("late");
    expect([seen.opened, outside.text, inside.text]).toEqual([2, "late", "in"]);
  },
);

test.skipIf(missing !== "")(
  `a storm of connections is accepted in parts, so that the loop comes round between them${missing}`,
  async () => {
    using served = listening();
    const { socket, clock, seen } = served;
    socket.setAccepting(false);
    const clients = await connected(socket.port, 2 * ACCEPTED_AT_ONCE_MAX + 1);
    socket.setAccepting(true);
    const accepted: number[] = [];
    for (const most of [1, 2]) {
      await until(() => clock.pending > 0);
      accepted.push(seen.opened);
      expect(seen.opened).toBe(most * ACCEPTED_AT_ONCE_MAX);
      clock.advance(100);
    }
    await until(() => seen.opened === clients.length);
    for (const client of clients) client.abort();
  },
);

test("a socket that was stopped while it rested does not come back, and its port is free", async () => {
  const { socket, clock } = listening();
  socket.setAccepting(false);
  socket.stop();
  socket.setAccepting(true);
  clock.advance(10_000);
  const options = { hostname: "127.0.0.1", port: socket.port, data: null, socket: { data: () => {} } };
  const next = new ListeningSocket<null>({
    ...options,
    socket: { ...options.socket, open: () => {} },
    clock,
    log: silentLog,
  });
  expect(next.port).toBe(socket.port);
  next.stop();
});

test("localhost is both loopbacks on one port, where there are both", async () => {
  const sockets = listenOn<null>({
    hostname: "localhost",
    port: 0,
    data: null,
    socket: { open: () => {}, data: () => {} },
    clock: new ManualClock(),
    log: silentLog,
  });
  expect(sockets[0]!.hostname).toBe("127.0.0.1");
  expect(new Set(sockets.map(({ port }) => port)).size).toBe(1);
  for (const socket of sockets) socket.stop();
});
