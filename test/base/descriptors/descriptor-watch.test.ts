import { expect, test } from "bun:test";
import { DESCRIPTOR_LOOK_MS, DescriptorWatch } from "../../../src/base/descriptors/descriptor-watch.ts";
import { SpareDescriptors } from "../../../src/base/descriptors/spare-descriptors.ts";
import { silentLog } from "../../../src/base/log.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** A system of few descriptors, whose limit can be changed; a number is free again when it is closed. */
class Machine {
  limit = 10;
  readonly open = new Set<number>();
  readonly told: unknown[] = [];
  readonly clock = new ManualClock();
  readonly files = {
    open: () => {
      for (let number = 0; number < this.limit; number += 1) {
        if (this.open.has(number)) continue;
        this.open.add(number);
        return number;
      }
      throw Object.assign(new Error("EMFILE"), { code: "EMFILE" });
    },
    close: (number: number) => void this.open.delete(number),
  };
  readonly spares = new SpareDescriptors(this.files);
  readonly budget = {
    limit: 10,
    isShort: false,
    setLimit: (limit: number | null) => void (this.budget.limit = limit ?? Number.POSITIVE_INFINITY),
  };
  isAccepting = true;

  watch(): DescriptorWatch {
    const { files, spares, budget, clock } = this;
    const log = { ...silentLog, warn: (message: string, facts?: object) => this.told.push([message, facts]) };
    const accept = (isAccepting: boolean) => void (this.isAccepting = isAccepting);
    const limit = () => this.limit;
    return new DescriptorWatch({ files, limit, spares, budget, accept, clock, log });
  }

  look(): [isShort: boolean, isAccepting: boolean, free: number] {
    this.clock.advance(DESCRIPTOR_LOOK_MS);
    const used = [...this.open].filter((number) => number < this.limit).length;
    return [this.budget.isShort, this.isAccepting, this.limit - used];
  }
}

const SHORTAGE =
  "no file descriptor is left: connections are refused, and files may not be opened; raise `ulimit -n`, or lower connections-max";

test("where none is left, one of the spare ones is left to the system, and all are held again afterwards", () => {
  const machine = new Machine();
  machine.spares.hold(2);
  const watch = machine.watch();
  expect(machine.look()).toEqual([false, true, 8]);
  const taken = Array.from({ length: 8 }, () => machine.files.open());
  expect(machine.look()).toEqual([true, true, 1]);
  expect(machine.look()).toEqual([true, true, 1]);
  for (const number of taken) machine.files.close(number);
  expect(machine.look()).toEqual([false, true, 8]);
  expect(machine.told).toEqual([[SHORTAGE, { reason: "EMFILE", limit: 10 }]]);
  watch.stop();
  expect(machine.clock.pending).toBe(0);
});

test("where nothing is left to give, the listeners accept no more until there is something", () => {
  const machine = new Machine();
  const watch = machine.watch();
  const taken = Array.from({ length: 10 }, () => machine.files.open());
  expect(machine.look()).toEqual([true, false, 0]);
  machine.files.close(taken[0]!);
  expect(machine.look()).toEqual([false, true, 1]);
  watch.stop();
});

test("a limit that is lowered under what is open is noticed and logged, and the spare ones below it serve", () => {
  const machine = new Machine();
  machine.files.open();
  machine.spares.hold(3);
  const watch = machine.watch();
  for (let count = 0; count < 4; count += 1) machine.files.open();
  machine.limit = 3;
  expect(machine.look()).toEqual([true, true, 1]);
  expect(machine.budget.limit).toBe(3);
  machine.limit = 10;
  expect(machine.look()).toEqual([false, true, 2]);
  expect(machine.told).toEqual([
    ["the limit of open files has been changed", { before: 10, now: 3 }],
    [SHORTAGE, { reason: "EMFILE", limit: 3 }],
    ["the limit of open files has been changed", { before: 3, now: 10 }],
  ]);
  watch.stop();
});
