/**
 * An address with its protocol: accepts connections as long as there are places, and closes them gracefully.
 *
 *   - Port 0 takes a free port; `port` is its number. How it listens, and how it bears a storm, is listening-socket.ts.
 *   - Without a place (descriptor-budget.ts) a connection gets the listener's refusal text, if it has one, and is closed.
 *   - `stop` accepts no more, lets every connection finish (connection.ts), and cuts off after the grace time what is left.
 *
 * Sockets are half-open: a peer that has sent everything and shut its side still gets its responses.
 */

import type { Clock } from "../base/clock.ts";
import type { ConnectionPlaces, RefusalCause } from "../base/descriptors/descriptor-budget.ts";
import type { Log } from "../base/log.ts";
import type { MemoryBudget } from "../base/memory/memory-budget.ts";
import { RateLimitedWarning } from "../base/rate-limited-warning.ts";
import { Connection } from "./connection.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { NetworkCounters } from "./counters.ts";
import { CutHosts } from "./cut-hosts.ts";
import type { FrameHandler } from "./frame-handler.ts";
import { type ByteOrder, frameBytesFor } from "./framing.ts";
import { IdleSweep } from "./idle-sweep.ts";
import { type ListeningSocket, listenOn } from "./listening-socket.ts";

export interface ListenerOptions<State> {
  readonly hostname: string;
  readonly port: number;
  readonly handler: FrameHandler<State>;
  readonly byteOrder: ByteOrder;
  /** Longest body; a longer one is a violation. */
  readonly frameBytesMax: number;
  readonly places: ConnectionPlaces;
  readonly idleTimeoutMs: number;
  /** Unsent output of one connection: above it no further request is read. */
  readonly outputSoftBytes: number;
  /** Unsent output of one connection: above it the connection is cut. Larger than the largest response. */
  readonly outputHardBytes: number;
  /** Memory for requests and for responses, shared with the other listeners. */
  readonly budget: MemoryBudget;
  readonly responseBudget: MemoryBudget;
  /** Written to a connection that has no place; empty: it is only closed. */
  readonly refusal: string;
  readonly clock: Clock;
  readonly log: Log;
}

type Socket = Bun.Socket<SocketState>;

/** What a socket carries: its connection, or null when it was refused. */
interface SocketState {
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
  readonly #sockets: readonly ListeningSocket<SocketState>[];
  readonly #refusedWarning: RateLimitedWarning;
  #connectionId = 0;
  #isAccepting = true;
  #whenEmpty: (() => void) | null = null;

  /** @throws ObeliskError PORT_IN_USE, INVALID_SETTING (no such address, no permission) */
  constructor(options: ListenerOptions<State>) {
    this.#options = options;
    const memoryWarning = new RateLimitedWarning(
      options.log,
      options.clock,
      "a connection is closed: it holds memory that others wait for, and neither sends nor reads",
    );
    this.#shared = {
      ...options,
      frameBytesMax: frameBytesMax(options),
      cutHosts: new CutHosts(options.clock),
      cutForMemory: (address: string, bytes: number) => memoryWarning.tell({ address, bytes }),
      counters: this.counters,
      idle: new IdleSweep(options.clock, options.idleTimeoutMs),
      closed: (connection: Connection<State>) => this.#closed(connection),
    };
    this.#refusedWarning = new RateLimitedWarning(options.log, options.clock, "connections are refused");
    this.#sockets = this.#listen();
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

  /** New connections wait in the system's backlog while it does not accept. */
  setAccepting(isAccepting: boolean): void {
    for (const socket of this.#sockets) socket.setAccepting(isAccepting);
  }

  #stopAccepting(): void {
    this.#isAccepting = false;
    for (const socket of this.#sockets) socket.stop();
  }

  #listen(): ListeningSocket<SocketState>[] {
    const { hostname, port, clock, log } = this.#options;
    return listenOn<SocketState>({
      hostname,
      port,
      clock,
      log,
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
  }

  #opened(socket: Socket): void {
    socket.data = { receive: null };
    if (!this.#isAccepting) {
      socket.end();
      return;
    }
    const cause = this.#options.places.take();
    if (cause !== null) {
      this.#refuse(socket, cause);
      return;
    }
    socket.setNoDelay(true);
    this.#connectionId += 1;
    this.counters.accepted += 1;
    const connection = new Connection(this.#connectionId, socket, this.#shared);
    if (!connection.isWritable) {
      this.#options.places.give();
      return;
    }
    this.counters.open += 1;
    this.#connections.add(connection);
    socket.data.receive = connection;
  }

  #refuse(socket: Socket, cause: RefusalCause): void {
    this.counters.refused[cause] += 1;
    const { places } = this.#options;
    this.#refusedWarning.tell(() => ({
      port: this.port,
      ...places.facts(cause),
      address: socket.remoteAddress,
    }));
    socket.end(this.#options.refusal);
  }

  #closed(connection: Connection<State>): void {
    if (!this.#connections.delete(connection)) return;
    this.counters.open -= 1;
    this.#options.places.give();
    if (this.#connections.size > 0) return;
    this.#whenEmpty?.();
  }
}

/** A frame that can never have its memory is too large, whatever its own limit says. */
function frameBytesMax({
  frameBytesMax,
  budget,
}: Pick<ListenerOptions<unknown>, "frameBytesMax" | "budget">): number {
  return Math.min(frameBytesMax, frameBytesFor(budget.requestBytesMax));
}
