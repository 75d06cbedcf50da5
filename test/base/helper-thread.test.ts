/** Threads of our own, and that nobody waits for one that is not there any more. */

import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HelperThread } from "../../src/base/helper-thread.ts";

function started(code: string, canOpen = () => true) {
  const messages: unknown[] = [];
  let changed: (() => void) | null = null;
  const record = (message: unknown) => {
    messages.push(message);
    changed?.();
  };
  const thread = new HelperThread<unknown>({
    code,
    canOpen,
    received: record,
    died: () => record("its end"),
  });
  const until = async (count: number) => {
    while (messages.length < count) await new Promise<void>((resolve) => (changed = resolve));
  };
  return { thread, messages, until };
}

const ECHO =
  "self.onmessage = ({ data }) => { if (data === 'throw') throw new Error(data); postMessage(data); };";

test("a thread responds until it throws, which is reported once, and what it is sent afterwards gets no response", async () => {
  const { thread, messages, until } = started(ECHO);
  for (const message of [1, 2, "throw", 3]) thread.post(message);
  await until(3);
  thread.post(4);
  const other = started(ECHO);
  other.thread.post(5);
  await other.until(1);
  other.thread.end();
  expect([messages, other.messages]).toEqual([[1, 2, "its end"], [5]]);
});

test("a message that cannot be posted is the end of the thread, reported after the call", async () => {
  const { thread, messages, until } = started(ECHO);
  thread.post(() => {});
  expect(messages).toEqual([]);
  await until(1);
  expect(messages).toEqual(["its end"]);
});

test("without room for its descriptors it has ended before it began, reported after the call", async () => {
  const { thread, messages, until } = started(ECHO, () => false);
  thread.hold();
  thread.post(1);
  expect(messages).toEqual([]);
  await until(1);
  thread.release();
  expect(messages).toEqual(["its end"]);
});

test("a process that has used up its descriptors goes on without the threads, and has them when there are some again", async () => {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-helper-thread-"));
  const main = join(directory, "main.ts");
  writeFileSync(
    main,
    `import { closeSync, openSync } from "node:fs";
     import { createDisk } from ${JSON.stringify(join(import.meta.dir, "../../src/base/disk.ts"))};
     const disk = createDisk();
     const file = disk.open(${JSON.stringify(join(directory, "file"))}, "create");
     const thread = disk.openSyncThread?.();
     const work = async () => {
       const all = disk.syncAll?.(file).then(() => "synced", ({ code }) => code);
       const one = thread && new Promise((resolve) => {
         thread.attach(file, 0, { synced: () => resolve("synced"), failed: ({ code }) => resolve(code) });
         thread.setWritten(1);
         thread.wake();
       });
       console.log(await all ?? "none", await one ?? "none");
       await thread?.detach();
     };
     const opened = [];
     try {
       for (;;) opened.push(openSync("/", "r"));
     } catch {}
     await work();
     for (const descriptor of opened) closeSync(descriptor);
     await work();
     thread?.close();`,
  );
  try {
    const child = Bun.spawn(["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh", process.execPath, main], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: 25_000,
      killSignal: "SIGKILL",
    });
    const printed = await new Response(child.stdout).text();
    const complained = await new Response(child.stderr).text();
    expect([await child.exited, complained]).toEqual([0, ""]);
    expect(printed.replaceAll("none", "synced").split("\n").slice(1)).toEqual(["synced synced", ""]);
    expect(printed.split("\n")[0]).not.toContain("synced");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test.skipIf(!existsSync("/proc/self/fd"))(
  "threads that were started before the descriptors were used up do their work without any (where there is a /proc)",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "obelisk-helper-thread-"));
    const main = join(directory, "main.ts");
    writeFileSync(
      main,
      `import { openSync, readdirSync } from "node:fs";
       import { createDisk } from ${JSON.stringify(join(import.meta.dir, "../../src/base/disk.ts"))};
       const disk = createDisk();
       const file = disk.open(${JSON.stringify(join(directory, "file"))}, "create");
       const openCount = () => readdirSync("/proc/self/fd").length;
       const threads = [disk.syncAll, disk.openSyncThread].filter((each) => each !== undefined).length;
       const most = openCount() + 2 * threads;
       disk.startThreads(true);
       while (openCount() < most) await new Promise((resolve) => setImmediate(resolve));
       try {
         for (;;) openSync("/", "r");
       } catch {}
       const thread = disk.openSyncThread?.();
       const one = thread && new Promise((resolve) => {
         thread.attach(file, 0, { synced: () => resolve("synced"), failed: ({ code }) => resolve(code) });
         thread.setWritten(1);
         thread.wake();
       });
       await disk.syncAll?.(file);
       console.log(await one ?? "synced");
       await thread?.detach();
       thread?.close();
       disk.endThreads();`,
    );
    try {
      const child = Bun.spawn(["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh", process.execPath, main], {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        timeout: 25_000,
        killSignal: "SIGKILL",
      });
      const [printed, complained] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      expect([await child.exited, printed, complained]).toEqual([0, "synced\n", ""]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
);
