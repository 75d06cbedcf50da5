/** Files under the server that are damaged, cut or made to mislead, and batches that are far larger than they look. */

import { closeSync, openSync, readdirSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { KiB, MiB } from "../../../../src/base/units.ts";
import { fetchApi } from "../../../../src/protocol/kafka/apis/fetch.ts";
import { listOffsetsApi } from "../../../../src/protocol/kafka/apis/list-offsets.ts";
import { produceApi } from "../../../../src/protocol/kafka/apis/produce.ts";
import { BATCH_HEADER_BYTES, writeBatchHeader } from "../../../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../../../src/protocol/record/builder.ts";
import { CODECS, compress } from "../../../../src/protocol/record/compression.ts";
import { batchOf } from "../../../support/batches.ts";
import type { Program } from "../../../support/obelisk-command.ts";
import type { Attack, Stage } from "../support/attack.ts";
import { createFrame, fetchFrame, frame, produceFrame } from "../support/frames.ts";
import { Peer } from "../support/peer.ts";
import { WatchedServer } from "../support/watched-server.ts";

const TOPIC = "damaged";
const FIRST_LOG = "00000000000000000000.log";
const RECORDS_EACH = 1000;

/** Batches of about a MiB, each with `RECORDS_EACH` records, their times counting up from 0 over all. */
async function fill(peer: Peer, batches: number): Promise<void> {
  await peer.request(createFrame(TOPIC, 1), 60_000);
  const values = Array.from({ length: RECORDS_EACH }, (_, n) => `${n} `.padEnd(KiB, "v"));
  for (let sent = 0; sent < batches; sent += 1) {
    const heard = await peer.request(produceFrame(TOPIC, batchOf(values, {}, sent * RECORDS_EACH)), 60_000);
    if (heard.kind !== "response") throw new Error(`the topic could not be filled: ${heard.kind}`);
  }
}

/** One batch of a topic of 16 becomes heads of batches that end somewhere after it, as values may hold them. */
async function plantForged(data: string, program: Program, claimsRecords: boolean): Promise<void> {
  await using server = await WatchedServer.start(data, [], program);
  const peer = await Peer.connect(server.kafkaPort);
  await fill(peer, 16);
  peer.close();
  await server.stop();

  const path = join(data, "topics", TOPIC, "0", FIRST_LOG);
  const batchBytes = batchOf(Array.from({ length: RECORDS_EACH }, (_, n) => `${n} `.padEnd(KiB, "v"))).length;
  const forged = Buffer.alloc(batchBytes);
  const count = 4 * RECORDS_EACH;
  for (let at = 0; at + BATCH_HEADER_BYTES <= forged.length; at += BATCH_HEADER_BYTES) {
    const head = forged.subarray(at, at + BATCH_HEADER_BYTES);
    forgeHead(head, 4 * MiB + at, claimsRecords ? count : 0, count);
  }
  const file = openSync(path, "r+");
  writeSync(file, forged, 0, forged.length, 4 * batchBytes);
  closeSync(file);
}

/** A head that only its CRC, or its record count too, gives away. */
function forgeHead(head: Buffer, bytes: number, recordCount: number, offsets: number): void {
  head.writeBigInt64BE(BigInt(4 * RECORDS_EACH), 0);
  head.writeInt32BE(bytes - 12, 8);
  head.writeInt32BE(0, 12);
  head.writeInt8(2, 16);
  head.writeUInt32BE(0x1234_5678, 17);
  head.writeInt16BE(0, 21);
  head.writeInt32BE(offsets - 1, 23);
  head.writeBigInt64BE(1000n, 27);
  head.writeBigInt64BE(2000n, 35);
  head.writeBigInt64BE(-1n, 43);
  head.writeInt16BE(-1, 51);
  head.writeInt32BE(-1, 53);
  head.writeInt32BE(recordCount, 57);
}

function forged(name: string, what: string, claimsRecords: boolean): Attack {
  return {
    name,
    what,
    plant: (data, _, program) => plantForged(data, program, claimsRecords),
    run: async (stage) => {
      const peer = await stage.kafka();
      const startedAt = performance.now();
      const bases: number[] = [];
      for (let offset = 0; offset < 16 * RECORDS_EACH; ) {
        const heard = await peer.request(
          fetchFrame({ topic: TOPIC, offset, bytesMax: MiB }),
          stage.responseMsMax,
        );
        if (heard.kind !== "response") return stage.expect(false, `a fetch at ${offset} met ${heard.kind}`);
        const found = fetchApi.decodeResponse(11, heard.body!, 0, heard.bytes).responses[0]!.partitions[0]!;
        if (found.errorCode !== 0)
          return stage.expect(false, `a fetch at ${offset} was refused with ${found.errorCode}`);
        const base = Number((found.records ?? Buffer.alloc(8)).readBigInt64BE(0));
        bases.push(base / RECORDS_EACH);
        offset = base + RECORDS_EACH;
      }
      stage.facts["readMs"] = Math.round(performance.now() - startedAt);
      const valid = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
      stage.expect(bases.join() === valid.join(), `the batches ${bases} were read instead of ${valid}`);
    },
  };
}

/** The error code and the offset of a look-up by time, or what was met instead of a response. */
async function lookUp(stage: Stage, peer: Peer, timestamp: number): Promise<[number, number] | string> {
  const topics = [{ name: TOPIC, partitions: [{ partitionIndex: 0, timestamp }] }];
  const heard = await peer.request(frame(listOffsetsApi, 4, { topics }), stage.responseMsMax);
  if (heard.kind !== "response") return heard.kind;
  const response = listOffsetsApi.decodeResponse(4, heard.body!, 0, heard.bytes).topics[0]!.partitions[0]!;
  return [response.errorCode, response.offset];
}

type Inflating = "gzip" | "zstd" | "lz4";
const INFLATED_BYTES = 105e6;

/** Records of 100 KB that say nothing. */
function fewLarge(codec: Inflating): Buffer {
  const zeros = Buffer.alloc(100_000);
  const builder = new BatchBuilder(INFLATED_BYTES + 2 * zeros.length);
  for (let n = 0; n < INFLATED_BYTES / zeros.length; n += 1) {
    builder.append(1000 + n, null, 0, 0, zeros, 0, zeros.length);
  }
  return builder.finish({ codec });
}

/** As many records as there can be: 7 bytes each, all with the same time. */
function manySmall(codec: Inflating): Buffer {
  const count = INFLATED_BYTES / 7;
  const records = compress(codec, Buffer.alloc(INFLATED_BYTES, Buffer.from([12, 0, 0, 0, 1, 1, 0])));
  const batch = Buffer.concat([Buffer.alloc(BATCH_HEADER_BYTES), records]);
  writeBatchHeader(batch, {
    baseOffset: 0,
    leaderEpoch: -1,
    attributes: CODECS.indexOf(codec),
    lastOffsetDelta: count - 1,
    baseTimestampMs: 1000,
    maxTimestampMs: 2049,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    recordCount: count,
  });
  return batch;
}

function inflating(codec: Inflating, build: (codec: Inflating) => Buffer, found: string): Attack {
  const kind = build === manySmall ? "small" : "large";
  return {
    name: `inflating-${codec}-${kind}`,
    what: `a batch of ${codec} that inflates to 105 MB of ${kind} records, and two look-ups by time`,
    isOneRequest: true,
    run: async (stage) => {
      const batch = build(codec);
      stage.facts["batchBytes"] = batch.length;
      const peer = await stage.kafka();
      await peer.request(createFrame(TOPIC, 1), 60_000);
      const heard = await peer.request(produceFrame(TOPIC, batch), stage.responseMsMax);
      if (heard.kind !== "response") return stage.expect(false, `the batch met ${heard.kind}`);
      const code = produceApi.decodeResponse(9, heard.body!, 0, heard.bytes).responses[0]!
        .partitionResponses[0]!.errorCode;
      stage.expect(code === 0, `the batch was refused with ${code}`);
      const looked = await Promise.all(
        [1500, 1700].map(async (timestamp) => lookUp(stage, await stage.kafka(), timestamp)),
      );
      stage.facts["found"] = looked.join(" | ");
      stage.expect(
        looked.join(" | ") === found,
        `the look-ups gave ${looked.join(" | ")} instead of ${found}`,
      );
    },
  };
}

/** Cuts every index of a topic whose segments have all been searched, and then searches again. */
const cutIndexes: Attack = {
  name: "indexes-cut",
  what: "indexes of sealed segments are cut and emptied under the server",
  flags: ["--segment-bytes=2MiB", "--message-bytes-max=2MiB", "--recent-bytes=0"],
  prepare: async (stage) => {
    const peer = await stage.kafka();
    await fill(peer, stage.size({ full: 32, quick: 32, suite: 8 }));
    await lookUpEverywhere(stage, peer);
    peer.close();
  },
  run: async (stage) => {
    const directory = join(stage.data, "topics", TOPIC, "0");
    const names = readdirSync(directory).filter((name) => /index$/.test(name));
    names.forEach((name, index) => {
      truncateSync(join(directory, name), index % 2 === 0 ? 0 : 12);
    });
    stage.facts["cut"] = names.length;
    const peer = await stage.kafka();
    await lookUpEverywhere(stage, peer);
  },
};

/** A look-up by time and a fetch in the middle of every batch. */
async function lookUpEverywhere(stage: Stage, peer: Peer): Promise<void> {
  const count = stage.size({ full: 32, quick: 32, suite: 8 });
  for (let n = 0; n < count; n += 1) {
    const wished = n * RECORDS_EACH + RECORDS_EACH / 2;
    const found = await lookUp(stage, peer, wished);
    stage.expect(`${found}` === `0,${wished}`, `a look-up for ${wished} gave ${found}`);
    const heard = await peer.request(
      fetchFrame({ topic: TOPIC, offset: wished, bytesMax: KiB }),
      stage.responseMsMax,
    );
    if (heard.kind !== "response") return stage.expect(false, `a fetch at ${wished} met ${heard.kind}`);
    const { errorCode, records } = fetchApi.decodeResponse(11, heard.body!, 0, heard.bytes).responses[0]!
      .partitions[0]!;
    const base = Number((records ?? Buffer.alloc(8, 0xff)).readBigInt64BE(0));
    stage.expect(
      errorCode === 0 && base === n * RECORDS_EACH,
      `a fetch at ${wished} gave ${errorCode}, batch ${base}`,
    );
  }
}

const CODECS_TRIED: readonly Inflating[] = ["gzip", "zstd", "lz4"];

export const damage: readonly Attack[] = [
  forged("damage-empty-heads", "a damaged MiB full of heads that claim no records", false),
  forged("damage-forged-heads", "a damaged MiB full of heads that only their CRC gives away", true),
  ...CODECS_TRIED.map((codec) => inflating(codec, fewLarge, "0,500 | 0,700")),
  // No record is so late: the batch was not honest about its times.
  ...CODECS_TRIED.map((codec) => inflating(codec, manySmall, "0,-1 | 0,-1")),
  cutIndexes,
];
