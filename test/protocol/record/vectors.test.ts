/** Golden vectors: segments with batches of real clients (test/vectors/record) say what kcat said that they hold. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { admitBatch } from "../../../src/protocol/record/admit.ts";
import {
  batchBytes,
  batchCodec,
  batchProducerEpoch,
  batchProducerId,
  isLogAppendTime,
} from "../../../src/protocol/record/batch.ts";
import { BatchBuilder } from "../../../src/protocol/record/builder.ts";
import { CODECS } from "../../../src/protocol/record/compression.ts";
import { readRecords, type StoredRecord, validateRecords } from "../../../src/protocol/record/records.ts";
import { validateStoredBatch } from "../../../src/protocol/record/validate.ts";

const FOLDER = join(import.meta.dir, "../../vectors/record");
const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".bin"))
  .map((name) => name.slice(0, -".bin".length));

function batchesOf(segment: Buffer): Buffer[] {
  const batches: Buffer[] = [];
  for (let position = 0; position < segment.length; ) {
    const end = position + batchBytes(segment, position);
    batches.push(Buffer.from(segment.subarray(position, end)));
    position = end;
  }
  return batches;
}

function readVector(name: string): Buffer[] {
  return batchesOf(readFileSync(join(FOLDER, `${name}.bin`)));
}

function plain({ offset, timestampMs, key, value, headers }: StoredRecord): unknown {
  return {
    offset,
    timestampMs,
    key: key?.toString() ?? null,
    value: value?.toString() ?? null,
    headers: headers.map((header) => [header.key, header.value?.toString() ?? null]),
  };
}

test("there are vectors of both clients for each codec", () => {
  for (const codec of CODECS) expect(NAMES).toContain(`kcat-${codec}`);
  for (const codec of CODECS.slice(1)) expect(NAMES).toContain(`java-${codec}`);
});

for (const name of NAMES) {
  describe(name, () => {
    const batches = readVector(name);

    test("holds the records that kcat read from it", () => {
      const expected = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), "utf8"));
      expect(batches.flatMap((batch) => readRecords(batch)).map(plain)).toEqual(expected);
    });

    test("is valid as a stored batch, and is let in from a producer as it is, from offset 0", () => {
      for (const batch of batches) {
        expect(validateStoredBatch(batch, 0, batch.length)).toBeNull();
        expect(validateRecords(batch, 0, true)).toBeNull();
        const produced = Buffer.from(batch);
        produced.fill(0, 0, 8);
        const before = Buffer.from(produced);
        const options = { bytesMax: 1_000_000, isLogAppendTime: false };
        expect(admitBatch(produced, 0, produced.length, options, 0)).toBeNull();
        if (!isLogAppendTime(batch, 0)) expect(produced).toEqual(before);
      }
    });
  });
}

test("the name's codec is the batch's codec", () => {
  for (const codec of CODECS.slice(1)) {
    for (const client of ["kcat", "java"]) {
      const codecs = readVector(`${client}-${codec}`).map((batch) => CODECS[batchCodec(batch, 0)]);
      // librdkafka sends a lone record uncompressed when compression would not make it smaller
      expect(codecs.at(-1)).toBe(codec);
    }
  }
});

test("an idempotent producer's id and epoch are read", () => {
  const [batch] = readVector("kcat-idempotent");
  expect(batchProducerId(batch!, 0)).toBeGreaterThanOrEqual(0);
  expect(batchProducerEpoch(batch!, 0)).toBe(0);
});

test("the builder writes an uncompressed batch byte for byte as librdkafka does", () => {
  for (const name of ["kcat-none", "kcat-nulls"]) {
    for (const batch of readVector(name)) {
      const builder = new BatchBuilder(1_000_000);
      for (const { timestampMs, key, value, headers } of readRecords(batch)) {
        builder.append(timestampMs, key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, headers);
      }
      const built = builder.finish();
      expect(built.subarray(17, 51)).toEqual(batch.subarray(17, 51));
      expect(built.subarray(57)).toEqual(batch.subarray(57));
    }
  }
});
