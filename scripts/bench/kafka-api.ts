/** Runs through the Kafka API: produce and fetch with batches built once, and the way end to end. */

import { createTopicsApi } from "../../src/protocol/kafka/apis/create-topics.ts";
import { fetchApi } from "../../src/protocol/kafka/apis/fetch.ts";
import { listOffsetsApi } from "../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../src/protocol/kafka/apis/produce.ts";
import type { Encoded } from "../../src/protocol/kafka/writer.ts";
import { BATCH_HEADER_BYTES } from "../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import { type Address, CallSocket, percentile, pump } from "./load.ts";

const CLIENT = "obelisk-bench";
const RECORD_FRAME_BYTES = 7;
const READY_TRIES = 200;

export interface Throughput {
  megabytesPerSecond: number;
  recordsPerSecond: number;
}

export interface Latency {
  p50Ms: number;
  p99Ms: number;
}

/** A record batch of about `batchBytes` with values of `valueBytes` letters; returns it with its record count. */
export function buildBatch(batchBytes: number, valueBytes: number): { batch: Buffer; records: number } {
  const builder = new BatchBuilder(batchBytes + BATCH_HEADER_BYTES + 2 * valueBytes + 64);
  const records = Math.max(
    1,
    Math.floor((batchBytes - BATCH_HEADER_BYTES) / (valueBytes + RECORD_FRAME_BYTES)),
  );
  const value = Buffer.alloc(valueBytes, "abcdefghijklmnopqrstuvwxyz");
  for (let n = 0; n < records; n += 1) builder.append(Date.now(), null, 0, 0, value, 0, value.length);
  return { batch: builder.finish(), records };
}

export async function createTopic(address: Address, name: string): Promise<void> {
  const socket = await CallSocket.connect(address);
  const request = {
    topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 10_000,
  };
  await socket.call(flat(createTopicsApi.encodeRequest(5, 1, CLIENT, request)));
  const query = flat(metadataApi.encodeRequest(9, 2, CLIENT, { topics: [{ name }] }));
  for (let tries = 0; ; tries += 1) {
    const response = await socket.call(query);
    const topic = metadataApi.decodeResponse(9, response, 0, response.length).topics?.[0];
    if (
      topic?.errorCode === 0 &&
      topic.partitions?.every((each) => each.errorCode === 0 && each.leaderId >= 0)
    )
      break;
    if (tries === READY_TRIES) throw new Error(`topic ${name} does not become ready`);
    await Bun.sleep(50);
  }
  socket.close();
}

export async function produce(
  address: Address,
  topic: string,
  batchBytes: number,
  totalBytes: number,
  inFlight: number,
): Promise<Throughput> {
  const { batch, records } = buildBatch(batchBytes, 100);
  const frame = produceFrame(topic, batch);
  await checkProduce(address, frame);
  const count = Math.max(1, Math.floor(totalBytes / batch.length));
  const startedAt = performance.now();
  await pump(address, [frame], count, inFlight);
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    megabytesPerSecond: (count * batch.length) / seconds / 1e6,
    recordsPerSecond: (count * records) / seconds,
  };
}

