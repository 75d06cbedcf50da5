import { expect, test } from "bun:test";
import { Syncer } from "../../../src/storage/file/syncer.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";

function fixture(syncAllMs: number) {
  const clock = new ManualClock();
  const files = new SimulatedFiles(1, true);
  const syncAll = files.syncAll!.bind(files);
  const slow = async (descriptor: number) => {
    clock.advance(syncAllMs);
    await syncAll(descriptor);
  };
  Object.assign(files, { syncAll: slow });
  files.makeDirectory("/d");
  const descriptor = files.open("/d/file", "create");
  return { syncer: new Syncer(files, clock, false), descriptor };
}

test("few files and few new names are synced singly, many together", () => {
  const { syncer } = fixture(1);
  expect([
    syncer.prefersAll(1, 0),
    syncer.prefersAll(3, 4),
    syncer.prefersAll(4, 0),
    syncer.prefersAll(1, 5),
  ]).toEqual([false, false, true, true]);
});

test("after a syncfs that had to wait for others, the next groups go to their files, and then it is tried again", async () => {
  const { syncer, descriptor } = fixture(500);
  expect(await syncer.syncAll(descriptor, 10)).toBe(true);
  const preferred = Array.from({ length: 65 }, () => syncer.prefersAll(10, 0));
  expect([preferred.indexOf(true), preferred.lastIndexOf(false)]).toEqual([64, 63]);
});

test("a syncfs that took its usual time is used again at once", async () => {
  const { syncer, descriptor } = fixture(14);
  await syncer.syncAll(descriptor, 10);
  expect(syncer.prefersAll(10, 0)).toBe(true);
});
