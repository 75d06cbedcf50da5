import { expect, test } from "bun:test";
import { MemoryEngine } from "../../../src/storage/memory/engine.ts";
import { append, Replay, testEngine } from "../conformance/suite.ts";

testEngine({
  name: "memory",
  cannotReopen: "its data dies with it",
  create: async () => {
    const engine = new MemoryEngine();
    return {
      engine,
      reopen: () => Promise.reject(new Error("a memory engine cannot be opened again")),
      dispose: () => engine.close(),
    };
  },
});

test("a full memory refuses the append and changes nothing", async () => {
  const engine = new MemoryEngine({ bytesMax: 150 });
  const log = await engine.open("t", 0, new Replay());
  append(log, ["fits"]);
  const { bytes } = log;
  expect(() => append(log, ["does not fit any more".repeat(5)])).toThrow(
    expect.objectContaining({ code: "DISK_FULL" }),
  );
  expect([log.endOffset, log.bytes]).toEqual([1, bytes]);
  expect(engine.space()).toEqual({
    freeBytes: 150 - bytes,
    totalBytes: 150,
    freeFiles: Number.POSITIVE_INFINITY,
    reservedBytes: 0,
  });
  await engine.sync([log]);
  await log.dropBefore(1);
  expect(engine.space().freeBytes).toBe(150);
  await engine.close();
});

test("a partition that is opened again in the same engine tells its checkpoint and what came after it", async () => {
  const engine = new MemoryEngine();
  const log = await engine.open("t", 0, new Replay());
  append(log, ["a"]);
  log.checkpoint(Buffer.from("one"), log.endOffset);
  append(log, ["b"]);
  const replay = new Replay();
  await engine.open("t", 0, replay);
  expect(replay.state).toBe("one");
  expect(replay.records).toEqual([[1, "b"]]);
  await engine.close();
});
