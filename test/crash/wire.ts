/**
 * A bare Kafka and native client for the crash runs: requests built by the codec, one socket, responses in order. Unlike
 * src/client it never retries by itself, so the run knows exactly what was sent and what was acknowledged.
 */

import { createTopicsApi } from "../../src/protocol/kafka/apis/create-topics.ts";
import { deleteTopicsApi } from "../../src/protocol/kafka/apis/delete-topics.ts";
import { fetchApi } from "../../src/protocol/kafka/apis/fetch.ts";
import { initProducerIdApi } from "../../src/protocol/kafka/apis/init-producer-id.ts";
import { listOffsetsApi } from "../../src/protocol/kafka/apis/list-offsets.ts";
import { produceApi } from "../../src/protocol/kafka/apis/produce.ts";
import type { Encoded } from "../../src/protocol/kafka/writer.ts";
import { readRecords } from "../../src/protocol/record/records.ts";

const CLIENT = "obelisk-crash";
const FETCH_BYTES = 1 << 20;

/** The server went away; whatever was in flight is unknown. */
export class Gone extends Error {}

export class Wire {
  readonly #socket: Bun.Socket<undefined>;
  readonly #responseEnd: (buffer: Buffer) => number;
  readonly #waiting: { resolve: (response: Buffer) => void; reject: (error: Error) => void }[] = [];
  #unsent: Buffer[] = [];
  #received: Buffer = Buffer.alloc(0);
  #isGone = false;

  private constructor(socket: Bun.Socket<undefined>, responseEnd: (buffer: Buffer) => number) {
    this.#socket = socket;
    this.#responseEnd = responseEnd;
  }

  /** Responses that start with an int32 length. */
  static kafka(port: number): Promise<Wire> {
    return Wire.#connect(port, (buffer) => (buffer.length < 4 ? -1 : 4 + buffer.readInt32BE(0)));
  }

  /** Responses that are lines. */
  static native(port: number): Promise<Wire> {
    return Wire.#connect(port, (buffer) => buffer.indexOf(10) + 1 || -1);
  }

  static async #connect(port: number, responseEnd: (buffer: Buffer) => number): Promise<Wire> {
    let wire: Wire | undefined;
    const socket = await Bun.connect<undefined>({
      hostname: "127.0.0.1",
      port,
      data: undefined,
      socket: {
        data: (_, chunk) => wire?.received(chunk),
        drain: () => wire?.flush(),
        close: () => wire?.gone(),
        error: () => wire?.gone(),
      },
    });
    socket.setNoDelay(true);
    wire = new Wire(socket, responseEnd);
    return wire;
  }

  /** @throws Gone when the connection breaks before the response is there */
  call(request: Buffer): Promise<Buffer> {
    if (this.#isGone) return Promise.reject(new Gone());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#unsent.push(request);
      this.flush();
    });
  }

  flush(): void {
    while (this.#unsent.length > 0) {
      const head = this.#unsent[0]!;
      const sent = Math.max(0, this.#socket.write(head));
      if (sent < head.length) {
        this.#unsent[0] = head.subarray(sent);
        return;
      }
      this.#unsent.shift();
    }
  }

  received(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (;;) {
      const end = this.#responseEnd(this.#received);
      if (end < 0 || end > this.#received.length) return;
      this.#waiting.shift()?.resolve(this.#received.subarray(0, end));
      this.#received = this.#received.subarray(end);
    }
  }

  gone(): void {
    this.#isGone = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Gone());
  }

  close(): void {
    this.#socket.end();
  }
}

/** Kafka's error number. @throws Gone */
export async function createTopic(wire: Wire, name: string, partitions = 1): Promise<number> {
  const request = {
    topics: [{ name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 10_000,
  };
  const response = await wire.call(flat(createTopicsApi.encodeRequest(5, 1, CLIENT, request)));
  return createTopicsApi.decodeResponse(5, response, 4, response.length).topics[0]!.errorCode;
}

/** Kafka's error number. @throws Gone */
export async function deleteTopic(wire: Wire, name: string): Promise<number> {
  const request = { topicNames: [name], timeoutMs: 10_000 };
  const response = await wire.call(flat(deleteTopicsApi.encodeRequest(4, 1, CLIENT, request)));
  return deleteTopicsApi.decodeResponse(4, response, 4, response.length).responses[0]!.errorCode;
}

export async function newProducerId(wire: Wire): Promise<number> {
  const request = { transactionalId: null, transactionTimeoutMs: 60_000 };
  const response = await wire.call(flat(initProducerIdApi.encodeRequest(2, 1, CLIENT, request)));
  return initProducerIdApi.decodeResponse(2, response, 4, response.length).producerId;
}

export interface Responded {
  errorCode: number;
  baseOffset: number;
}

/** One request with a batch for each partition that has one in `batches`; the responses stand in the same places. @throws Gone */
export async function produceBatches(
  wire: Wire,
  topic: string,
  batches: readonly { index: number; records: Buffer }[],
): Promise<Responded[]> {
  const request = {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData: [...batches] }],
  };
  const response = await wire.call(flat(produceApi.encodeRequest(9, 1, CLIENT, request)));
  const responded = produceApi.decodeResponse(9, response, 4, response.length).responses[0]!
    .partitionResponses;
  return batches.map(({ index }) => responded.find((candidate) => candidate.index === index)!);
}

/** @throws Gone */
export async function produceBatch(
  wire: Wire,
  topic: string,
  batch: Buffer,
  partition = 0,
): Promise<Responded> {
  return (await produceBatches(wire, topic, [{ index: partition, records: batch }]))[0]!;
}

/** Where the partition ends. `errorCode` 0 when that is known. */
export function listEndOffset(
  wire: Wire,
  topic: string,
  partition = 0,
): Promise<{ errorCode: number; offset: number }> {
  return listOffset(wire, topic, -1, partition);
}

/** The first record with a timestamp or later, or what a special one stands for (-1 the end, -3 the latest record). */
export async function listOffset(
  wire: Wire,
  topic: string,
  timestamp: number,
  partition = 0,
): Promise<{ errorCode: number; offset: number; timestamp: number }> {
  const request = {
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }],
  };
  const response = await wire.call(flat(listOffsetsApi.encodeRequest(7, 1, CLIENT, request)));
  return listOffsetsApi.decodeResponse(7, response, 4, response.length).topics[0]!.partitions[0]!;
}

