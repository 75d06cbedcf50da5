/**
 * A door: binds a port, accepts connections up to a limit, and closes them all in order.
 *
 *   - "localhost" binds 127.0.0.1 and ::1 on the same port, because clients resolve the name to either; a machine without IPv6
 *     gets 127.0.0.1 alone. Port 0 takes a free port; `port` says which.
 *   - Over the limit a connection gets the door's refusal text, if it has one, and is closed.
 *   - `stop` accepts no more, lets every connection finish (connection.ts), and cuts off after the grace time what is left.
 *
 * Sockets are half-open: a peer that has sent everything and shut its side still gets its answers.
 */

import { LOOPBACK_NAME } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { ObeliskError } from "../base/errors.ts";
import { listenError } from "../base/listen-error.ts";
import type { Log } from "../base/log.ts";
import type { MemoryBudget } from "../base/memory-budget.ts";
import { RareWarning } from "../base/rare-warning.ts";
import { Connection } from "./connection.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { NetworkCounters } from "./counters.ts";
import type { FrameHandler } from "./frame-handler.ts";
import type { ByteOrder } from "./framing.ts";
import { IdleSweep } from "./idle-sweep.ts";

/** A free port of one address family may be taken in the other: so often another one is tried. */
const FREE_PORT_TRIES = 16;

export interface ListenerOptions<State> {
  readonly hostname: string;
  readonly port: number;
  readonly handler: FrameHandler<State>;
  readonly byteOrder: ByteOrder;
  /** Longest body; a longer one is a violation. */
  readonly frameBytesMax: number;
  readonly connectionsMax: number;
  readonly idleTimeoutMs: number;
  /** Unsent output of one connection: above it no further request is read. */
  readonly outputSoftBytes: number;
  /** Unsent output of one connection: above it the connection is cut. Larger than the largest answer. */
  readonly outputHardBytes: number;
  /** Shared with the other doors. */
  readonly budget: MemoryBudget;
  /** Written to a connection over the limit; empty: it is only closed. */
  readonly refusal: string;
  readonly clock: Clock;
  readonly log: Log;
}

type Socket = Bun.Socket<Door>;

/** What a socket carries: its connection, or null when it was refused. */
interface Door {
  receive: ReceivingEnd | null;
}

type ReceivingEnd = Pick<
  Connection<unknown>,
  "socketData" | "socketDrained" | "socketEnded" | "socketClosed" | "failed"
>;

export class Listener<State> {
  readonly counters = new NetworkCounters();
  /** Every address that is bound. */
  readonly addresses: readonly { readonly hostname: string; readonly port: number }[];
  readonly port: number;
  readonly #options: ListenerOptions<State>;
  readonly #shared: ConnectionOptions<State>;
  readonly #connections = new Set<Connection<State>>();
  readonly #sockets: readonly Bun.TCPSocketListener<Door>[];
  readonly #refusedWarning: RareWarning;
  #connectionId = 0;
  #isAccepting = true;
  #whenEmpty: (() => void) | null = null;

  /** @throws ObeliskError PORT_IN_USE, INVALID_SETTING (no such address, no permission) */
  constructor(options: ListenerOptions<State>) {
    this.#options = options;
    this.#shared = {
      ...options,
      counters: this.counters,
      idle: new IdleSweep(options.clock, options.idleTimeoutMs),
      closed: (connection: Connection<State>) => this.#closed(connection),
    };
    this.#refusedWarning = new RareWarning(
      options.log,
      options.clock,
      "connections are refused: the limit is reached",
    );
    this.#sockets = this.#bind();
    this.addresses = this.#sockets.map(({ hostname, port }) => ({ hostname, port }));
    this.port = this.#sockets[0]!.port;
  }

  get connections(): ReadonlySet<Connection<State>> {
    return this.#connections;
  }

  /** Resolves when every connection is closed; after `graceMs` those that are left are cut. */
  async stop(graceMs: number): Promise<void> {
    this.#stopAccepting();
    for (const connection of this.#connections) connection.retire();
    if (this.#connections.size === 0) return;
    const timer = this.#options.clock.after(graceMs, () => this.stopNow());
    await new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    timer.cancel();
  }

  stopNow(): void {
    this.#stopAccepting();
    for (const connection of this.#connections) connection.closeNow();
  }

  #stopAccepting(): void {
    this.#isAccepting = false;
    for (const socket of this.#sockets) socket.stop(false);
  }

  #bind(): Bun.TCPSocketListener<Door>[] {
    const { hostname, port } = this.#options;
    if (hostname !== LOOPBACK_NAME) return [this.#listen(hostname, port)];
    for (let tries = 1; ; tries += 1) {
      const first = this.#listen("127.0.0.1", port);
      try {
        return [first, ...this.#listenIfThere("::1", first.port)];
      } catch (error) {
        first.stop(true);
        if (port !== 0 || tries === FREE_PORT_TRIES) throw error;
      }
    }
  }

  /** Nothing when the machine has no such address. */
  #listenIfThere(hostname: string, port: number): Bun.TCPSocketListener<Door>[] {
    try {
      return [this.#listen(hostname, port)];
    } catch (error) {
      if (error instanceof ObeliskError && error.code === "PORT_IN_USE") throw error;
      this.#options.log.debug("one address is not available", { hostname });
      return [];
    }
  }

  #listen(hostname: string, port: number): Bun.TCPSocketListener<Door> {
    try {
      return Bun.listen<Door>({
        hostname,
        port,
        exclusive: true,
        allowHalfOpen: true,
        data: { receive: null },
        socket: {
          open: (socket) => this.#opened(socket),
          data: (socket, chunk) => socket.data.receive?.socketData(chunk),
          drain: (socket) => socket.data.receive?.socketDrained(),
          end: (socket) => {
            if (socket.data.receive === null) socket.end();
            else socket.data.receive.socketEnded();
          },
          close: (socket) => socket.data.receive?.socketClosed(),
          error: (socket, error) => socket.data.receive?.failed(error),
        },
      });
    } catch (error) {
      throw listenError(error, hostname, port);
    }
  }

  #opened(socket: Socket): void {
    socket.data = { receive: null };
    if (!this.#isAccepting || this.#connections.size >= this.#options.connectionsMax) {
      this.#refuse(socket);
      return;
    }
    socket.setNoDelay(true);
    this.#connectionId += 1;
    this.counters.accepted += 1;
    const connection = new Connection(this.#connectionId, socket, this.#shared);
    if (!connection.isWritable) return;
    this.counters.open += 1;
    this.#connections.add(connection);
    socket.data.receive = connection;
  }

  #refuse(socket: Socket): void {
    this.counters.refused += 1;
    this.#refusedWarning.tell({ limit: this.#options.connectionsMax, address: socket.remoteAddress });
    socket.end(this.#options.refusal);
  }

  #closed(connection: Connection<State>): void {
    if (!this.#connections.delete(connection)) return;
    this.counters.open -= 1;
    if (this.#connections.size > 0) return;
    this.#whenEmpty?.();
  }
}
