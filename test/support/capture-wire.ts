/**
 * A proxy between a Kafka client and a broker that records what both send: one exchange for each request, with the
 * frames (after their length) as hex. Golden vectors in test/vectors/kafka come from it.
 *
 * With `cap`, no API is offered in a version above it (nor above what our codec knows): the proxy rewrites the response to
 * ApiVersions, so that a modern client can be made to use every version. The broker must advertise the proxy's port.
 *
 *   bun test/support/capture-wire.ts PORT BROKER_HOST BROKER_PORT OUT.json [CAP]      until SIGTERM
 */

import type { Socket } from "bun";
import { apiVersionsApi } from "../../src/protocol/kafka/apis/api-versions.ts";
import { produceApi } from "../../src/protocol/kafka/apis/produce.ts";
import { apiByKey } from "../../src/protocol/kafka/apis.ts";
import { decodeRequestHeader } from "../../src/protocol/kafka/request-header.ts";
import { frameOf } from "./encoded.ts";

export interface Exchange {
  readonly key: number;
  readonly version: number;
  readonly request: string;
  /** Null where the protocol has no response (acks 0), or none came. */
  response: string | null;
}

export interface WireCaptureOptions {
  readonly port: number;
  readonly brokerHost: string;
  readonly brokerPort: number;
  readonly cap: number;
}

export interface WireCapture {
  readonly exchanges: readonly Exchange[];
  stop(): void;
}

export function startWireCapture(options: WireCaptureOptions): WireCapture {
  const exchanges: Exchange[] = [];
  const server = Bun.listen<Session>({
    hostname: "127.0.0.1",
    port: options.port,
    socket: {
      open: (socket) => {
        socket.data = new Session(socket, options, exchanges);
      },
      data: (socket, chunk) => socket.data.fromClient(chunk),
      drain: (socket) => socket.data.flush(),
      close: (socket) => socket.data.close(),
    },
  });
  return { exchanges, stop: () => server.stop(true) };
}

/** One client connection and its twin to the broker. */
class Session {
  readonly #client: Socket<Session>;
  readonly #cap: number;
  readonly #exchanges: Exchange[];
  readonly #waiting: Exchange[] = [];
  readonly #broker: Promise<Socket<unknown>>;
  #requestBytes: Buffer = Buffer.alloc(0);
  #responseBytes: Buffer = Buffer.alloc(0);
  #toClient: Buffer = Buffer.alloc(0);
  #toBroker: Buffer = Buffer.alloc(0);

  constructor(client: Socket<Session>, options: WireCaptureOptions, exchanges: Exchange[]) {
    this.#client = client;
    this.#cap = options.cap;
    this.#exchanges = exchanges;
    this.#broker = Bun.connect({
      hostname: options.brokerHost,
      port: options.brokerPort,
      socket: {
        data: (_socket, chunk) => this.#fromBroker(chunk),
        drain: () => void this.#flushToBroker(),
        close: () => {
          client.end();
        },
      },
    });
  }

  fromClient(chunk: Buffer): void {
    this.#toBroker = Buffer.concat([this.#toBroker, chunk]);
    void this.#flushToBroker();
    this.#requestBytes = eachFrame(Buffer.concat([this.#requestBytes, chunk]), (frame) =>
      this.#request(frame),
    );
  }

  flush(): void {
    this.#toClient = this.#toClient.subarray(Math.max(0, this.#client.write(this.#toClient)));
  }

  close(): void {
    void this.#broker.then((broker) => broker.end());
  }

  async #flushToBroker(): Promise<void> {
    const broker = await this.#broker;
    this.#toBroker = this.#toBroker.subarray(Math.max(0, broker.write(this.#toBroker)));
  }

  #request(frame: Buffer): void {
    const header = decodeRequestHeader(frame, 0, frame.length);
    const exchange = {
      key: header.key,
      version: header.version,
      request: frame.toString("hex"),
      response: null,
    };
    this.#exchanges.push(exchange);
    if (header.api === produceApi) {
      const { acks } = produceApi.decodeRequest(header.version, frame, header.bodyPosition, frame.length);
      if (acks === 0) return;
    }
    this.#waiting.push(exchange);
  }

  #fromBroker(chunk: Buffer): void {
    this.#responseBytes = eachFrame(Buffer.concat([this.#responseBytes, chunk]), (frame) => {
      const exchange = this.#waiting.shift();
      let response = frame;
      if (exchange?.key === apiVersionsApi.key) response = capVersions(frame, exchange.version, this.#cap);
      if (exchange !== undefined) exchange.response = response.toString("hex");
      const length = Buffer.alloc(4);
      length.writeInt32BE(response.length);
      this.#toClient = Buffer.concat([this.#toClient, length, response]);
      this.flush();
    });
  }
}

/** Calls back for each whole frame (after its length) and returns what is left. */
function eachFrame(bytes: Buffer, use: (frame: Buffer) => void): Buffer {
  let position = 0;
  while (bytes.length - position >= 4) {
    const end = position + 4 + bytes.readInt32BE(position);
    if (end > bytes.length) break;
    use(Buffer.from(bytes.subarray(position + 4, end)));
    position = end;
  }
  return bytes.subarray(position);
}

function capVersions(frame: Buffer, version: number, cap: number): Buffer {
  const response = apiVersionsApi.decodeResponse(version, frame, 0, frame.length);
  const apiKeys = [];
  for (const { apiKey, minVersion, maxVersion } of response.apiKeys) {
    const api = apiByKey(apiKey);
    if (api === undefined) continue;
    const highest = Math.min(maxVersion, api.versionMax, Math.max(cap, minVersion));
    apiKeys.push({ apiKey, minVersion, maxVersion: highest });
  }
  const encoded = apiVersionsApi.encodeResponse(version, frame.readInt32BE(0), { ...response, apiKeys });
  return frameOf(encoded).subarray(4);
}

if (import.meta.main) {
  const [port, brokerHost, brokerPort, file, cap] = process.argv.slice(2);
  const capture = startWireCapture({
    port: Number(port),
    brokerHost: brokerHost ?? "127.0.0.1",
    brokerPort: Number(brokerPort),
    cap: Number(cap ?? 99),
  });
  process.on("SIGTERM", async () => {
    await Bun.write(file ?? "wire.json", JSON.stringify(capture.exchanges, null, 1));
    capture.stop();
    process.exit(0);
  });
}