/** The response to one fetch. @throws Gone */
export async function fetchOnce(
  wire: Wire,
  topic: string,
  offset: number,
  partition = 0,
): Promise<{ errorCode: number; highWatermark: number; records: Buffer | null }> {
  const request = {
    replicaId: -1,
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: FETCH_BYTES,
    sessionEpoch: -1,
    topics: [
      {
        topic,
        partitions: [
          { partition, currentLeaderEpoch: -1, fetchOffset: offset, partitionMaxBytes: FETCH_BYTES },
        ],
      },
    ],
  };
  const response = await wire.call(flat(fetchApi.encodeRequest(11, 1, CLIENT, request)));
  return fetchApi.decodeResponse(11, response, 4, response.length).responses[0]!.partitions[0]!;
}

/** Offset and value of every record from `offset` to the end. */
export async function readAll(
  wire: Wire,
  topic: string,
  offset: number,
  partition = 0,
): Promise<{ offset: number; value: string }[]> {
  const { errorCode, offset: end } = await listEndOffset(wire, topic, partition);
  if (errorCode !== 0) throw new Error(`the end of ${topic}-${partition}: error ${errorCode}`);
  const found: { offset: number; value: string }[] = [];
  for (let next = offset; next < end; ) {
    const { errorCode, records } = await fetchOnce(wire, topic, next, partition);
    if (errorCode !== 0 || records === null || records.length === 0) {
      throw new Error(
        `fetch of ${topic} at ${next}, end ${end}: error ${errorCode}, ${records?.length} bytes`,
      );
    }
    for (let position = 0; position < records.length; ) {
      const batchEnd = position + 12 + records.readInt32BE(position + 8);
      if (batchEnd > records.length) break;
      for (const record of readRecords(records.subarray(position, batchEnd))) {
        if (record.offset < next) continue;
        found.push({ offset: record.offset, value: record.value?.toString() ?? "" });
        next = record.offset + 1;
      }
      position = batchEnd;
    }
  }
  return found;
}

function flat(encoded: Encoded): Buffer {
  return Buffer.concat(encoded.parts);
}
