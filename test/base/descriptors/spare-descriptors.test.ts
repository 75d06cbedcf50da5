import { expect, test } from "bun:test";
import { SpareDescriptors } from "../../../src/base/descriptors/spare-descriptors.ts";

/** A system with so many descriptors. */
function system(free: number) {
  const state = { free };
  const files = {
    open: () => {
      if (state.free === 0) throw Object.assign(new Error("EMFILE"), { code: "EMFILE" });
      state.free -= 1;
      return state.free;
    },
    close: () => void (state.free += 1),
  };
  return { state, files, spares: new SpareDescriptors(files) };
}

test("work that finds no descriptor gets the spare ones, one at a time, and fails when they are gone", () => {
  const { state, files, spares } = system(3);
  spares.hold(2);
  const opened = [files.open(), spares.use(files.open), spares.use(files.open)];
  expect([opened.length, state.free, spares.isLent]).toEqual([3, 0, true]);
  expect(() => spares.use(files.open)).toThrow("EMFILE");
  files.close();
  expect([spares.refill(), spares.isLent]).toEqual([false, true]);
  files.close();
  expect([spares.refill(), spares.isLent, state.free]).toEqual([true, false, 0]);
  spares.close();
  expect(state.free).toBe(2);
});

test("other failures are the work's own", () => {
  const { spares, state } = system(2);
  spares.hold(2);
  const failing = () => {
    throw Object.assign(new Error("gone"), { code: "ENOENT" });
  };
  expect(() => spares.use(failing)).toThrow("gone");
  expect([state.free, spares.isLent]).toEqual([0, false]);
});

test("one that is left to the system is taken again only when all are", () => {
  const { spares, state } = system(2);
  spares.hold(2);
  expect([spares.leaveOne(), state.free, spares.isLent]).toEqual([true, 1, false]);
  expect([spares.leaveOne(), spares.leaveOne(), state.free]).toEqual([true, false, 2]);
  expect([spares.refill(), state.free]).toEqual([true, 0]);
});
