/** The bare other end of a Kafka connection: sends requests in any version, or any bytes, and takes responses one by one. */

import type { Socket } from "bun";
import type { Api } from "../../src/protocol/kafka/api.ts";

interface Taker {
  resolve: (frame: Buffer | null) => void;
}

export class WireClient {
  readonly #frames: Buffer[] = [];
  readonly #takers: Taker[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #unsent: Buffer = Buffer.alloc(0);
  #socket: Socket | null = null;
  #correlationId = 0;
  isClosed = false;

  static async connect(port: number, hostname = "127.0.0.1"): Promise<WireClient> {
    const client = new WireClient();
    client.#socket = await Bun.connect({
      hostname,
      port,
      socket: {
        data: (_, chunk) => client.#receive(chunk),
        drain: () => client.#sendRest(),
        close: () => client.#closed(),
        error: () => client.#closed(),
      },
    });
    return client;
  }

  /** Sends a request without waiting; returns its correlation id. */
  send<Request>(api: Api<Request, unknown, never, unknown>, version: number, request: Request): number {
    this.#correlationId += 1;
    const { parts } = api.encodeRequest(version, this.#correlationId, "test", request);
    this.sendBytes(Buffer.concat(parts));
    return this.#correlationId;
  }

  /** What the socket does not take at once follows when it has room. */
  sendBytes(bytes: Buffer): void {
    this.#unsent = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes]);
    this.#sendRest();
  }

  /** The next response, or null when the connection was closed. */
  take(): Promise<Buffer | null> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    if (this.isClosed) return Promise.resolve(null);
    return new Promise((resolve) => this.#takers.push({ resolve }));
  }

  async takeAs<Result>(api: Api<never, unknown, never, Result>, version: number): Promise<Result> {
    const frame = await this.take();
    if (frame === null) throw new Error("the connection was closed instead of a response");
    return api.decodeResponse(version, frame, 0, frame.length);
  }

  ask<Request, Result>(
    api: Api<Request, unknown, never, Result>,
    version: number,
    request: Request,
  ): Promise<Result> {
    this.send(api, version, request);
    return this.takeAs(api, version);
  }

  /** Responses that came and were not taken. */
  get waitingCount(): number {
    return this.#frames.length;
  }

  /** A response that has come already. */
  takeNow(): Buffer {
    const frame = this.#frames.shift();
    if (frame === undefined) throw new Error("no response has come");
    return frame;
  }

  /** Reads nothing more until `resume`. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  close(): void {
    this.#socket?.terminate();
  }

  #sendRest(): void {
    if (this.#unsent.length === 0) return;
    const taken = this.#socket!.write(this.#unsent);
    this.#unsent = taken < 0 ? Buffer.alloc(0) : this.#unsent.subarray(taken);
  }

  #receive(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 4) {
      const end = 4 + this.#bytes.readInt32BE(0);
      if (this.#bytes.length < end) return;
      this.#deliver(this.#bytes.subarray(4, end));
      this.#bytes = this.#bytes.subarray(end);
    }
  }

  #deliver(frame: Buffer): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#frames.push(frame);
    else taker.resolve(frame);
  }

  #closed(): void {
    this.isClosed = true;
    for (const taker of this.#takers.splice(0)) taker.resolve(null);
  }
}
