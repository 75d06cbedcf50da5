/** The real thread on a real file. */

import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDisk } from "../../src/base/disk.ts";
import { errnoOf } from "../../src/base/errors.ts";
import type { SyncThread } from "../../src/base/files.ts";

const disk = createDisk();
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

function opened() {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-sync-thread-"));
  const descriptor = disk.open(join(directory, "log"), "create");
  const thread = disk.openSyncThread!();
  undo.push(
    () => rmSync(directory, { recursive: true }),
    () => disk.close(descriptor),
    () => thread.close(),
  );
  return { thread, descriptor };
}

class Reports {
  readonly marks: number[] = [];
  error: Error | null = null;
  #changed: (() => void) | null = null;

  synced(mark: number): void {
    this.marks.push(mark);
    this.#changed?.();
  }

  failed(error: Error): void {
    this.error = error;
    this.#changed?.();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#changed = resolve));
  }
}

function set(thread: SyncThread, mark: number): void {
  thread.setMark(mark);
  thread.wake();
}

describeWhere(
  "the thread covers the last mark, goes on while it moves, and sleeps when it does not",
  async () => {
    const { thread, descriptor } = opened();
    const reports = new Reports();
    thread.attach(descriptor, 0, reports);
    for (let mark = 1; mark <= 500; mark += 1) {
      disk.write(descriptor, Buffer.alloc(100, mark), 0, 100, mark * 100);
      set(thread, mark);
      if (mark % 100 === 0) await reports.until(() => reports.marks.at(-1) === mark);
    }
    expect(reports.marks).toEqual([...new Set(reports.marks)].sort((left, right) => left - right));
    expect(reports.error).toBeNull();
  },
);

describeWhere("after detach the file is not touched, and another can be attached", async () => {
  const first = opened();
  const reports = new Reports();
  first.thread.attach(first.descriptor, 0, reports);
  set(first.thread, 1);
  await first.thread.detach();
  const before = reports.marks.length;
  set(first.thread, 2);
  const second = disk.open(join("/proc/self/fd", String(first.descriptor)), "update");
  undo.push(() => disk.close(second));
  const others = new Reports();
  first.thread.attach(second, 7, others);
  set(first.thread, 8);
  await others.until(() => others.marks.length > 0);
  expect([reports.marks.length, others.marks]).toEqual([before, [8]]);
});

describeWhere("a failure is told by its name, and ends the attachment", async () => {
  const { thread } = opened();
  const reports = new Reports();
  thread.attach(9999, 0, reports);
  set(thread, 1);
  await reports.until(() => reports.error !== null);
  expect([errnoOf(reports.error), reports.marks]).toEqual(["EBADF", []]);
  await thread.detach();
});

function describeWhere(name: string, body: () => Promise<void>): void {
  test.skipIf(disk.openSyncThread === undefined)(
    `${name}${disk.openSyncThread ? "" : " (skipped: no such thread here)"}`,
    body,
  );
}
