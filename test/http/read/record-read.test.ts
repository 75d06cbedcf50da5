import { expect, test } from "bun:test";
import { systemClock } from "../../../src/base/clock.ts";
import { MiB } from "../../../src/base/units.ts";
import { RecordReader } from "../../../src/http/read/record-read.ts";
import { BatchBuilder } from "../../../src/protocol/record/builder.ts";
import { batchOf } from "../../support/batches.ts";
import { openBroker } from "../../support/broker.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { appendTo } from "../../support/partitions.ts";

const ALL = { records: 1000, bytes: MiB };

for (const kind of PARTITION_KINDS) {
  test(`records are given from an offset within a batch on, up to the limits: ${kind.name}`, async () => {
    const broker = await openBroker({}, kind.create());
    const partition = (await broker.topics.ensure("t")).partitions[0]!;
    for (const batch of [["a", "b", "c"], ["d"], ["e", "f"]]) await appendTo(partition, batchOf(batch)).done;
    const reader = new RecordReader(partition, 1, systemClock);
    const read = async (records: number, bytes = MiB) => {
      const found = await reader.read({ records, bytes });
      return [found.map(({ offset, value }) => `${offset}${value}`).join(" "), reader.offset];
    };
    expect([await read(1), await read(2), await read(1000, 2), await read(1)]).toEqual([
      ["1b", 2],
      ["2c 3d", 4],
      ["4e 5f", 6],
      ["", 6],
    ]);
    expect([reader.isBehind, reader.heldBytes]).toEqual([false, 0]);
    await appendTo(partition, batchOf(["g"])).done;
    expect([reader.isBehind, await read(5)]).toEqual([true, ["6g", 7]]);
    await broker.close();
  });

  test(`only what matches is given, and what was looked at is not looked at again: ${kind.name}`, async () => {
    const broker = await openBroker({}, kind.create());
    const partition = (await broker.topics.ensure("t")).partitions[0]!;
    await appendTo(partition, batchOf(["a", "b", "a", "b", "b"])).done;
    const reader = new RecordReader(partition, 0, systemClock, ({ value }) => value?.toString() === "b");
    const first = await reader.read({ records: 2, bytes: MiB });
    expect([first.map(({ offset }) => offset), reader.offset]).toEqual([[1, 3], 4]);
    expect([(await reader.read(ALL)).map(({ offset }) => offset), reader.offset]).toEqual([[4], 5]);
    await broker.close();
  });
}

test("passes over a record with more headers than anybody writes, and says so", async () => {
  const broker = await openBroker();
  const partition = (await broker.topics.ensure("t")).partitions[0]!;
  const value = Buffer.from("v");
  const headers = (count: number) => Array.from({ length: count }, () => ({ key: "", value: null }));
  for (const count of [1, 10_001, 10_000, 2]) {
    const builder = new BatchBuilder(MiB);
    builder.append(5, null, 0, 0, value, 0, value.length, headers(count));
    expect((await appendTo(partition, builder.finish()).done).errorCode).toBe(0);
  }
  const reader = new RecordReader(partition, 0, systemClock);
  const found: [number, number][] = [];
  const unreadable: unknown[] = [];
  while (reader.isBehind) {
    const records = await reader.read({ records: 100, bytes: 1000 });
    found.push(...records.map((record): [number, number] => [record.offset, record.headers.length]));
    // So many headers are not nothing: a read ends after them.
    expect(records.length).toBeLessThan(3);
    unreadable.push(...reader.unreadable);
  }
  expect(found).toEqual([
    [0, 1],
    [2, 10_000],
    [3, 2],
  ]);
  expect(unreadable).toEqual([
    {
      partition: 0,
      firstOffset: 1,
      lastOffset: 1,
      reason: "the record has 10001 headers, more than 10000",
    },
  ]);
  await broker.close();
});
