import { expect, test } from "bun:test";
import { DESCRIPTOR_LOOK_MS, DescriptorWatch } from "../../src/base/descriptor-watch.ts";
import { silentLog } from "../../src/base/log.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("descriptors that are used up are told, rarely, and again when it happens again", () => {
  let errno = "";
  const closed: number[] = [];
  const told: unknown[] = [];
  const clock = new ManualClock();
  const files = {
    open: () => {
      if (errno !== "") throw Object.assign(new Error(errno), { code: errno });
      return 7;
    },
    close: (descriptor: number) => {
      closed.push(descriptor);
    },
  };
  const log = { ...silentLog, warn: (_message: string, facts?: object) => told.push(facts) };
  const watch = new DescriptorWatch(files, clock, log);
  clock.advance(2 * DESCRIPTOR_LOOK_MS);
  expect([closed, told]).toEqual([[7, 7], []]);
  errno = "ENOENT";
  clock.advance(DESCRIPTOR_LOOK_MS);
  expect(told).toEqual([]);
  errno = "EMFILE";
  clock.advance(5 * DESCRIPTOR_LOOK_MS);
  expect(told).toEqual([{ reason: "EMFILE" }]);
  clock.advance(10 * DESCRIPTOR_LOOK_MS);
  expect(told).toEqual([{ reason: "EMFILE" }, { reason: "EMFILE", keptBack: 9 }]);
  watch.stop();
  expect(clock.pending).toBe(0);
});
