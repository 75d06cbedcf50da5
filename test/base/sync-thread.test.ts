/**
 * What a `SyncThread` promises and refuses: the real thread on a real file and the simulated one on the simulated disk run the same
 * suite. A real thread is killed from within: the test puts code before the thread's own that ends it at a chosen place.
 */

import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InvariantError } from "../../src/base/assert.ts";
import { createDisk } from "../../src/base/disk.ts";
import { errnoOf } from "../../src/base/errors.ts";
import { type Files, type SyncListener, type SyncThread, WRITTEN_MAX } from "../../src/base/files.ts";
import { SYNC_THREAD_CODE, WorkerSyncThread } from "../../src/base/sync-thread.ts";
import { SimulatedFiles } from "../support/simulated-files.ts";
import { SimulatedSyncThread } from "../support/simulated-sync-thread.ts";

const disk = createDisk();
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

interface Fixture {
  thread: SyncThread;
  files: Files;
  descriptor: number;
  /** Of the same file. */
  another: number;
  /** Ends the thread, which has begun no sync that it did not report. */
  kill(): void;
  /** Ends the thread in its next sync: the disk has done it, and it is never reported. */
  killInSync(): void;
  /** The next thread lives. */
  spare(): void;
}

const hasRealThread = disk.openSyncThread !== undefined;
describe.skipIf(!hasRealThread)(
  `the thread of this machine${hasRealThread ? "" : " (skipped: none here)"}`,
  () => {
    suite(realThread);

    test("that cannot start reports that nothing was tried, each time, and keeps nobody waiting", async () => {
      for (const code of [
        "throw new Error('no start')",
        "process.exit(0)",
        "no code at all",
        "import 'nowhere'",
      ]) {
        const { descriptor } = realThread();
        const thread = new WorkerSyncThread(() => true, code);
        for (let tries = 0; tries < 2; tries += 1) {
          const reports = new Reports();
          thread.attach(descriptor, 0, reports);
          set(thread, 1);
          await Promise.all([thread.detach(), thread.detach()]);
          expect([errnoOf(reports.error), reports.positions]).toEqual(["ENOSYS", []]);
        }
        thread.close();
      }
    });

    test("that finds no such function reports that nothing could be tried", async () => {
      const { descriptor } = realThread();
      const thread = new WorkerSyncThread(() => true, SYNC_THREAD_CODE.replaceAll("fdatasync:", "nothing:"));
      undo.push(() => thread.close());
      const reports = new Reports();
      thread.attach(descriptor, 0, reports);
      set(thread, 1);
      await reports.until(() => reports.error !== null);
      expect([errnoOf(reports.error), reports.positions]).toEqual(["ENOSYS", []]);
    });

    test("is not started without room for its descriptors, and is when there is some", async () => {
      const { descriptor } = realThread();
      let hasRoom = false;
      const thread = new WorkerSyncThread(() => hasRoom);
      undo.push(() => thread.close());
      const reports = new Reports();
      thread.attach(descriptor, 0, reports);
      expect(reports.error).toBeNull();
      await reports.until(() => reports.error !== null);
      expect(errnoOf(reports.error)).toBe("ENOSYS");
      hasRoom = true;
      await expectWork(thread, descriptor);
    });
  },
);

describe("the simulated thread", () => suite(simulatedThread));

