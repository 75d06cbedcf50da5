/**
 * A broker of a few lines that does what a test tells it: responds, returns errors, cuts a response off, closes, or never
 * responds. It uses the project's own codec. `requests` lists what arrived, in order.
 */

import { FrameReader } from "../../src/client/frames.ts";
import type { AnyApi } from "../../src/protocol/kafka/api.ts";
import { APIS } from "../../src/protocol/kafka/apis.ts";
import { decodeRequestHeader } from "../../src/protocol/kafka/request-header.ts";
import { frameOf } from "../support/encoded.ts";

export interface ArrivedRequest {
  readonly name: string;
  readonly version: number;
  // biome-ignore lint/suspicious/noExplicitAny: requests of every API
  readonly body: any;
}

export type Reply =
  /** The body of the response. */
  | { readonly response: object }
  /** Ends the connection, after so many bytes of the response. */
  | { readonly response: object; readonly cutAt: number }
  | "close"
  | "silence";

// biome-ignore lint/suspicious/noExplicitAny: requests of every API
export type Handler = (body: any, version: number) => Reply | Promise<Reply>;

export class FakeBroker {
  readonly requests: ArrivedRequest[] = [];
  readonly handlers = new Map<string, Handler>();
  readonly #listener: Bun.TCPSocketListener<FrameReader>;
  readonly #sockets = new Set<Bun.Socket<FrameReader>>();
  /** What it says of itself in Metadata; its own address unless a test changes it. */
  advertised: { host: string; port: number };
  partitions = 1;
  connections = 0;
  /** Ranges that differ from what the codec knows. */
  readonly ranges = new Map<string, { min: number; max: number }>();

  constructor() {
    this.#listener = Bun.listen<FrameReader>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          this.connections += 1;
          this.#sockets.add(socket);
          socket.data = new FrameReader(1 << 26, (frame) => void this.#handle(socket, Buffer.from(frame)));
        },
        data: (socket, chunk) => socket.data.push(chunk),
        close: (socket) => {
          this.#sockets.delete(socket);
        },
      },
    });
    this.advertised = { host: "127.0.0.1", port: this.port };
    this.#defaults();
  }

  get port(): number {
    return this.#listener.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Replaces what is done for an API. */
  on(name: string, handler: Handler): void {
    this.handlers.set(name, handler);
  }

  /** The requests of one API. */
  of(name: string): ArrivedRequest[] {
    return this.requests.filter((request) => request.name === name);
  }

  closeConnections(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }

  async #handle(socket: Bun.Socket<FrameReader>, frame: Buffer): Promise<void> {
    const header = decodeRequestHeader(frame, 0, frame.length);
    if (header.api === null) throw new Error(`a request of key ${header.key} version ${header.version}`);
    const body = header.api.decodeRequest(header.version, frame, header.bodyPosition, frame.length);
    this.requests.push({ name: header.api.name, version: header.version, body });
    const handler = this.handlers.get(header.api.name);
    if (handler === undefined)
      throw new Error(`nobody told the fake broker what to do with ${header.api.name}`);
    const reply = await handler(body, header.version);
    if (reply === "silence") return;
    if (reply === "close") {
      socket.end();
      return;
    }
    const bytes = encode(header.api, header.version, header.correlationId, reply.response);
    if (!("cutAt" in reply)) {
      socket.write(bytes);
      return;
    }
    socket.write(bytes.subarray(0, reply.cutAt));
    socket.end();
  }

  #defaults(): void {
    this.on("ApiVersions", () => ({
      response: {
        errorCode: 0,
        apiKeys: APIS.filter((api) => this.#isOffered(api)).map((api) => {
          const range = this.ranges.get(api.name) ?? { min: api.versionMin, max: api.versionMax };
          return { apiKey: api.key, minVersion: range.min, maxVersion: range.max };
        }),
      },
    }));
    this.on("Metadata", (body) => ({
      response: this.metadata((body.topics ?? []).map((topic: { name: string }) => topic.name)),
    }));
    this.on("InitProducerId", () => ({
      response: { errorCode: 0, producerId: 1000 + this.of("InitProducerId").length, producerEpoch: 0 },
    }));
  }

  /** A test that tells nothing of groups has a broker without them: clients ask for that before they join. */
  #isOffered({ name }: AnyApi): boolean {
    return name !== "JoinGroup" || this.handlers.has(name);
  }

  metadata(topics: readonly string[]): object {
    return {
      brokers: [{ nodeId: 1, ...this.advertised }],
      controllerId: 1,
      topics: topics.map((name) => ({
        errorCode: 0,
        name,
        partitions: Array.from({ length: this.partitions }, (_, partitionIndex) => ({
          errorCode: 0,
          partitionIndex,
          leaderId: 1,
          replicaNodes: [1],
          isrNodes: [1],
        })),
      })),
    };
  }
}

function encode(api: AnyApi, version: number, correlationId: number, response: object): Buffer {
  return frameOf(api.encodeResponse(version, correlationId, response as never));
}

/** Resolves when `condition` holds; looks again at every turn, for at most `limitMs`. */
export async function until(condition: () => boolean, limitMs = 5000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("the condition did not come true");
    await Bun.sleep(1);
  }
}
