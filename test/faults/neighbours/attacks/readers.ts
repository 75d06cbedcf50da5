/** Peers that request much and take little or nothing of it. */

import { KiB, MiB } from "../../../../src/base/units.ts";
import { fetchApi } from "../../../../src/protocol/kafka/apis/fetch.ts";
import { BATCH_CRC, computeBatchCrc } from "../../../../src/protocol/record/batch.ts";
import { batchOf } from "../../../support/batches.ts";
import { type Attack, type Load, RESPONSE_MS_MAX, type Stage } from "../support/attack.ts";
import { createFrame, fetchFrame, produceFrame } from "../support/frames.ts";
import type { Peer } from "../support/peer.ts";

const TOPIC = "much";
const WISH_BYTES = 50 * MiB;

/** `mebibytes` in batches of about `batchBytes`. */
async function fill(stage: Stage, mebibytes: number, batchBytes: number): Promise<void> {
  const peer = await stage.kafka();
  await peer.request(createFrame(TOPIC, 1), 60_000);
  const values = Array.from({ length: Math.floor(batchBytes / KiB) - 1 }, (_, n) => `${n} `.padEnd(KiB, "m"));
  const request = produceFrame(TOPIC, batchOf(values));
  for (let sent = 0; sent < mebibytes * MiB; sent += request.length) {
    const heard = await peer.request(request, 60_000);
    if (heard.kind !== "response") throw new Error(`the topic could not be filled: ${heard.kind}`);
  }
  peer.close();
}

function requestAll(peers: readonly Peer[], offset = 0): void {
  const wish = fetchFrame({ topic: TOPIC, offset, bytesMax: WISH_BYTES });
  for (const peer of peers) peer.send(wish);
}

/** Reads `mebibytes` from the beginning on, a MiB at a time; MB/s. */
async function readThrough(stage: Stage, mebibytes: number): Promise<number> {
  const peer = await stage.kafka();
  const startedAt = performance.now();
  let bytes = 0;
  for (let offset = 0; bytes < mebibytes * MiB; ) {
    const wish = fetchFrame({ topic: TOPIC, offset, bytesMax: MiB });
    const heard = await peer.request(wish, RESPONSE_MS_MAX[stage.load]);
    if (heard.kind !== "response" || heard.body === null) {
      stage.expect(false, `an honest consumer met ${heard.kind} at offset ${offset}`);
      break;
    }
    const { errorCode, records } = fetchApi.decodeResponse(11, heard.body, 0, heard.body.length).responses[0]!
      .partitions[0]!;
    const next = endOf(records ?? Buffer.alloc(0), offset);
    stage.expect(errorCode === 0, `an honest consumer was refused with error ${errorCode}`);
    bytes += heard.bytes;
    offset = next === offset ? 0 : next;
  }
  peer.close();
  return Math.round(bytes / 1000 / (performance.now() - startedAt));
}

/** The offset after the last whole batch, each with the CRC that it should have. */
function endOf(records: Buffer, offset: number): number {
  let next = offset;
  for (let position = 0; position + 61 <= records.length; ) {
    const end = position + 12 + records.readInt32BE(position + 8);
    if (end > records.length) break;
    const isValid =
      computeBatchCrc(records, position, end - position) === records.readUInt32BE(position + BATCH_CRC);
    if (!isValid) throw new Error(`the batch at ${next} is not what was stored`);
    next = Number(records.readBigInt64BE(position)) + records.readInt32BE(position + 23) + 1;
    position = end;
  }
  return next;
}

function unread(
  name: string,
  what: string,
  counts: Readonly<Record<Load, number>>,
  batchBytes: number,
): Attack {
  return {
    name,
    what,
    flags: ["--connections-max=2000"],
    prepare: (stage) => fill(stage, stage.size({ full: 256, quick: 128, suite: 48 }), batchBytes),
    run: async (stage) => {
      const readMebibytes = stage.size({ full: 1024, quick: 256, suite: 16 });
      stage.facts["aloneMBs"] = await readThrough(stage, readMebibytes);
      const peers = await stage.many(stage.size(counts), () => stage.kafka({ isReading: false }));
      requestAll(peers);
      await stage.wait(1);
      stage.facts["besideMBs"] = await readThrough(stage, readMebibytes);
      await stage.wait(stage.size({ full: 15, quick: 4, suite: 0 }));
      stage.facts["heldMb"] = Math.round(stage.server.residentBytes() / 1e6);
      for (const peer of peers) peer.close();
      await stage.wait(stage.size({ full: 5, quick: 2, suite: 1 }));
    },
  };
}

