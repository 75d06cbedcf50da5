/**
 * One connection of a possibly hostile peer: it sends what it is given, whole or not, and reads all, nothing, or so much a
 * second. Of what comes it counts the responses and keeps only what is small, so that an attack costs the server and not the attacker.
 */

import { KiB, MiB } from "../../../../src/base/units.ts";

/** A response above this is counted and not kept. */
const KEPT_BYTES_MAX = 32 * MiB;
const PACE_TICK_MS = 50;

export type Heard =
  | { readonly kind: "response"; readonly bytes: number; readonly body: Buffer | null }
  | { readonly kind: "cut" }
  | { readonly kind: "silence" };

export interface PeerOptions {
  /** `false`: takes nothing from its socket. */
  readonly isReading?: boolean;
  /** Responses are lines, not frames after their length. */
  readonly isNative?: boolean;
}

type PausableSocket = Bun.Socket<undefined> & { pause(): void; resume(): void };

export class Peer {
  responses = 0;
  receivedBytes = 0;
  isClosed = false;
  readonly #isNative: boolean;
  readonly #heard: Heard[] = [];
  readonly #waiting: ((heard: Heard) => void)[] = [];
  readonly #whenClosed: (() => void)[] = [];
  #socket: PausableSocket | undefined;
  #unsent: { readonly bytes: Uint8Array; position: number }[] = [];
  #head = Buffer.alloc(4);
  #headBytes = 0;
  #missing = 0;
  #responseBytes = 0;
  #kept: Buffer[] | null = [];
  #line = "";
  #pacing: ReturnType<typeof setInterval> | undefined;
  #paceRoom = 0;

  private constructor(isNative: boolean) {
    this.#isNative = isNative;
  }

  static async connect(port: number, options: PeerOptions = {}): Promise<Peer> {
    const peer = new Peer(options.isNative ?? false);
    const socket = await Bun.connect<undefined>({
      hostname: "127.0.0.1",
      port,
      data: undefined,
      socket: {
        data: (_, chunk) => peer.#received(chunk),
        drain: () => peer.#flush(),
        close: () => peer.#closed(),
        error: () => peer.#closed(),
      },
    });
    peer.#socket = socket as PausableSocket;
    if (options.isReading === false) peer.#socket.pause();
    return peer;
  }

  /** Bytes that the socket has not taken yet. */
  get unsentBytes(): number {
    return this.#unsent.reduce((sum, { bytes, position }) => sum + bytes.length - position, 0);
  }

  send(bytes: Uint8Array): void {
    if (this.isClosed) return;
    this.#unsent.push({ bytes, position: 0 });
    if (this.#unsent.length === 1) this.#flush();
  }

  /** The next response, unless the connection is cut before or nothing comes for so long. */
  hear(msMax: number): Promise<Heard> {
    const heard = this.#heard.shift();
    if (heard !== undefined) return Promise.resolve(heard);
    if (this.isClosed) return Promise.resolve({ kind: "cut" });
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        resolve({ kind: "silence" });
      }, msMax);
      const take = (next: Heard) => {
        clearTimeout(timer);
        resolve(next);
      };
      this.#waiting.push(take);
    });
  }

  request(bytes: Uint8Array, msMax: number): Promise<Heard> {
    this.send(bytes);
    return this.hear(msMax);
  }

  onClosed(callback: () => void): void {
    if (this.isClosed) callback();
    else this.#whenClosed.push(callback);
  }

  /** From now on takes so many bytes a second. */
  pace(bytesPerSecond: number): void {
    const perTick = (bytesPerSecond * PACE_TICK_MS) / 1000;
    this.#paceRoom = 0;
    this.#socket!.pause();
    this.#pacing = setInterval(() => {
      this.#paceRoom = Math.min(this.#paceRoom + perTick, 64 * KiB);
      if (this.#paceRoom > 0 && !this.isClosed) this.#socket!.resume();
    }, PACE_TICK_MS);
  }

  /** Takes what comes, as fast as it comes. */
  read(): void {
    clearInterval(this.#pacing);
    this.#pacing = undefined;
    if (!this.isClosed) this.#socket!.resume();
  }

  close(): void {
    clearInterval(this.#pacing);
    this.#whenClosed.length = 0;
    this.#socket?.terminate();
    this.#closed();
  }

  #flush(): void {
    for (let head = this.#unsent[0]; head !== undefined && !this.isClosed; head = this.#unsent[0]) {
      head.position += Math.max(0, this.#socket!.write(head.bytes.subarray(head.position)));
      if (head.position < head.bytes.length) return;
      this.#unsent.shift();
    }
  }

  #received(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    if (this.#pacing !== undefined) {
      this.#paceRoom -= chunk.length;
      if (this.#paceRoom <= 0) this.#socket!.pause();
    }
    if (this.#isNative) this.#receivedLines(chunk);
    else this.#receivedFrames(chunk);
  }

  #receivedLines(chunk: Buffer): void {
    const lines = (this.#line + chunk.toString("latin1")).split("\n");
    this.#line = lines.pop()!;
    for (const line of lines)
      this.#deliver({ kind: "response", bytes: line.length, body: Buffer.from(line) });
  }

  #receivedFrames(chunk: Buffer): void {
    for (let position = 0; position < chunk.length; ) {
      if (this.#headBytes < 4) {
        this.#head[this.#headBytes] = chunk[position]!;
        this.#headBytes += 1;
        position += 1;
        if (this.#headBytes < 4) continue;
        this.#responseBytes = this.#missing = this.#head.readInt32BE(0);
        this.#kept = this.#missing <= KEPT_BYTES_MAX ? [] : null;
      }
      const end = Math.min(chunk.length, position + this.#missing);
      this.#kept?.push(chunk.subarray(position, end));
      this.#missing -= end - position;
      position = end;
      if (this.#missing > 0) return;
      this.#headBytes = 0;
      const body = this.#kept === null ? null : Buffer.concat(this.#kept);
      this.#deliver({ kind: "response", bytes: this.#responseBytes, body });
    }
  }

  #deliver(heard: Heard): void {
    this.responses += 1;
    const take = this.#waiting.shift();
    if (take !== undefined) take(heard);
    else if (this.#heard.length < 16) this.#heard.push(heard);
  }

  #closed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    clearInterval(this.#pacing);
    for (const take of this.#waiting.splice(0)) take({ kind: "cut" });
    for (const callback of this.#whenClosed.splice(0)) callback();
  }
}