export async function fetchAll(address: Address, topic: string, bytesMax: number): Promise<Throughput> {
  const socket = await CallSocket.connect(address);
  const end = await endOffset(socket, topic);
  let offset = 0;
  let bytes = 0;
  const startedAt = performance.now();
  while (offset < end) {
    const records = await fetchOnce(socket, topic, offset, bytesMax);
    bytes += records.length;
    offset = nextOffset(records, offset);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  socket.close();
  return { megabytesPerSecond: bytes / seconds / 1e6, recordsPerSecond: end / seconds };
}

/** One batch of one record at a time, one in flight. */
export async function ping(address: Address, topic: string, count: number): Promise<Latency> {
  const frame = produceFrame(topic, buildBatch(1, 100).batch);
  const socket = await CallSocket.connect(address);
  const latencies: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const startedAt = performance.now();
    await socket.call(frame);
    if (n >= count / 10) latencies.push(performance.now() - startedAt);
  }
  socket.close();
  return { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
}

/** `rate` records a second in one batch each millisecond, open loop: from the planned time to the arrival at a long poll. */
export async function endToEnd(
  address: Address,
  topic: string,
  rate: number,
  seconds: number,
): Promise<Latency> {
  const recordsPerTick = Math.max(1, Math.round(rate / 1000));
  const ticks = seconds * 1000;
  const reader = await CallSocket.connect(address);
  const writer = await CallSocket.connect(address);
  const first = await endOffset(reader, topic);
  const value = Buffer.alloc(100, "x");
  const startAt = performance.now() + 100;
  const latencies: number[] = [];

  const reading = (async () => {
    for (let offset = first; offset < first + ticks * recordsPerTick; ) {
      const records = await fetchOnce(reader, topic, offset, 1 << 20);
      const now = performance.now();
      const next = nextOffset(records, offset);
      for (let at = offset; at < next; at += 1) {
        latencies.push(now - (startAt + Math.floor((at - first) / recordsPerTick)));
      }
      offset = next;
    }
  })();

  const writing: Promise<Buffer>[] = [];
  for (let tick = 0; tick < ticks; ) {
    for (const due = performance.now() - startAt; tick <= due && tick < ticks; tick += 1) {
      const builder = new BatchBuilder(1 << 20);
      for (let n = 0; n < recordsPerTick; n += 1)
        builder.append(Date.now(), null, 0, 0, value, 0, value.length);
      writing.push(writer.call(produceFrame(topic, builder.finish())));
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await Promise.all([reading, ...writing]);
  reader.close();
  writer.close();
  const completed = latencies.slice(Math.floor(latencies.length / 10));
  return { p50Ms: percentile(completed, 0.5), p99Ms: percentile(completed, 0.99) };
}

function produceFrame(topic: string, batch: Buffer): Buffer {
  const request = {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: batch }] }],
  };
  return flat(produceApi.encodeRequest(9, 1, CLIENT, request));
}

async function checkProduce(address: Address, frame: Buffer): Promise<void> {
  const socket = await CallSocket.connect(address);
  const response = await socket.call(frame);
  socket.close();
  const code = produceApi.decodeResponse(9, response, 0, response.length).responses[0]!.partitionResponses[0]!
    .errorCode;
  if (code !== 0) throw new Error(`produce failed with error ${code}`);
}

async function endOffset(socket: CallSocket, topic: string): Promise<number> {
  const request = {
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
  };
  const response = await socket.call(flat(listOffsetsApi.encodeRequest(4, 1, CLIENT, request)));
  return listOffsetsApi.decodeResponse(4, response, 0, response.length).topics[0]!.partitions[0]!.offset;
}

async function fetchOnce(
  socket: CallSocket,
  topic: string,
  offset: number,
  bytesMax: number,
): Promise<Buffer> {
  const partition = {
    partition: 0,
    currentLeaderEpoch: -1,
    fetchOffset: offset,
    partitionMaxBytes: bytesMax,
  };
  const request = {
    replicaId: -1,
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: bytesMax,
    sessionEpoch: -1,
    topics: [{ topic, partitions: [partition] }],
  };
  const response = await socket.call(flat(fetchApi.encodeRequest(11, 1, CLIENT, request)));
  const found = fetchApi.decodeResponse(11, response, 0, response.length).responses[0]!.partitions[0]!;
  if (found.errorCode !== 0) throw new Error(`fetch failed with error ${found.errorCode}`);
  return found.records ?? Buffer.alloc(0);
}

function nextOffset(records: Buffer, offset: number): number {
  let next = offset;
  for (let position = 0; position + BATCH_HEADER_BYTES <= records.length; ) {
    const end = position + 12 + records.readInt32BE(position + 8);
    if (end > records.length) break;
    next = Number(records.readBigInt64BE(position)) + records.readInt32BE(position + 23) + 1;
    position = end;
  }
  return next;
}

export function flat(encoded: Encoded): Buffer {
  return Buffer.concat(encoded.parts);
}
