/**
 * The limits of what both stores of this process notify their watchers by. The rest is in conformance/state-watch-suite.ts. An error
 * that nobody catches would be the test's own, so it is met in a process of its own.
 */

import { expect, test } from "bun:test";
import type { StateListener } from "../../src/storage/contract.ts";
import { StateWatches } from "../../src/storage/state-watches.ts";

const SILENT: StateListener = { changed: () => {}, listAgain: () => {} };

const THROWING = `
  import { MemoryState } from ${JSON.stringify(`${import.meta.dir}/../../src/storage/memory/state.ts`)};
  const state = new MemoryState();
  const told = [];
  state.watch("", {
    changed: () => {
      told.push("throws");
      throw new Error("a bug in a listener");
    },
    listAgain: () => {},
  });
  state.watch("", { changed: ([update]) => told.push(update.value), listAgain: () => {} });
  process.on("unhandledRejection", (error) => console.log(JSON.stringify([error.message, told])));
  for (const value of ["1", "2"]) told.push(await state.change([{ key: "a", value }]));
`;

test("a listener that throws is told nothing any more, the others are, the change stands, and the error is not hidden", async () => {
  const child = Bun.spawn([process.execPath, "--eval", THROWING], { stdout: "pipe", stderr: "inherit" });
  const printed = await new Response(child.stdout).text();
  expect(JSON.parse(printed)).toEqual(["a bug in a listener", ["throws", "1", true, "2", true]]);
});

test("watches that are never cancelled are a bug, and those that are cancelled make room", () => {
  const watches = new StateWatches();
  const made = Array.from({ length: 64 }, () => watches.watch("", SILENT));
  expect(() => watches.watch("", SILENT)).toThrow("too many watches of the state: some were never cancelled");
  made[0]!.cancel();
  watches.watch("", SILENT);
});
