/** What an attack is, and what it has to work with. */

import type { Program } from "../../../support/obelisk-command.ts";
import { Peer, type PeerOptions } from "./peer.ts";
import type { WatchedServer } from "./watched-server.ts";

/** How much of it: as it was found, enough to see, or as little as still fails where the fix is missing. */
export type Load = "full" | "quick" | "suite";

export interface Attack {
  readonly name: string;
  /** What is done, in half a sentence. */
  readonly what: string;
  /** Its largest single request may take the loop for longer. */
  readonly isOneRequest?: boolean;
  readonly flags?: readonly string[];
  /** Puts into the data directory what lies there before the server starts. */
  readonly plant?: (data: string, load: Load, program: Program) => void | Promise<void>;
  /** What may take its time, before the neighbours come. */
  readonly prepare?: (stage: Stage) => Promise<void>;
  readonly run: (stage: Stage) => Promise<void>;
}

/** No attack takes longer; what has no response by then counts as silence. */
export const RESPONSE_MS_MAX: Readonly<Record<Load, number>> = { full: 60_000, quick: 30_000, suite: 15_000 };

export class Stage {
  readonly server: WatchedServer;
  readonly data: string;
  readonly load: Load;
  /** For people: what the attack saw. */
  readonly facts: Record<string, number | string> = {};
  /** What should not have been. */
  readonly breaches: string[] = [];
  readonly peers: Peer[] = [];

  constructor(server: WatchedServer, data: string, load: Load) {
    this.server = server;
    this.data = data;
    this.load = load;
  }

  get responseMsMax(): number {
    return RESPONSE_MS_MAX[this.load];
  }

  /** By the load. */
  size(sizes: Readonly<Record<Load, number>>): number {
    return sizes[this.load];
  }

  kafka(options: PeerOptions = {}): Promise<Peer> {
    return this.#connect(this.server.kafkaPort, options);
  }

  native(options: PeerOptions = {}): Promise<Peer> {
    return this.#connect(this.server.nativePort, { ...options, isNative: true });
  }

  /** As many at once as the system lets in without losing one. */
  async many(count: number, connect: () => Promise<Peer>): Promise<Peer[]> {
    const peers: Peer[] = [];
    while (peers.length < count) {
      const group = Array.from({ length: Math.min(100, count - peers.length) }, connect);
      peers.push(...(await Promise.all(group)));
    }
    return peers;
  }

  expect(holds: boolean, breach: string): void {
    if (!holds) this.breaches.push(breach);
  }

  /** Waits as long, or until the server is gone. */
  async wait(seconds: number): Promise<void> {
    await Promise.race([Bun.sleep(seconds * 1000), this.server.whenEnded]);
  }

  close(): void {
    for (const peer of this.peers) peer.close();
  }

  async #connect(port: number, options: PeerOptions): Promise<Peer> {
    const peer = await Peer.connect(port, options);
    this.peers.push(peer);
    return peer;
  }
}
