/**
 * Batches that a correct client does not send, each produced and then looked at: by fetching, by time, and for the largest
 * timestamp. A header is changed field by field, with its checksum made right again unless the checksum is the case.
 */

import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import {
  listOffsetsApi,
  TIMESTAMP_EARLIEST,
  TIMESTAMP_LATEST,
  TIMESTAMP_MAX,
} from "../../../src/protocol/kafka/apis/list-offsets.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import {
  BATCH_ATTRIBUTES,
  BATCH_BASE_OFFSET,
  BATCH_BASE_SEQUENCE,
  BATCH_BASE_TIMESTAMP,
  BATCH_CRC,
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LEADER_EPOCH,
  BATCH_LENGTH,
  BATCH_MAGIC,
  BATCH_MAX_TIMESTAMP,
  BATCH_PRODUCER_EPOCH,
  BATCH_PRODUCER_ID,
  BATCH_RECORD_COUNT,
  computeBatchCrc,
} from "../../../src/protocol/record/batch.ts";
import { CODECS, type Codec, compress } from "../../../src/protocol/record/compression.ts";
import { ask, type Case, type Names, type Step } from "../case.ts";
import { batch, fetchRequest, produceRequest, RECORD_TIME_MS } from "../requests.ts";

/** The versions at which something about records changed: compression of zstd, errors of records, flexible. */
const VERSIONS = [3, 7, 8, 11];
const HOUR_MS = 3_600_000;

export function batchCases(names: Names): Case[] {
  return [
    ...BATCHES.flatMap(([name, make]) => storedCases(names, `batches: ${name}`, make(), VERSIONS)),
    ...CODECS.flatMap((codec) =>
      storedCases(names, `batches: ${codec}`, batch(["a", "b"], { codec }), VERSIONS),
    ),
    ...compressedCases(names),
    ...configuredCases(names),
  ];
}

/** For each version a case: produced two times, and fetched. */
function storedCases(
  names: Names,
  name: string,
  records: Buffer | null,
  versions: readonly number[],
  configs: Readonly<Record<string, string>> = {},
): Case[] {
  return versions.map((version) => {
    const topic = names.topic();
    const produced = ["first", "again"].map((note) =>
      ask(produceApi, version, produceRequest(topic, records), { note }),
    );
    return {
      name,
      topics: [{ name: topic, partitions: 1, configs }],
      steps: [...produced, ...lookAt(topic)],
    };
  });
}

/** What is stored, found in every way that there is. */
export function lookAt(topic: string): Step[] {
  const times = [
    ["earliest", TIMESTAMP_EARLIEST],
    ["latest", TIMESTAMP_LATEST],
    ["the largest time", TIMESTAMP_MAX],
    ["time 0", 0],
    ["the first record's time", RECORD_TIME_MS],
    ["the second record's time", RECORD_TIME_MS + 1000],
    ["a time between records", RECORD_TIME_MS + 1500],
    ["a time after all", RECORD_TIME_MS + HOUR_MS],
  ] as const;
  return [
    ask(fetchApi, 12, fetchRequest(topic), { note: "everything" }),
    ...times.map(([note, timestamp]) =>
      ask(
        listOffsetsApi,
        7,
        { topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp }] }] },
        { note },
      ),
    ),
  ];
}

type Make = () => Buffer;
type Field = "int8" | "int16" | "int32" | "int64";

/** Three records with one field of the header changed. */
function withField(position: number, field: Field, value: number | bigint, isSealed = true): Make {
  return () => {
    const made = batch(["a", "b", "c"]);
    writeField(made, position, field, value);
    return isSealed ? sealed(made) : made;
  };
}

function writeField(buffer: Buffer, position: number, field: Field, value: number | bigint): void {
  if (field === "int8") buffer.writeInt8(Number(value), position);
  else if (field === "int16") buffer.writeInt16BE(Number(value), position);
  else if (field === "int32") buffer.writeInt32BE(Number(value), position);
  else buffer.writeBigInt64BE(BigInt(value), position);
}

/** With the checksum of what it holds now. */
export function sealed(made: Buffer): Buffer {
  made.writeUInt32BE(computeBatchCrc(made, 0, made.length), BATCH_CRC);
  return made;
}