/** Who does not read does not notice that it was cut, and begins again in any case. */
const LIFE_MS = 2000;

const reconnecting: Attack = {
  name: "readers-reconnect",
  what: "900 consumers that request 50 MiB, do not read, and come again after two seconds or when they are cut",
  prepare: (stage) => fill(stage, stage.size({ full: 256, quick: 128, suite: 48 }), 64 * KiB),
  run: async (stage) => {
    const wish = fetchFrame({ topic: TOPIC, offset: 0, bytesMax: WISH_BYTES });
    const peers = new Set<Peer>();
    let isOver = false;
    let cut = 0;
    const come = async () => {
      if (isOver || stage.server.ended !== null) return;
      try {
        const peer = await stage.kafka({ isReading: false });
        peers.add(peer);
        peer.send(wish);
        const again = () => {
          if (!peers.delete(peer)) return;
          setTimeout(come, 10);
        };
        peer.onClosed(() => {
          cut += 1;
          again();
        });
        setTimeout(() => {
          peer.close();
          again();
        }, LIFE_MS);
      } catch {
        setTimeout(come, 100); // it was not accepted
      }
    };
    for (let n = 0; n < stage.size({ full: 900, quick: 900, suite: 300 }); n += 1) void come();
    await stage.wait(stage.size({ full: 30, quick: 10, suite: 2 }));
    isOver = true;
    stage.facts["cut"] = cut;
    for (const peer of peers) peer.close();
    await stage.wait(stage.size({ full: 5, quick: 2, suite: 1 }));
  },
};

/** Honest, and slow: each must be served to the end, however many do not read beside them. */
const slowLinks: Attack = {
  name: "readers-slow-link",
  what: "100 consumers that take 64 KB/s beside 300 that do not read",
  prepare: (stage) => fill(stage, stage.size({ full: 128, quick: 128, suite: 48 }), 64 * KiB),
  run: async (stage) => {
    const slow = await stage.many(stage.size({ full: 100, quick: 100, suite: 20 }), () => stage.kafka());
    const others = await stage.many(stage.size({ full: 300, quick: 300, suite: 50 }), () =>
      stage.kafka({ isReading: false }),
    );
    for (const peer of slow) peer.pace(64_000);
    requestAll(slow);
    requestAll(others);
    await stage.wait(stage.size({ full: 60, quick: 15, suite: 2 }));
    stage.facts["slowMbTaken"] = Math.round(slow.reduce((sum, peer) => sum + peer.receivedBytes, 0) / 1e6);
    for (const peer of others) peer.close();
    for (const peer of slow) peer.read();
    const heard = await Promise.all(slow.map((peer) => peer.hear(stage.responseMsMax)));
    const served = heard.filter(({ kind }) => kind === "response").length;
    stage.facts["served"] = served;
    stage.expect(
      served === slow.length,
      `${slow.length - served} of ${slow.length} slow readers were not served to the end`,
    );
  },
};

export const readers: readonly Attack[] = [
  unread(
    "readers-50",
    "fifty consumers that request 50 MiB and do not read, then close",
    { full: 50, quick: 50, suite: 50 },
    64 * KiB,
  ),
  unread(
    "readers-1000",
    "1,000 consumers that request 50 MiB in batches of 64 KiB and do not read, then close",
    { full: 1000, quick: 1000, suite: 200 },
    64 * KiB,
  ),
  unread(
    "readers-1000-large",
    "1,000 consumers that request 50 MiB in batches of 11 MB and do not read, then close",
    { full: 1000, quick: 1000, suite: 200 },
    10 * MiB,
  ),
  reconnecting,
  slowLinks,
];