function suite(make: () => Fixture): void {
  test("covers the last written position, goes on while it moves, and sleeps when it does not", async () => {
    const { thread, files, descriptor } = make();
    const reports = new Reports();
    thread.attach(descriptor, 0, reports);
    for (let written = 1; written <= 500; written += 1) {
      files.write(descriptor, Buffer.alloc(100, written), 0, 100, written * 100);
      set(thread, written);
      if (written % 100 === 0) await reports.until(() => reports.positions.at(-1) === written);
    }
    expect(reports.positions).toEqual([...new Set(reports.positions)].sort((left, right) => left - right));
    expect(reports.error).toBeNull();
  });

  test("woken without a new written position reports nothing", async () => {
    const { thread, descriptor } = make();
    const reports = new Reports();
    thread.attach(descriptor, 3, reports);
    thread.wake();
    set(thread, 3);
    set(thread, 4);
    await reports.until(() => reports.positions.length > 0);
    thread.wake();
    await thread.detach();
    expect([reports.positions, reports.error]).toEqual([[4], null]);
  });

  test("after detach the file is not touched, and another can be attached", async () => {
    const { thread, descriptor, another } = make();
    const reports = new Reports();
    thread.attach(descriptor, 0, reports);
    set(thread, 1);
    await thread.detach();
    const before = [...reports.positions];
    set(thread, 2);
    const others = new Reports();
    thread.attach(another, 7, others);
    set(thread, 8);
    await others.until(() => others.positions.length > 0);
    expect([reports.positions, reports.error, others.positions]).toEqual([before, null, [8]]);
  });

  test("completes every wait for the same detach, and later ones at once", async () => {
    const { thread, descriptor } = make();
    const reports = new Reports();
    thread.attach(descriptor, 0, reports);
    set(thread, 1);
    await Promise.all([thread.detach(), thread.detach(), thread.detach()]);
    await thread.detach();
    await expectWork(thread, descriptor);
  });

  test("releases the file although the written position still moves", async () => {
    const { thread, descriptor } = make();
    let written = 1;
    const reports = new Reports(() => set(thread, (written += 1)));
    thread.attach(descriptor, 0, reports);
    set(thread, written);
    await reports.until(() => reports.positions.length > 2);
    await thread.detach();
    const before = reports.positions.length;
    set(thread, written + 1);
    await expectWork(thread, descriptor);
    expect(reports.positions.length).toBe(before);
  });

  test("refuses a second file until the first is released, which is not disturbed", async () => {
    const { thread, descriptor, another } = make();
    const reports = new Reports();
    const others = new Reports();
    thread.attach(descriptor, 0, reports);
    expect(() => thread.attach(another, 0, others)).toThrow(InvariantError);
    set(thread, 1);
    await reports.until(() => reports.positions.length > 0);
    const leaving = thread.detach();
    expect(() => thread.attach(another, 0, others)).toThrow(InvariantError);
    await leaving;
    expect([reports.positions, reports.error, others.positions, others.error]).toEqual([[1], null, [], null]);
    await expectWork(thread, another);
  });

  test("takes every int32 from 0 on as a written position, and refuses others and a step back", async () => {
    const { thread, descriptor } = make();
    for (const written of [-1, 0.5, Number.NaN, WRITTEN_MAX + 1])
      expect(() => thread.attach(descriptor, written, new Reports())).toThrow(InvariantError);
    const reports = new Reports();
    thread.attach(descriptor, 5, reports);
    for (const written of [-1, 4, 5.5, Number.NaN, WRITTEN_MAX + 1])
      expect(() => thread.setWritten(written)).toThrow(InvariantError);
    set(thread, WRITTEN_MAX);
    await reports.until(() => reports.positions.length > 0);
    await thread.detach();
    expect([reports.positions, reports.error]).toEqual([[WRITTEN_MAX], null]);
    await expectWork(thread, descriptor);
  });

  test("reports a failure by its name, and has released the file then", async () => {
    const { thread, descriptor } = make();
    const again = new Reports();
    const reports = new Reports(() => thread.attach(descriptor, 0, again));
    thread.attach(9999, 0, reports);
    set(thread, 1);
    await reports.until(() => reports.error !== null);
    expect([errnoOf(reports.error), reports.positions]).toEqual(["EBADF", []]);
    set(thread, 1);
    await again.until(() => again.positions.length > 0);
    await thread.detach();
    expect([again.positions, again.error]).toEqual([[1], null]);
  });

  test("completes a detach when the last sync fails", async () => {
    const { thread } = make();
    const reports = new Reports();
    thread.attach(9999, 0, reports);
    set(thread, 1);
    await Promise.all([thread.detach(), thread.detach()]);
    expect(reports.positions).toEqual([]);
    expect([null, "EBADF"]).toContain(reports.error && errnoOf(reports.error)!);
  });

  test("closed while it releases the file completes the detach, reports nothing more, and takes no other file", async () => {
    const { thread, descriptor } = make();
    const reports = new Reports();
    thread.attach(descriptor, 0, reports);
    set(thread, 1);
    const leaving = thread.detach();
    thread.close();
    thread.close();
    await Promise.all([leaving, thread.detach()]);
    await thread.detach();
    expect([reports.positions, reports.error]).toEqual([[], null]);
    expect(() => thread.attach(descriptor, 0, reports)).toThrow(InvariantError);
  });

  test("closed with a file in hand ends the sync that runs", async () => {
    const { thread, descriptor } = make();
    const reports = new Reports();
    thread.attach(descriptor, 0, reports);
    set(thread, 1);
    thread.close();
    await thread.detach();
    expect([reports.positions, reports.error]).toEqual([[], null]);
  });

  test("that dies with nothing begun reports so, and the next file gets another", async () => {
    const { thread, descriptor, kill, spare } = make();
    const reports = new Reports();
    thread.attach(descriptor, 0, reports);
    set(thread, 1);
    await reports.until(() => reports.positions.length > 0);
    kill();
    await reports.until(() => reports.error !== null);
    expect([reports.positions, errnoOf(reports.error)]).toEqual([[1], "ENOSYS"]);
    set(thread, 2);
    await thread.detach();
    spare();
    await expectWork(thread, descriptor);
  });

  test("that dies in a sync fails it, because the kernel reports an error once, and completes the detach", async () => {
    const { thread, descriptor, killInSync, spare } = make();
    const reports = new Reports();
    thread.attach(descriptor, 0, reports);
    set(thread, 1);
    await reports.until(() => reports.positions.length > 0);
    killInSync();
    set(thread, 2);
    await reports.until(() => reports.error !== null);
    expect([reports.positions, errnoOf(reports.error)]).toEqual([[1], "EIO"]);
    await Promise.all([thread.detach(), thread.detach()]);
    spare();
    await expectWork(thread, descriptor);
  });

  test("that dies while it detaches keeps nobody waiting", async () => {
    const { thread, descriptor, kill, spare } = make();
    const reports = new Reports();
    thread.attach(descriptor, 0, reports);
    kill();
    await Promise.all([thread.detach(), thread.detach()]);
    spare();
    await expectWork(thread, descriptor);
  });

  test("that died and is closed completes the detach", async () => {
    const { thread, descriptor, kill } = make();
    const reports = new Reports();
    thread.attach(descriptor, 0, reports);
    kill();
    thread.close();
    await Promise.all([thread.detach(), thread.detach()]);
    expect([reports.positions, reports.error]).toEqual([[], null]);
  });
}

