/** Partitions that several brokers write: what one commits the other sees, and nobody's offsets are what its last append suggests. */

import { expect, test } from "bun:test";
import { batchOf, bytesOf, recordsIn } from "../../support/batches.ts";
import { until } from "../../support/kafka-until.ts";
import { appendTo } from "../../support/partitions.ts";
import { batchFrom, createPartitions, openShared, readAll } from "./subject.ts";

async function twoBrokers(seed = 1) {
  const subject = await openShared({}, seed);
  const [here] = await createPartitions(subject.broker, 1);
  const another = await subject.openAnother();
  return { subject, here: here!, there: another.topics.get("t")!.partitions[0]! };
}

test("readers here are woken when another broker has written, and the latest offset is never behind", async () => {
  const { subject, here, there } = await twoBrokers();
  await using _ = subject;
  let wakes = 0;
  here.addReader({ wake: () => (wakes += 1) });
  const { baseOffset } = await appendTo(there, batchOf(["a", "b"])).done;
  expect([baseOffset, await here.latestOffset()]).toEqual([0, 2]);
  await until(() => wakes > 0 && here.highWatermark === 2);
  expect(await readAll(here)).toEqual([
    [0, "a"],
    [1, "b"],
  ]);
});

test("an offset beyond the view that is committed all the same is read, and only beyond the end is out of range", async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { subject, here, there } = await twoBrokers(seed);
    await using _ = subject;
    for (let count = 0; count < 5; count += 1) await appendTo(there, batchOf([`${count}`])).done;
    expect(recordsIn(await bytesOf(here.span(4, 1000, true)))).toEqual([[4, "4"]]);
    const refused = await (async () => here.span(6, 1000, true))().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
  }
});

test("appends of both have each an offset of their own, and a retry may come through the other broker", async () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const { subject, here, there } = await twoBrokers(seed);
    await using _ = subject;
    const send = (partition: typeof here, baseSequence: number) =>
      appendTo(partition, batchFrom({ producerId: 7, baseSequence }, `${baseSequence}`)).done;
    const plain = Array.from({ length: 10 }, (_, index) =>
      appendTo(index % 2 === 0 ? here : there, batchOf([`plain ${index}`])),
    );
    const first = await send(here, 0);
    expect(await send(there, 0)).toMatchObject({ errorCode: 0, baseOffset: first.baseOffset });
    expect((await send(there, 1)).errorCode).toBe(0);
    const offsets = (await Promise.all(plain.map(({ done }) => done))).map(({ baseOffset }) => baseOffset);
    expect(new Set([...offsets, first.baseOffset]).size).toBe(11);
    const records = await readAll(here);
    expect(records.length).toBe(12);
    for (const [index, offset] of offsets.entries())
      expect(records[offset]).toEqual([offset, `plain ${index}`]);
  }
});

test("a broker that starts again over the same store finds records, bounds and sequences", async () => {
  const { subject, here } = await twoBrokers();
  await using _ = subject;
  const batch = () => batchFrom({ producerId: 7, baseSequence: 0 }, "a", "b");
  await appendTo(here, batch()).done;
  await subject.broker.close();
  const again = await subject.openAnother();
  const partition = again.topics.get("t")!.partitions[0]!;
  expect([partition.highWatermark, again.topics.producerIdMax]).toEqual([2, 7]);
  expect(await appendTo(partition, batch()).done).toMatchObject({ errorCode: 0, baseOffset: 0 });
  expect(await appendTo(partition, batchOf(["c"])).done).toMatchObject({ errorCode: 0, baseOffset: 2 });
});
