import { expect, test } from "bun:test";
import { systemClock } from "../../../src/base/clock.ts";
import { MiB } from "../../../src/base/units.ts";
import { RecordReader } from "../../../src/http/read/record-read.ts";
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
