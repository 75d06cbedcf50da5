/** Peers that announce much and send little: memory that is held for what was only promised is memory that nobody else has. */

import { MiB } from "../../../../src/base/units.ts";
import type { Attack, Stage } from "../support/attack.ts";
import { int32 } from "../support/frames.ts";
import type { Peer } from "../support/peer.ts";

const KAFKA_FRAME_BYTES = 100 * MiB - 16;
const NATIVE_FRAME_BYTES = 10 * MiB - 16;
const TRICKLE_MS = 1000;

/** The prefix and the head of a Produce. */
function kafkaHead(bytes: number): Buffer {
  return Buffer.concat([int32(bytes), Buffer.from([0, 0, 0, 9])]);
}

function nativeHead(bytes: number): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(bytes);
  return prefix;
}

/** A byte a second from each, until the time is over. */
async function trickle(stage: Stage, peers: readonly Peer[], seconds: number): Promise<void> {
  const timer = setInterval(() => {
    for (const peer of peers) peer.send(new Uint8Array(1));
  }, TRICKLE_MS);
  await stage.wait(seconds);
  clearInterval(timer);
  stage.facts["cut"] = peers.filter(({ isClosed }) => isClosed).length;
}

const slowKafka: Attack = {
  name: "writers-slow",
  what: "three writers that announce 100 MiB and send a byte a second",
  run: async (stage) => {
    const peers = await stage.many(3, () => stage.kafka());
    for (const peer of peers) peer.send(kafkaHead(KAFKA_FRAME_BYTES));
    await trickle(stage, peers, stage.size({ full: 30, quick: 8, suite: 2 }));
  },
};

const slowNative: Attack = {
  name: "native-writers-slow",
  what: "500 native writers that announce 10 MB and send a byte a second",
  run: async (stage) => {
    const peers = await stage.many(500, () => stage.native());
    for (const peer of peers) peer.send(nativeHead(NATIVE_FRAME_BYTES));
    await trickle(stage, peers, stage.size({ full: 30, quick: 8, suite: 2 }));
  },
};

const nativeAgainstKafka: Attack = {
  name: "native-writers-stalled",
  what: "100 native writers that send half of 10 MB and then a byte a second",
  run: async (stage) => {
    const peers = await stage.many(100, () => stage.native());
    const half = Buffer.alloc(NATIVE_FRAME_BYTES / 2);
    for (const peer of peers) {
      peer.send(nativeHead(NATIVE_FRAME_BYTES));
      peer.send(half);
    }
    await trickle(stage, peers, stage.size({ full: 30, quick: 8, suite: 2 }));
  },
};

/** Sends all of a frame but its last byte, as fast as it is taken, and begins again when it is cut. */
function stalling(name: string, what: string, count: number, bytes: number, isNative: boolean): Attack {
  return {
    name,
    what,
    run: async (stage) => {
      const body = Buffer.alloc(bytes - 5);
      let isOver = false;
      let cut = 0;
      const stall = async () => {
        if (isOver || stage.server.ended !== null) return;
        try {
          const peer = await (isNative ? stage.native() : stage.kafka());
          peer.send(isNative ? nativeHead(bytes) : kafkaHead(bytes));
          peer.send(body);
          peer.onClosed(() => {
            cut += 1;
            setTimeout(stall, 10);
          });
        } catch {
          setTimeout(stall, 100); // it was not accepted
        }
      };
      for (let n = 0; n < count; n += 1) void stall();
      await stage.wait(stage.size({ full: 30, quick: 8, suite: 2 }));
      isOver = true;
      stage.facts["cut"] = cut;
    },
  };
}

export const writers: readonly Attack[] = [
  slowKafka,
  slowNative,
  nativeAgainstKafka,
  stalling(
    "writers-all-but-a-byte",
    "20 writers that send 100 MiB but for the last byte, and again when they are cut",
    20,
    KAFKA_FRAME_BYTES,
    false,
  ),
  stalling(
    "native-writers-all-but-a-byte",
    "200 native writers that send 10 MB but for the last byte, and again when they are cut",
    200,
    NATIVE_FRAME_BYTES,
    true,
  ),
];
