/** What a connection needs from outside: its socket, and what it shares with every connection of its listener. */

import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { MemoryBudget } from "../base/memory/memory-budget.ts";
import type { NetworkCounters } from "./counters.ts";
import type { CutHosts } from "./cut-hosts.ts";
import type { FrameConnection, FrameHandler } from "./frame-handler.ts";
import type { ByteOrder } from "./framing.ts";
import type { IdleSweep } from "./idle-sweep.ts";
import type { ByteSink } from "./output-queue.ts";

/** The part of Bun's socket that a connection uses. */
export interface PeerSocket extends ByteSink {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  pause(): void;
  resume(): void;
  /** Shuts the sending side. */
  shutdown(): void;
  end(): void;
  /** Resets the connection. */
  terminate(): void;
}

export interface ConnectionOptions<State> {
  readonly handler: FrameHandler<State>;
  readonly byteOrder: ByteOrder;
  readonly frameBytesMax: number;
  readonly outputSoftBytes: number;
  readonly outputHardBytes: number;
  /** Memory for what comes in, and for what goes out. */
  readonly budget: MemoryBudget;
  readonly responseBudget: MemoryBudget;
  readonly idle: IdleSweep;
  readonly clock: Clock;
  readonly counters: NetworkCounters;
  readonly log: Log;
  readonly cutHosts: CutHosts;
  /** A connection is about to be cut, because others wait for what it holds. */
  cutForMemory(address: string, heldBytes: number): void;
  /** The connection is closed and holds nothing any more. */
  closed(connection: FrameConnection<State>): void;
}
