/** Requests as bytes: by the codec, or put together by hand where an array repeats one entry a million times. */

import type { Api } from "../../../../src/protocol/kafka/api.ts";
import { apiVersionsApi } from "../../../../src/protocol/kafka/apis/api-versions.ts";
import { createTopicsApi } from "../../../../src/protocol/kafka/apis/create-topics.ts";
import { deleteTopicsApi } from "../../../../src/protocol/kafka/apis/delete-topics.ts";
import { fetchApi } from "../../../../src/protocol/kafka/apis/fetch.ts";
import { produceApi } from "../../../../src/protocol/kafka/apis/produce.ts";

const CLIENT = "neighbour";

export function frame<Request>(
  api: Api<Request, unknown, never, unknown>,
  version: number,
  request: Request,
): Buffer {
  return Buffer.concat(api.encodeRequest(version, 1, CLIENT, request).parts);
}

export function versionsFrame(): Buffer {
  return frame(apiVersionsApi, 0, { clientSoftwareName: "", clientSoftwareVersion: "" });
}

export function createFrame(name: string, numPartitions: number): Buffer {
  const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] };
  return frame(createTopicsApi, 5, { topics: [topic], timeoutMs: 60_000 });
}

export function deleteFrame(name: string): Buffer {
  return frame(deleteTopicsApi, 4, { topicNames: [name], timeoutMs: 60_000 });
}

export function produceFrame(topic: string, records: Buffer, index = 0): Buffer {
  return frame(produceApi, 9, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData: [{ index, records }] }],
  });
}

export interface FetchWish {
  readonly topic: string;
  readonly offset: number;
  readonly bytesMax: number;
  readonly maxWaitMs?: number;
  readonly partition?: number;
}

export function fetchFrame({ topic, offset, bytesMax, maxWaitMs = 500, partition = 0 }: FetchWish): Buffer {
  return frame(fetchApi, 11, {
    replicaId: -1,
    maxWaitMs,
    minBytes: 1,
    maxBytes: bytesMax,
    sessionEpoch: -1,
    topics: [
      {
        topic,
        partitions: [{ partition, currentLeaderEpoch: -1, fetchOffset: offset, partitionMaxBytes: bytesMax }],
      },
    ],
  });
}

/** A request of a version that is not flexible, with `entry` repeated `count` times between `before` and `after`. */
export function repeatedFrame(
  key: number,
  version: number,
  parts: {
    readonly before: Uint8Array;
    readonly entry: Uint8Array;
    readonly count: number;
    readonly after?: Uint8Array;
  },
): Buffer {
  const { before, entry, count, after = new Uint8Array(0) } = parts;
  const header = Buffer.concat([int16(key), int16(version), int32(1), int16(-1)]);
  const body = Buffer.concat([before, int32(count), Buffer.alloc(count * entry.length, entry), after]);
  return Buffer.concat([int32(header.length + body.length), header, body]);
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

export function text(value: string): Buffer {
  return Buffer.concat([int16(value.length), Buffer.from(value)]);
}

/** A frame of the native protocol. */
export function nativeFrame(topic: string, value: Uint8Array): Buffer {
  const field = (bytes: Uint8Array) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const time = Buffer.alloc(8);
  time.writeBigInt64LE(1_700_000_000_000_000_000n);
  return field(Buffer.concat([time, field(Buffer.from(topic)), field(Buffer.alloc(0)), field(value)]));
}
