/** A WebSocket by its bytes (RFC 6455), for what no client library does: it does not read, or does not answer. */

import { connect, type Socket } from "node:net";

const TEXT = 1;
const CLOSE = 8;
const PING = 9;

export class RawWebSocket implements Disposable {
  /** Codes of the frames that came. */
  readonly frames: { readonly code: number; readonly payload: Buffer }[] = [];
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #isUpgraded = false;
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  constructor(port: number, topic = "t") {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.#isClosed = true;
      this.#tell();
    });
    this.#socket.on("data", (chunk) => this.#came(Buffer.from(chunk)));
    this.#socket.write(
      `GET /topics/${topic}/live HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
  }

  get pings(): number {
    return this.frames.filter(({ code }) => code === PING).length;
  }

  /** The code and the reason of the close frame. */
  get closed(): [number, string] | null {
    const frame = this.frames.find(({ code }) => code === CLOSE);
    return frame === undefined ? null : [frame.payload.readUInt16BE(0), frame.payload.toString("utf8", 2)];
  }

  /** What came as text, parsed. */
  get texts(): { type: string; [member: string]: unknown }[] {
    return this.frames.flatMap(({ code, payload }) =>
      code === TEXT ? [JSON.parse(payload.toString())] : [],
    );
  }

  /** Several at once go out in one write. */
  send(...messages: readonly unknown[]): void {
    this.#socket.write(Buffer.concat(messages.map((message) => masked(JSON.stringify(message)))));
  }

  /** Bytes that its own system has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#isClosed) throw new Error(`closed with ${this.closed}`);
      await this.#changed.promise;
    }
  }

  async end(): Promise<void> {
    while (!this.#isClosed) await this.#changed.promise;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #came(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (!this.#isUpgraded) {
      const end = this.#bytes.indexOf("\r\n\r\n");
      if (end === -1) return;
      this.#isUpgraded = true;
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    let position = 0;
    for (let end = this.#frameEnd(position); end !== -1; end = this.#frameEnd(position)) position = end;
    this.#bytes = this.#bytes.subarray(position);
    this.#tell();
  }

  /** After the frame at the position, which is kept; -1 while it is not whole. */
  #frameEnd(position: number): number {
    const bytes = this.#bytes;
    if (bytes.length < position + 2) return -1;
    const short = bytes[position + 1]!;
    const start = position + (short === 127 ? 10 : short === 126 ? 4 : 2);
    if (bytes.length < start) return -1;
    const length =
      short === 127
        ? Number(bytes.readBigUInt64BE(position + 2))
        : short === 126
          ? bytes.readUInt16BE(position + 2)
          : short;
    if (bytes.length < start + length) return -1;
    this.frames.push({ code: bytes[position]! & 0x0f, payload: bytes.subarray(start, start + length) });
    return start + length;
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** With a mask of zeros, which is one. */
function masked(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 6 : length < 65_536 ? 8 : 14);
  head[0] = 0x80 | TEXT;
  if (length < 126) head[1] = 0x80 | length;
  else if (length < 65_536) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}
