/**
 * The honest neighbours, in a process of their own, so that the attacker's work is not measured with theirs:
 *
 *   ping     a small request, each 5 ms: how long the server is away
 *   small    a record of 100 bytes each 5 ms, and a consumer that waits for it
 *   large    a record of 200 KB each 200 ms, and a consumer that waits for it
 *   old      a fetch of 1 MiB from the disk each 200 ms, every batch whole and in its place
 *   native   a message of 100 KB through the native protocol each 200 ms
 *
 *     bun pair.ts KAFKA_PORT NATIVE_PORT OLD_MIB GRACE_MS
 *
 * Prints `ready` when each has had a response. The line `begin` on its standard input drops what was measured so far; its end
 * stops the work, waits up to GRACE_MS for what is under way, prints one line of JSON (`PairReport`) and ends.
 */

import { KiB } from "../../../../src/base/units.ts";
import { BATCH_CRC, computeBatchCrc } from "../../../../src/protocol/record/batch.ts";
import { createTopic, fetchOnce, Gone, listEndOffset, produceBatch, Wire } from "../../../crash/wire.ts";
import { batchOf } from "../../../support/batches.ts";
import { Flow } from "./flow.ts";
import { nativeFrame, versionsFrame } from "./frames.ts";
import { Strand, type StrandReport } from "./strand.ts";

export interface PairReport {
  readonly strands: Readonly<Record<string, StrandReport>>;
  /** Whose connection broke. */
  readonly cut: readonly string[];
  /** Wrong or missing responses and records. */
  readonly wrong: readonly string[];
}

/** Longer than any attack: the process ends also when nobody ends it. */
const LIFE_MS_MAX = 300_000;
const TICK_MS = 1;
const OLD_TOPIC = "honest-old";
const NATIVE_TOPIC = "honest-native";

async function openOld(kafkaPort: number, mebibytes: number): Promise<Strand> {
  const wire = await Wire.kafka(kafkaPort);
  await createTopic(wire, OLD_TOPIC);
  const batch = batchOf(Array.from({ length: 63 }, (_, index) => `${index} `.padEnd(KiB, "o")));
  const batches = mebibytes * 16;
  for (let sent = 0; sent < batches; sent += 16) {
    await Promise.all(Array.from({ length: 16 }, () => produceBatch(wire, OLD_TOPIC, batch)));
  }
  let offset = 0;
  return new Strand({
    name: "old",
    periodMs: 200,
    inFlightMax: 1,
    call: async () => {
      const { errorCode, records } = await fetchOnce(wire, OLD_TOPIC, offset);
      if (errorCode !== 0) throw new Error(`a fetch was refused with error ${errorCode}`);
      const next = checkBatches(records ?? Buffer.alloc(0), offset);
      // The newest half is left out: it may be in memory.
      offset = next >= (batches * 63) / 2 ? 0 : next;
    },
  });
}

/** The offset after the last whole batch. @throws when one is not as it was stored */
function checkBatches(records: Buffer, offset: number): number {
  let next = offset;
  for (let position = 0; position + 12 <= records.length; ) {
    const end = position + 12 + records.readInt32BE(position + 8);
    if (end > records.length) break;
    const crc = computeBatchCrc(records, position, end - position);
    const base = Number(records.readBigInt64BE(position));
    if (crc !== records.readUInt32BE(position + BATCH_CRC) || base !== next) {
      throw new Error(`the batch at ${next} is not what was stored`);
    }
    next += 63;
    position = end;
  }
  if (next === offset) throw new Error(`a fetch at ${offset} gave no batch`);
  return next;
}

async function openNative(nativePort: number, stored: { count: number }): Promise<Strand> {
  const wire = await Wire.native(nativePort);
  const message = nativeFrame(NATIVE_TOPIC, Buffer.alloc(100 * 1000, "n"));
  return new Strand({
    name: "native",
    periodMs: 200,
    inFlightMax: 50,
    call: async () => {
      const line = (await wire.call(message)).toString().trim();
      if (line !== "OK") throw new Error(`a message got the response ${line}`);
      stored.count += 1;
    },
  });
}

async function openPing(kafkaPort: number): Promise<Strand> {
  const wire = await Wire.kafka(kafkaPort);
  const query = versionsFrame();
  const call = async () => void (await wire.call(query));
  return new Strand({ name: "ping", periodMs: 5, inFlightMax: 100, call });
}

async function until(condition: () => boolean, msMax: number): Promise<void> {
  for (const end = performance.now() + msMax; !condition() && performance.now() < end; ) await Bun.sleep(10);
}

async function storedNatively(kafkaPort: number): Promise<number> {
  const wire = await Wire.kafka(kafkaPort);
  const { offset } = await Promise.race([
    listEndOffset(wire, NATIVE_TOPIC),
    Bun.sleep(5000).then(() => ({ offset: -1 })),
  ]);
  wire.close();
  return offset;
}

async function main(): Promise<void> {
  const [kafkaPort = 0, nativePort = 0, oldMebibytes = 0, graceMs = 0] = process.argv.slice(2).map(Number);
  setTimeout(() => process.exit(3), LIFE_MS_MAX);
  const stored = { count: 0 };
  const native = await openNative(nativePort, stored);
  const flows = [
    await Flow.open({ name: "small", kafkaPort, bytes: 100, periodMs: 5, inFlightMax: 500 }),
    await Flow.open({ name: "large", kafkaPort, bytes: 200 * 1000, periodMs: 200, inFlightMax: 5 }),
  ];
  const strands = [
    await openPing(kafkaPort),
    ...flows.map(({ strand }) => strand),
    await openOld(kafkaPort, oldMebibytes),
    native,
  ];
  const timer = setInterval(() => {
    for (const strand of strands) strand.tick(performance.now());
  }, TICK_MS);
  await until(() => strands.every((strand) => strand.report(0).count > 0), LIFE_MS_MAX);
  console.log("ready");

  for await (const chunk of Bun.stdin.stream()) {
    if (!new TextDecoder().decode(chunk).includes("begin")) continue;
    for (const part of [...strands, ...flows]) part.begin(performance.now());
  }
  clearInterval(timer);
  const isDone = (strand: Strand) => strand.isIdle || strand.isCut;
  await until(() => strands.every(isDone) && flows.every((flow) => flow.isDrained), graceMs);
  const now = performance.now();
  for (const flow of flows) flow.end();
  const wrong = [...strands, ...flows].flatMap((part) => part.wrong);
  if (!strands.some(({ isCut }) => isCut)) {
    const end = await storedNatively(kafkaPort).catch(() => -1);
    if (end < stored.count) wrong.push(`native: ${stored.count} acknowledged, ${end} stored`);
  }
  const report: PairReport = {
    strands: Object.fromEntries([
      ...strands.map((strand) => [strand.name, strand.report(now)]),
      ...flows.map((flow) => [`${flow.strand.name} read`, flow.arrivals()]),
    ]),
    cut: [
      ...strands.filter(({ isCut }) => isCut).map(({ name }) => name),
      ...flows.filter(({ isReaderCut }) => isReaderCut).map(({ strand }) => `${strand.name} read`),
    ],
    wrong,
  };
  console.log(JSON.stringify(report));
  process.exit(0);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Gone)) throw error;
  console.log(JSON.stringify({ strands: {}, cut: ["all"], wrong: [] } satisfies PairReport));
  process.exit(0);
}
