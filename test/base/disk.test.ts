import { afterAll, expect, test } from "bun:test";
import { linkSync, mkdtempSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDisk } from "../../src/base/disk.ts";
import { MiB } from "../../src/base/units.ts";

const folder = mkdtempSync(join(tmpdir(), "obelisk-disk-"));
const disk = createDisk();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("bytes come back from where they were written, now and later", async () => {
  const descriptor = disk.open(join(folder, "a"), "create");
  const source = Buffer.from("--hello--");
  disk.write(descriptor, source, 2, 7, 100);
  expect(disk.size(descriptor)).toBe(105);
  const target = Buffer.alloc(10, 0x2e);
  expect(disk.read(descriptor, target, 1, 9, 100)).toBe(5);
  expect(target.toString()).toBe(".hello....");
  expect(await disk.readLater(descriptor, target, 0, 3, 101)).toBe(3);
  expect(target.toString()).toBe("ellllo....");
  expect(disk.read(descriptor, target, 0, 5, 105)).toBe(0);
  // It was written just now, so it is cached; a file system that cannot tell reads little at once.
  expect(disk.readCached(descriptor, target, 2, 4, 100)).toBe(4);
  expect(target.toString()).toBe("elhell....");
  expect(disk.readCached(descriptor, target, 0, 5, 105)).toBe(0);
  disk.truncate(descriptor, 102);
  expect(disk.size(descriptor)).toBe(102);
  disk.close(descriptor);
});

test("a file is created once and opened only when it is there", () => {
  const path = join(folder, "once");
  disk.close(disk.open(path, "create"));
  expect(() => disk.open(path, "create")).toThrow(expect.objectContaining({ code: "EEXIST" }));
  expect(() => disk.open(`${path}-not`, "read")).toThrow(expect.objectContaining({ code: "ENOENT" }));
});

test("a name that leads to nothing is absent, however the system says so", () => {
  const path = join(folder, "absent");
  disk.makeDirectory(path);
  const name = join(path, "file");
  disk.close(disk.open(name, "create"));
  symlinkSync(join(path, "loop"), join(path, "loop"));
  symlinkSync(join(path, "nowhere"), join(path, "dangling"));
  const absent = ["none", "file/below", "loop", "dangling", "n".repeat(300)];
  expect(absent.map((rest) => disk.exists(join(path, rest)))).toEqual(absent.map(() => false));
  expect([disk.exists(name), disk.exists(path)]).toEqual([true, true]);
});

test("syncs resolve, and fail with the system's name on a descriptor that is none", async () => {
  const descriptor = disk.open(join(folder, "synced"), "create");
  disk.write(descriptor, Buffer.from("x"), 0, 1, 0);
  disk.syncNow(descriptor);
  await disk.sync(descriptor);
  disk.close(descriptor);
  const refused = await disk.sync(descriptor).catch((thrown) => thrown);
  expect(refused).toMatchObject({ code: "EBADF" });
});

test("one sync of the file system serves several calls, and fails with the system's name", async () => {
  if (disk.syncAll === undefined) return; // no syncfs on this system
  const descriptor = disk.open(join(folder, "all"), "create");
  await Promise.all([disk.syncAll(descriptor), disk.syncAll(descriptor), disk.syncAll(descriptor)]);
  disk.close(descriptor);
  const refused = await disk.syncAll(100_000).catch((thrown) => thrown);
  expect(refused).toMatchObject({ code: "EBADF" });
});

test("replacing leaves the new content and nothing beside it", () => {
  const path = join(folder, "sub");
  disk.makeDirectory(path);
  disk.replace(`${path}/file`, Buffer.from("one"));
  disk.replace(`${path}/file`, Buffer.from("two"));
  expect(disk.readFile(`${path}/file`).toString()).toBe("two");
  expect(disk.list(path)).toEqual(["file"]);
});

test("a lock is refused to a second holder until the first releases it", () => {
  const path = join(folder, "lock");
  const first = disk.open(path, "create");
  const second = disk.open(path, "update");
  expect([disk.lock(first), disk.lock(second)]).toEqual([true, false]);
  disk.close(first);
  expect(disk.lock(second)).toBe(true);
  disk.close(second);
  expect(() => disk.lock(100_000)).toThrow(expect.objectContaining({ code: "EBADF" }));
});

test("lists are sorted and tell directories by a slash", () => {
  const path = join(folder, "list");
  for (const name of ["b", "a/inner"]) disk.makeDirectory(`${path}/${name}`);
  writeFileSync(`${path}/c`, "");
  expect(disk.list(path)).toEqual(["a/", "b/", "c"]);
  const { freeBytes, totalBytes } = disk.space(path);
  expect(freeBytes > 0 && freeBytes <= totalBytes).toBe(true);
});

test("the thread that syncs neither needs a file beside the executable nor keeps the process alive", async () => {
  const main = join(folder, "main.ts");
  const binary = join(folder, "main");
  const target = join(folder, "target");
  writeFileSync(
    main,
    `import { createDisk } from ${JSON.stringify(join(import.meta.dir, "../../src/base/disk.ts"))};
     const disk = createDisk();
     const descriptor = disk.open(${JSON.stringify(target)}, "create");
     await disk.syncAll?.(descriptor);
     console.log("synced", disk.lock(descriptor));`,
  );
  expect(await outputOf([process.execPath, "build", "--compile", main, "--outfile", binary])).toMatchObject({
    exitCode: 0,
  });
  rmSync(main);
  expect(await outputOf([binary])).toEqual({ exitCode: 0, printed: "synced true\n" });
});

/** A child that hangs is killed: it would hold what this process writes to open, and whoever reads that would wait for ever. */
async function outputOf(command: string[]): Promise<{ exitCode: number; printed: string }> {
  const child = Bun.spawn(command, {
    cwd: folder,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    timeout: 25_000,
    killSignal: "SIGKILL",
  });
  const printed = await new Response(child.stdout).text();
  return { exitCode: await child.exited, printed };
}

test("a large file is removed, and what another name or a link leads to stays whole", async () => {
  const [large, other, link] = ["large", "other", "link"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(large, "x");
  truncateSync(large, 100 * MiB + 1);
  linkSync(large, other);
  symlinkSync(other, link);
  await disk.removeFileLater(large);
  await disk.removeFileLater(link);
  expect([disk.exists(large), disk.isLink(link), statSync(other).size]).toEqual([
    false,
    false,
    100 * MiB + 1,
  ]);
  await disk.removeFileLater(other);
  expect(disk.exists(other)).toBe(false);
  expect(
    await disk.removeFileLater(other).then(
      () => "removed",
      ({ code }) => code,
    ),
  ).toBe("ENOENT");
});
