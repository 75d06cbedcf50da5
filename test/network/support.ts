/** Real sockets for the tests of src/network and of the protocols: a client that collects what it gets, and waits for it. */

import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { MemoryBudget } from "../../src/base/memory/memory-budget.ts";
import { KiB, MiB } from "../../src/base/units.ts";
import type { FrameHandler } from "../../src/network/frame-handler.ts";
import { Listener, type ListenerOptions } from "../../src/network/listener.ts";
import { placesOf } from "../support/places.ts";

/** Long enough for a slow machine; a condition that does not come true fails the test. */
const WAIT_MS = 4000;

/** Looks again after each turn of the event loop until `condition` holds. */
export async function until(condition: () => boolean, what = "a condition"): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export class TestClient implements AsyncDisposable {
  received: Buffer = Buffer.alloc(0);
  hasEnded = false;
  isClosed = false;
  #unsent: Buffer = Buffer.alloc(0);
  #socket: Bun.Socket<undefined> | null = null;

  static async connect(port: number, hostname = "127.0.0.1"): Promise<TestClient> {
    const client = new TestClient();
    client.#socket = await Bun.connect({
      hostname,
      port,
      allowHalfOpen: true,
      socket: {
        data: (_socket, chunk) => {
          client.received = Buffer.concat([client.received, chunk]);
        },
        drain: () => client.#flush(),
        end: () => {
          client.hasEnded = true;
        },
        close: () => {
          client.isClosed = true;
        },
        error: () => undefined,
      },
    });
    return client;
  }

  get text(): string {
    return this.received.toString();
  }

  get unsentBytes(): number {
    return this.#unsent.length;
  }

  send(bytes: Buffer): void {
    this.#unsent = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    this.#flush();
  }

  pause(): void {
    (this.#socket as unknown as { pause(): void }).pause();
  }

  resume(): void {
    (this.#socket as unknown as { resume(): void }).resume();
  }

  /** Shuts its sending side, and goes on reading. */
  halfClose(): void {
    this.#socket!.shutdown();
  }

  close(): void {
    this.#socket!.end();
  }

  abort(): void {
    this.#socket!.terminate();
  }

  async receives(text: string): Promise<void> {
    await until(
      () => this.text.length >= text.length,
      `${JSON.stringify(text)}, got ${JSON.stringify(this.text)}`,
    );
  }

  async ends(): Promise<void> {
    await until(() => this.hasEnded || this.isClosed, "the end of the connection");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket!.terminate();
  }

  #flush(): void {
    const taken = this.#socket!.write(this.#unsent);
    if (taken > 0) this.#unsent = this.#unsent.subarray(taken);
  }
}

/** A listener on a free port of 127.0.0.1, with roomy limits unless given others. */
export function listen<State>(
  handler: FrameHandler<State>,
  options: Partial<ListenerOptions<State>> = {},
): Listener<State> & Disposable {
  const listener = new Listener<State>({
    hostname: "127.0.0.1",
    port: 0,
    handler,
    byteOrder: "big-endian",
    frameBytesMax: 8 * MiB,
    places: placesOf(100),
    idleTimeoutMs: 30_000,
    outputSoftBytes: 256 * KiB,
    outputHardBytes: 64 * MiB,
    budget: new MemoryBudget(64 * MiB, systemClock),
    responseBudget: new MemoryBudget(64 * MiB, systemClock),
    refusal: "",
    clock: systemClock,
    log: silentLog,
    ...options,
  });
  return Object.assign(listener, { [Symbol.dispose]: () => listener.stopNow() });
}

export function bigEndianFrame(body: Buffer | string): Buffer {
  const bytes = Buffer.from(body);
  const prefix = Buffer.alloc(4);
  prefix.writeInt32BE(bytes.length);
  return Buffer.concat([prefix, bytes]);
}