/** A batch with these bytes for records, whatever they are. */
function withRecords(count: number, records: Buffer, codec: Codec = "none"): Make {
  return () => {
    const header = Buffer.from(batch(["a"]).subarray(0, BATCH_HEADER_BYTES));
    const made = Buffer.concat([header, codec === "none" ? records : compress(codec, records)]);
    made.writeInt32BE(made.length - 12, BATCH_LENGTH);
    made.writeInt16BE(CODECS.indexOf(codec), BATCH_ATTRIBUTES);
    made.writeInt32BE(count - 1, BATCH_LAST_OFFSET_DELTA);
    made.writeInt32BE(count, BATCH_RECORD_COUNT);
    return sealed(made);
  };
}

function recordsOf(values: readonly string[]): Buffer {
  return batch(values).subarray(BATCH_HEADER_BYTES);
}

function changed(records: Buffer, position: number, byte: number): Buffer {
  const copy = Buffer.from(records);
  copy[position] = byte;
  return copy;
}

/** A record by hand: length 6, attributes, time delta, offset delta, key, value, header count. */
function plainRecord(offsetDelta: number, timeDelta = 0): Buffer {
  return Buffer.from([12, 0, timeDelta * 2, offsetDelta * 2, 1, 1, 0]);
}

const BATCHES: readonly (readonly [name: string, make: Make])[] = [
  ["max timestamp -1", withField(BATCH_MAX_TIMESTAMP, "int64", -1)],
  ["max timestamp 0", withField(BATCH_MAX_TIMESTAMP, "int64", 0)],
  ["max timestamp of the first record", withField(BATCH_MAX_TIMESTAMP, "int64", RECORD_TIME_MS)],
  ["max timestamp above all records", withField(BATCH_MAX_TIMESTAMP, "int64", RECORD_TIME_MS + 60_000)],
  ["max timestamp 2^63-1", withField(BATCH_MAX_TIMESTAMP, "int64", 2n ** 63n - 1n)],
  ["base timestamp -1", withField(BATCH_BASE_TIMESTAMP, "int64", -1)],
  ["base timestamp -2", withField(BATCH_BASE_TIMESTAMP, "int64", -2)],
  ["base timestamp 2^63-1", withField(BATCH_BASE_TIMESTAMP, "int64", 2n ** 63n - 1n)],
  ["base timestamp two hours ahead", withField(BATCH_BASE_TIMESTAMP, "int64", 4_000_000_000_000)],
  ["base offset 1", withField(BATCH_BASE_OFFSET, "int64", 1)],
  ["base offset -1", withField(BATCH_BASE_OFFSET, "int64", -1)],
  ["base offset 2^63-1", withField(BATCH_BASE_OFFSET, "int64", 2n ** 63n - 1n)],
  ["leader epoch 5", withField(BATCH_LEADER_EPOCH, "int32", 5)],
  ["magic 0", withField(BATCH_MAGIC, "int8", 0, false)],
  ["magic 1", withField(BATCH_MAGIC, "int8", 1, false)],
  ["magic 3", withField(BATCH_MAGIC, "int8", 3, false)],
  ["magic -1", withField(BATCH_MAGIC, "int8", -1, false)],
  ["a wrong checksum", withField(BATCH_CRC, "int32", 1, false)],
  ["attributes: log append time", withField(BATCH_ATTRIBUTES, "int16", 0x08)],
  ["attributes: transactional", withField(BATCH_ATTRIBUTES, "int16", 0x10)],
  ["attributes: control", withField(BATCH_ATTRIBUTES, "int16", 0x20)],
  ["attributes: delete horizon", withField(BATCH_ATTRIBUTES, "int16", 0x40)],
  ["attributes: bit 7", withField(BATCH_ATTRIBUTES, "int16", 0x80)],
  ["attributes: bit 8", withField(BATCH_ATTRIBUTES, "int16", 0x100)],
  ["attributes: bit 15", withField(BATCH_ATTRIBUTES, "int16", -0x8000)],
  ["codec 5", withField(BATCH_ATTRIBUTES, "int16", 5)],
  ["codec 7", withField(BATCH_ATTRIBUTES, "int16", 7)],
  ["gzip that is none", withField(BATCH_ATTRIBUTES, "int16", 1)],
  ["zstd that is none", withField(BATCH_ATTRIBUTES, "int16", 4)],
  ["last offset delta 0", withField(BATCH_LAST_OFFSET_DELTA, "int32", 0)],
  ["last offset delta 3", withField(BATCH_LAST_OFFSET_DELTA, "int32", 3)],
  ["last offset delta -1", withField(BATCH_LAST_OFFSET_DELTA, "int32", -1)],
  ["record count 0", withField(BATCH_RECORD_COUNT, "int32", 0)],
  ["record count 1", withField(BATCH_RECORD_COUNT, "int32", 1)],
  ["record count 4", withField(BATCH_RECORD_COUNT, "int32", 4)],
  ["record count -1", withField(BATCH_RECORD_COUNT, "int32", -1)],
  ["record count 2^31-1", withField(BATCH_RECORD_COUNT, "int32", 2 ** 31 - 1)],
  ["length one more", withField(BATCH_LENGTH, "int32", batch(["a", "b", "c"]).length - 11, false)],
  ["length one less", withField(BATCH_LENGTH, "int32", batch(["a", "b", "c"]).length - 13, false)],
  ["length 0", withField(BATCH_LENGTH, "int32", 0, false)],
  ["length -1", withField(BATCH_LENGTH, "int32", -1, false)],
  ["length 2^31-1", withField(BATCH_LENGTH, "int32", 2 ** 31 - 1, false)],
  ["a producer id without epoch and sequence", withField(BATCH_PRODUCER_ID, "int64", 7)],
  ["a sequence without producer id", withField(BATCH_BASE_SEQUENCE, "int32", 0)],
  ["an epoch without producer id", withField(BATCH_PRODUCER_EPOCH, "int16", 0)],
  ["producer id -2", withField(BATCH_PRODUCER_ID, "int64", -2)],
  ["two batches", () => Buffer.concat([batch(["a"]), batch(["b"])])],
  ["a batch and a cut one", () => Buffer.concat([batch(["a"]), batch(["b"]).subarray(0, 70)])],
  ["a batch and a byte", () => Buffer.concat([batch(["a"]), Buffer.alloc(1)])],
  ["a batch and 12 bytes", () => Buffer.concat([batch(["a"]), Buffer.alloc(12)])],
  ["a cut batch", () => batch(["a", "b"]).subarray(0, 70)],
  ["a cut header", () => batch(["a"]).subarray(0, 60)],
  ["12 bytes", () => batch(["a"]).subarray(0, 12)],
  ["17 bytes", () => batch(["a"]).subarray(0, 17)],
  ["60 zero bytes", () => Buffer.alloc(60)],
  ["a header without records", withRecords(0, Buffer.alloc(0))],
  ["one record said, two there", withRecords(1, recordsOf(["a", "b"]))],
  ["two records said, one there", withRecords(2, recordsOf(["a"]))],
  ["a byte after the records", withRecords(1, Buffer.concat([recordsOf(["a"]), Buffer.alloc(1)]))],
  ["records of zeros", withRecords(1, Buffer.alloc(20))],
  ["records of 0xff", withRecords(1, Buffer.alloc(20, 0xff))],
  ["a record's length one more", withRecords(1, changed(recordsOf(["abc"]), 0, recordsOf(["abc"])[0]! + 2))],
  ["a record's length one less", withRecords(1, changed(recordsOf(["abc"]), 0, recordsOf(["abc"])[0]! - 2))],
  ["a record's length negative", withRecords(1, changed(recordsOf(["abc"]), 0, 1))],
  ["a record's attributes", withRecords(1, changed(recordsOf(["abc"]), 1, 0xff))],
  ["a record's key length beyond it", withRecords(1, changed(recordsOf(["abc"]), 4, 0x7e))],
  ["a record's key length -2", withRecords(1, changed(recordsOf(["abc"]), 4, 3))],
  ["offset deltas 0, 2", withRecords(2, Buffer.concat([plainRecord(0), plainRecord(2)]))],
  ["offset deltas 1, 0", withRecords(2, Buffer.concat([plainRecord(1), plainRecord(0)]))],
  ["offset deltas 0, 0", withRecords(2, Buffer.concat([plainRecord(0), plainRecord(0)]))],
  ["offset delta 1 alone", withRecords(1, plainRecord(1))],
  ["null keys and values", withRecords(2, Buffer.concat([plainRecord(0), plainRecord(1)]))],
  ["a record's key length -2, nothing else wrong", withRecords(1, Buffer.from([12, 0, 0, 0, 3, 1, 0]))],
  ["a record's value length -2, nothing else wrong", withRecords(1, Buffer.from([12, 0, 0, 0, 1, 3, 0]))],
  ["a header's value length -2", withRecords(1, Buffer.from([18, 0, 0, 0, 1, 1, 2, 2, 107, 3]))],
  [
    "a length of five bytes for a small number",
    withRecords(1, Buffer.from([0x94, 0x80, 0x80, 0x80, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0])),
  ],
  [
    "a negative time delta",
    withRecords(2, Buffer.concat([plainRecord(0), Buffer.from([12, 0, 3, 2, 1, 1, 0])])),
  ],
  ["an empty key and value", withRecords(1, Buffer.from([12, 0, 0, 0, 0, 0, 0]))],
  ["header count -1", withRecords(1, Buffer.from([12, 0, 0, 0, 1, 1, 1]))],
  ["header count above what is there", withRecords(1, Buffer.from([12, 0, 0, 0, 1, 1, 10]))],
  ["a header with a null key", withRecords(1, Buffer.from([16, 0, 0, 0, 1, 1, 2, 1, 1]))],
  ["a header with a null value", withRecords(1, Buffer.from([18, 0, 0, 0, 1, 1, 2, 2, 107, 1]))],
];