function realThread(): Fixture {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-sync-thread-"));
  const path = join(directory, "log");
  const [look, report] = [join(directory, "die-at-look"), join(directory, "die-at-report")];
  const thread = new WorkerSyncThread(() => true, deadlyCode(look, report));
  const descriptor = disk.open(path, "create");
  const another = disk.open(path, "update");
  undo.push(
    () => rmSync(directory, { recursive: true }),
    () => disk.close(descriptor),
    () => disk.close(another),
    () => thread.close(),
  );
  const kill = () => {
    writeFileSync(look, "");
    thread.wake();
  };
  const spare = () => {
    for (const file of [look, report]) rmSync(file, { force: true });
  };
  return {
    thread,
    files: disk,
    descriptor,
    another,
    kill,
    killInSync: () => writeFileSync(report, ""),
    spare,
  };
}

/** The thread's code, which ends where it looks whether there is work, or where it would report a sync, once a file is there. */
function deadlyCode(look: string, report: string): string {
  return `
import { existsSync } from "node:fs";
const { load } = Atomics;
Atomics.load = (...place) => {
  if (existsSync(${JSON.stringify(look)})) process.exit(1);
  return load(...place);
};
const say = globalThis.postMessage;
globalThis.postMessage = (said) => {
  if (said.kind === "synced" && existsSync(${JSON.stringify(report)})) process.exit(1);
  say(said);
};
${SYNC_THREAD_CODE}`;
}

function simulatedThread(): Fixture {
  const files = new SimulatedFiles(1);
  const descriptor = files.open("/log", "create");
  const another = files.open("/log", "update");
  let isDeadly = false;
  const sync = files.sync.bind(files);
  files.sync = (synced) => {
    if (isDeadly) void thread.die();
    return sync(synced);
  };
  const thread = new SimulatedSyncThread(files);
  return {
    thread,
    files,
    descriptor,
    another,
    kill: () => void thread.die(),
    killInSync: () => (isDeadly = true),
    spare: () => (isDeadly = false),
  };
}

class Reports implements SyncListener {
  readonly positions: number[] = [];
  error: Error | null = null;
  readonly #told: () => void;
  #changed: (() => void) | null = null;

  constructor(told = () => {}) {
    this.#told = told;
  }

  synced(written: number): void {
    this.positions.push(written);
    this.#told();
    this.#changed?.();
  }

  failed(error: Error): void {
    this.error = error;
    this.#told();
    this.#changed?.();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#changed = resolve));
  }
}

function set(thread: SyncThread, written: number): void {
  thread.setWritten(written);
  thread.wake();
}

/** It takes a file, syncs it once, and releases it. */
async function expectWork(thread: SyncThread, descriptor: number): Promise<void> {
  const reports = new Reports();
  thread.attach(descriptor, 10, reports);
  set(thread, 11);
  await reports.until(() => reports.positions.length > 0 || reports.error !== null);
  await thread.detach();
  expect([reports.positions, reports.error]).toEqual([[11], null]);
}
