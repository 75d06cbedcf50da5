/** The log's last batches are damaged or gone: readers are told that nothing is there, and continue after it. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { batchBaseOffset, batchLastOffset, batchRecordCount } from "../../../../src/protocol/record/batch.ts";
import { batchOf, bytesOf, recordsIn } from "../../../support/batches.ts";
import { cutFile, flipByte, NO_LISTENER, openData, scratchFolder } from "../../../support/data-tree.ts";

const LOG = "topics/orders/0/00000000000000000000.log";

/** Two batches of one record each, shut down gracefully: nothing is scanned at the next start. */
async function writeTwo(path: string): Promise<number> {
  const { engine } = await openData(path);
  const log = await engine.open("orders", 0, NO_LISTENER);
  const first = batchOf(["one"], {}, 1000);
  for (const batch of [first, batchOf(["two"], {}, 1001)]) log.append(batch, 0, batch.length);
  await engine.sync([log]);
  log.checkpoint(Buffer.alloc(0), log.endOffset);
  await engine.close();
  return first.length;
}

for (const [name, damage] of [
  ["a flipped bit in the last batch", (file: string, start: number) => flipByte(file, start + 70)],
  ["a wrong offset in the last batch", (file: string, start: number) => flipByte(file, start + 7)],
  ["a last batch that is gone", (file: string, start: number) => cutFile(file, start)],
  ["a last batch that is torn", (file: string, start: number) => cutFile(file, start + 20)],
] as const) {
  test(`${name} is read as a batch without records, and what is appended later follows it`, async () => {
    using folder = scratchFolder();
    const path = folder.make("data");
    damage(join(path, LOG), await writeTwo(path));
    const { engine } = await openData(path);
    const log = await engine.open("orders", 0, NO_LISTENER);
    expect(log.endOffset).toBe(2);
    const lost = await bytesOf(log.span(1, 2, 10_000, true));
    expect([batchBaseOffset(lost, 0), batchLastOffset(lost, 0), batchRecordCount(lost, 0)]).toEqual([
      1, 1, 0,
    ]);
    const next = batchOf(["three"], {}, 1002);
    log.append(next, 0, next.length);
    expect(recordsIn(await bytesOf(log.span(1, 3, 10_000, true)))).toEqual([[2, "three"]]);
    await engine.close();
  });
}