/** The same garbage within a compressed batch, which is opened by nobody but a reader. */
function compressedCases(names: Names): Case[] {
  const kinds: readonly (readonly [string, Make])[] = [
    ["one record said, two there", withRecords(1, recordsOf(["a", "b"]), "gzip")],
    ["two records said, one there", withRecords(2, recordsOf(["a"]), "gzip")],
    ...CODECS.filter((codec) => codec !== "none").map(
      (codec) =>
        [`2^31-1 said, one there, ${codec}`, withRecords(2 ** 31 - 1, recordsOf(["a"]), codec)] as const,
    ),
    ["garbage inside", withRecords(1, Buffer.alloc(40, 0xaa), "gzip")],
    ["max timestamp -1", () => patched(batch(["a", "b", "c"], { codec: "gzip" }), BATCH_MAX_TIMESTAMP, -1)],
    ["max timestamp 0", () => patched(batch(["a", "b", "c"], { codec: "lz4" }), BATCH_MAX_TIMESTAMP, 0)],
    [
      "max timestamp of the first record",
      () => patched(batch(["a", "b", "c"], { codec: "zstd" }), BATCH_MAX_TIMESTAMP, RECORD_TIME_MS),
    ],
    ["offset deltas 0, 2", withRecords(2, Buffer.concat([plainRecord(0), plainRecord(2)]), "gzip")],
    ["a wrong checksum", () => withoutSeal(batch(["a"], { codec: "snappy" }))],
  ];
  return kinds.flatMap(([name, make]) => storedCases(names, `compressed batches: ${name}`, make(), [8, 11]));
}

function withoutSeal(made: Buffer): Buffer {
  made.writeInt32BE(1, BATCH_CRC);
  return made;
}

function patched(made: Buffer, position: number, value: number): Buffer {
  made.writeBigInt64BE(BigInt(value), position);
  return sealed(made);
}

function configuredCases(names: Names): Case[] {
  const large = batch(["x".repeat(3000)]);
  const stamped = { "message.timestamp.type": "LogAppendTime" };
  return [
    ...storedCases(names, "batches: larger than max.message.bytes", large, VERSIONS, {
      "max.message.bytes": "2000",
    }),
    ...storedCases(names, "batches: as large as allowed", large, VERSIONS, {
      "max.message.bytes": `${large.length}`,
    }),
    ...storedCases(names, "batches: a byte above the limit", large, VERSIONS, {
      "max.message.bytes": `${large.length - 1}`,
    }),
    ...storedCases(names, "log append time: a batch", batch(["a", "b"]), VERSIONS, stamped),
    ...storedCases(names, "log append time: gzip", batch(["a", "b"], { codec: "gzip" }), VERSIONS, stamped),
  ];
}
