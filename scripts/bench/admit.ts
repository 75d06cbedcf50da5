/**
 * What it costs to let a batch in: 64 KiB of 100-byte records, with each codec. The header and its CRC alone, then with the
 * records looked into, then with a header that says nothing of its largest timestamp, so that compressed records are
 * opened and the CRC is computed anew. Nanoseconds for each batch, the fastest of several rounds.
 *
 *     bun scripts/bench/admit.ts
 */

import { nextTurn } from "../../src/base/loop/turns.ts";
import { KiB, MiB } from "../../src/base/units.ts";
import { admitBatch } from "../../src/protocol/record/admit.ts";
import { BATCH_CRC, BATCH_MAX_TIMESTAMP, computeBatchCrc } from "../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import { CODECS, type Codec } from "../../src/protocol/record/compression.ts";
import { validateBatch } from "../../src/protocol/record/validate.ts";

const BATCH_BYTES = 64 * KiB;
const RECORD_BYTES = 100;
const ROUNDS = 9;
const CALLS = 500;
const OPTIONS = { bytesMax: MiB, isLogAppendTime: false };

function buildBatch(codec: Codec, hasMaxTimestamp: boolean): Buffer {
  const builder = new BatchBuilder(BATCH_BYTES);
  const value = Buffer.alloc(RECORD_BYTES);
  for (let index = 0; ; index += 1) {
    value.fill(`record ${index} `);
    if (!builder.append(Date.now() + (index >>> 4), null, 0, 0, value, 0, value.length)) break;
  }
  const batch = builder.finish({ codec });
  if (hasMaxTimestamp) return batch;
  batch.writeBigInt64BE(-1n, BATCH_MAX_TIMESTAMP);
  batch.writeUInt32BE(computeBatchCrc(batch, 0, batch.length), BATCH_CRC);
  return batch;
}

/** `work` gets the batch as it came, each time. */
async function nanosecondsOf(batch: Buffer, work: (batch: Buffer) => unknown): Promise<number> {
  const copy = Buffer.from(batch);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    let spent = 0;
    await nextTurn(); // what is inflated is counted in turns
    for (let call = 0; call < CALLS; call += 1) {
      batch.copy(copy);
      const start = Bun.nanoseconds();
      work(copy);
      spent += Bun.nanoseconds() - start;
    }
    best = Math.min(best, spent / CALLS);
  }
  return Math.round(best);
}

const rows: object[] = [];
for (const codec of CODECS) {
  const valid = buildBatch(codec, true);
  rows.push({
    codec,
    bytes: valid.length,
    "header, CRC": await nanosecondsOf(valid, (batch) => validateBatch(batch, 0, batch.length, OPTIONS)),
    "let in": await nanosecondsOf(valid, (batch) => admitBatch(batch, 0, batch.length, OPTIONS, 0)),
    "no max timestamp": await nanosecondsOf(buildBatch(codec, false), (batch) =>
      admitBatch(batch, 0, batch.length, OPTIONS, 0),
    ),
  });
}
console.table(rows);
