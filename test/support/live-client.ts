/** A client of a topic's WebSocket: what has come, by its type, and what it was told at the end. */

import type { Problem } from "../../src/http/problem.ts";

interface Heard {
  readonly type: string;
  readonly [member: string]: unknown;
}

export class LiveClient implements AsyncDisposable {
  readonly heard: Heard[] = [];
  /** The code and the reason of the close frame. */
  closed: [number, string] | null = null;
  readonly #socket: WebSocket;
  #changed = Promise.withResolvers<void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      this.heard.push(JSON.parse(data as string) as Heard);
      this.#tell();
    };
    socket.onclose = ({ code, reason }) => {
      this.closed = [code, reason];
      this.#tell();
    };
  }

  /** Of an HTTP origin. */
  static async open(origin: string, topic = "t"): Promise<LiveClient> {
    const socket = new WebSocket(`${origin.replace("http", "ws")}/topics/${topic}/live`);
    const client = new LiveClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error("the WebSocket did not open"));
    });
    return client;
  }

  /** The records so far, as partition:offset=value. */
  get records(): string[] {
    const messages = this.of("messages").flatMap(
      ({ messages }) => messages as { partition: number; offset: number; value: string | null }[],
    );
    return messages.map(({ partition, offset, value }) => `${partition}:${offset}=${value}`);
  }

  /** Where it may go on. */
  get position(): string {
    return this.heard.findLast(({ position }) => position !== undefined)!["position"] as string;
  }

  get problems(): Problem[] {
    return this.of("error").map(({ problem }) => problem as Problem);
  }

  of(type: string): Heard[] {
    return this.heard.filter((message) => message.type === type);
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Frames that are no text. */
  sendBytes(bytes: Uint8Array<ArrayBuffer>): void {
    this.#socket.send(bytes);
  }

  /** Waits until it is so; fails when it has been closed before. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.closed !== null) throw new Error(`closed with ${this.closed.join(" ")}`);
      await this.#changed.promise;
    }
  }

  /** The code and the reason with which it is closed. */
  async end(): Promise<[number, string]> {
    while (this.closed === null) await this.#changed.promise;
    return this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.end();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
