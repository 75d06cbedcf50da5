/**
 * A socket that listens, and that can pause accepting without losing connections: the system keeps new ones in its backlog.
 *
 *     accepting   Bun's listener, on a descriptor of the socket
 *     resting     only the descriptor that is kept from the start: the backlog fills, nothing is accepted
 *
 *   - Bun accepts all connections that are there in one turn of the event loop, and those that come meanwhile: in a storm the turn would
 *     not end. So after `ACCEPTED_AT_ONCE_MAX` in a turn the socket rests for `REST_MS`.
 *   - Where no descriptor is left, Bun tries again and again, at the whole of a core. `setAccepting(false)` ends that.
 *   - Where the C library is missing, or no descriptor could be kept, it accepts always.
 *
 * `listenOn` binds "localhost" as 127.0.0.1 and ::1 on the same port, because clients resolve the name to either.
 */

import { LOOPBACK_NAME } from "../base/address.ts";
import { cLibrary } from "../base/c-library.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { ObeliskError } from "../base/errors.ts";
import { listenError } from "../base/listen-error.ts";
import type { Log } from "../base/log.ts";
import { loopTurns } from "../base/loop/loop-turns.ts";
import { KiB } from "../base/units.ts";

/** About 3.5 ms of a core, with what is made for each. */
export const ACCEPTED_AT_ONCE_MAX = 64;
/** So a storm takes about half of a core, and other connections wait some 400 ms in a full backlog. */
const REST_MS = 3;
/** A client that finds the backlog full tries again after a second. Bun's is 512: one that connects fast fills it within a rest. */
const BACKLOG_MAX = 4096;
/** Until the next try, when nothing could be opened in order to resume. */
const RETRY_MS = 1000;
/** A free port of one address family may be taken in the other: another one is tried so many times. */
const FREE_PORT_TRIES = 16;
/**
 * What the system holds for a peer beyond what is on its way. By itself it would take megabytes for each that does not read, and share what
 * it has for all sockets among them: with 900 the others had a tenth of their speed. A fast reader needs half as much.
 */
const UNSENT_BYTES_MAX = 512 * KiB;
const NONE = -1;

export interface ListeningOptions<Data> {
  hostname: string;
  /** 0 takes a free one. */
  port: number;
  /** What each socket carries until it is opened. */
  data: Data;
  socket: Bun.SocketHandler<Data>;
  clock: Clock;
  log: Log;
}

type Listening<Data> = Bun.TCPSocketListener<Data> & { readonly fd: number };

export class ListeningSocket<Data> {
  readonly hostname: string;
  readonly port: number;
  readonly #options: ListeningOptions<Data>;
  readonly #kept: number;
  #listening: Listening<Data> | null;
  #acceptedInTurn = 0;
  #rest: Timer | null = null;
  #isAccepting = true;
  #isStopped = false;

  /** @throws ObeliskError PORT_IN_USE, INVALID_SETTING (no such address, no permission) */
  constructor(options: ListeningOptions<Data>) {
    const { hostname, port } = options;
    this.#options = options;
    this.#listening = this.#listen({ hostname, port, exclusive: true });
    this.hostname = this.#listening.hostname;
    this.port = this.#listening.port;
    cLibrary()?.limitUnsent?.(this.#listening.fd, UNSENT_BYTES_MAX);
    this.#kept = cLibrary()?.duplicate(this.#listening.fd) ?? NONE;
  }

  /** Accepts no more, or resumes: what came meanwhile has waited. */
  setAccepting(isAccepting: boolean): void {
    this.#isAccepting = isAccepting;
    if (isAccepting) this.#resume();
    else this.#pause();
  }

  /** For good; connections in the backlog are refused. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#rest?.cancel();
    this.#listening?.stop(false);
    this.#listening = null;
    if (this.#kept >= 0) cLibrary()!.close(this.#kept);
  }

  #opened(socket: Bun.Socket<Data>): void {
    loopTurns.enter("accept");
    if (this.#acceptedInTurn === 0) setImmediate(() => (this.#acceptedInTurn = 0));
    this.#acceptedInTurn += 1;
    if (this.#acceptedInTurn >= ACCEPTED_AT_ONCE_MAX && this.#rest === null) this.#restFor(REST_MS);
    this.#options.socket.open!(socket);
  }

  #restFor(ms: number): void {
    this.#pause();
    this.#rest = this.#options.clock.after(ms, () => {
      this.#rest = null;
      this.#resume();
    });
  }

  #pause(): void {
    if (this.#kept < 0) return;
    this.#listening?.stop(false);
    this.#listening = null;
  }

  #resume(): void {
    if (this.#isStopped || !this.#isAccepting || this.#rest !== null || this.#listening !== null) return;
    const descriptor = cLibrary()!.duplicate(this.#kept);
    try {
      if (descriptor >= 0) this.#listening = this.#listen({ fd: descriptor });
    } catch (thrown) {
      // The system has no room for it now. The descriptor is Bun's in any case.
      if (!(thrown instanceof ObeliskError)) throw thrown;
    }
    if (this.#listening === null) this.#restFor(RETRY_MS);
  }

  #listen(place: object): Listening<Data> {
    const { hostname, port, data, socket } = this.#options;
    try {
      const listening = Bun.listen<Data>({
        ...place,
        data,
        allowHalfOpen: true,
        socket: { ...socket, open: (opened) => this.#opened(opened) },
      } as Bun.TCPSocketListenOptions<Data>) as Listening<Data>;
      cLibrary()?.setBacklog(listening.fd, BACKLOG_MAX);
      return listening;
    } catch (thrown) {
      throw listenError(thrown, hostname, port);
    }
  }
}

/**
 * Listens on every address that a name stands for; a machine without IPv6 gets 127.0.0.1 alone.
 *
 * @throws ObeliskError PORT_IN_USE, INVALID_SETTING (no such address, no permission)
 */
export function listenOn<Data>(options: ListeningOptions<Data>): ListeningSocket<Data>[] {
  const { hostname, port } = options;
  if (hostname !== LOOPBACK_NAME) return [new ListeningSocket(options)];
  for (let tries = 1; ; tries += 1) {
    const first = new ListeningSocket({ ...options, hostname: "127.0.0.1" });
    try {
      return [first, ...listenIfThere({ ...options, hostname: "::1", port: first.port })];
    } catch (error) {
      first.stop();
      if (port !== 0 || tries === FREE_PORT_TRIES) throw error;
    }
  }
}

/** Nothing when the machine has no such address. */
function listenIfThere<Data>(options: ListeningOptions<Data>): ListeningSocket<Data>[] {
  try {
    return [new ListeningSocket(options)];
  } catch (error) {
    if (error instanceof ObeliskError && error.code === "PORT_IN_USE") throw error;
    options.log.debug("one address is not available", { hostname: options.hostname });
    return [];
  }
}
