/**
 * One connection to a server under comparison: any bytes as a frame, and what came of them.
 *
 * After each frame goes a probe (ApiVersions 0 with a correlation id of its own). Servers respond in order, so the probe
 * tells silence apart from a response that is still to come, without waiting for a time:
 *
 *   response   a frame with another correlation id came before the probe's
 *   silence    the probe's response came first
 *   closed     the connection ended before either
 *   waiting    neither came within the limit; the connection is given up
 *
 * `closesAfter`: the response came, and then the connection ended instead of responding to the probe.
 */

import { createConnection, type Socket } from "node:net";
import type { Address } from "../bench/load.ts";

export type Outcome =
  | { readonly kind: "response"; readonly frame: Buffer; readonly closesAfter: boolean }
  | { readonly kind: "silence" | "closed" | "waiting" };

const PROBE_ID = 0x7072_6f62;
/** Header of ApiVersions 0: key 18, version 0, the correlation id, a null client id. */
const PROBE = Buffer.from("0000000a0012000070726f62ffff", "hex");
/** Above every response of a run; a length beyond it is nonsense. */
const RESPONSE_BYTES_MAX = 256 * 1024 * 1024;

type Arrival = Buffer | "closed" | "waiting";

export class Wire {
  readonly #socket: Socket;
  readonly #frames: Buffer[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #isClosed = false;
  #arrived: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => this.#closed());
    socket.on("close", () => this.#closed());
  }

  static connect({ host, port }: Address): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ host, port, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Wire(socket));
      });
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends a frame (without its length, which goes before it) and the probe, and tells what came. */
  async exchange(frame: Buffer, waitMs: number): Promise<Outcome> {
    const length = Buffer.alloc(4);
    length.writeInt32BE(frame.length, 0);
    return await this.exchangeRaw(Buffer.concat([length, frame]), waitMs);
  }

  /** As `exchange`, with the length as part of the bytes, which may then be wrong. */
  async exchangeRaw(bytes: Buffer, waitMs: number): Promise<Outcome> {
    this.#socket.write(Buffer.concat([bytes, PROBE]));
    const first = await this.#take(waitMs);
    if (typeof first === "string") return { kind: first };
    if (isProbe(first)) return { kind: "silence" };
    const second = await this.#take(waitMs);
    if (second === "waiting") this.close();
    return { kind: "response", frame: first, closesAfter: typeof second === "string" };
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  async #take(waitMs: number): Promise<Arrival> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      if (this.#isClosed) return "closed";
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) {
        this.close();
        return "waiting";
      }
      await this.#arrival(leftMs);
    }
  }

  #arrival(leftMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, leftMs);
      this.#arrived = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #receive(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 4) {
      const length = this.#bytes.readInt32BE(0);
      if (length < 0 || length > RESPONSE_BYTES_MAX) {
        this.close();
        break;
      }
      if (this.#bytes.length < 4 + length) break;
      this.#frames.push(this.#bytes.subarray(4, 4 + length));
      this.#bytes = this.#bytes.subarray(4 + length);
    }
    this.#arrived();
  }

  #closed(): void {
    this.#isClosed = true;
    this.#arrived();
  }
}

function isProbe(frame: Buffer): boolean {
  return frame.length >= 4 && frame.readInt32BE(0) === PROBE_ID;
}
