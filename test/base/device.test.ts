/** Which file system a directory lies on, and how far a sync of one reaches: on this machine's disk, and on the simulated one. */

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDisk } from "../../src/base/disk.ts";
import { SimulatedFiles } from "../support/simulated-files.ts";

const SEEDS = 40;
/** A file system in memory: there on any Linux. */
const OTHER = "/dev/shm";
const hasOther = existsSync(OTHER) && statSync(OTHER).dev !== statSync(tmpdir()).dev;

test.skipIf(!hasOther)(
  `a directory tells the file system that it lies on, through links${hasOther ? "" : " (skipped: no second one here)"}`,
  () => {
    const disk = createDisk();
    const directory = mkdtempSync(join(tmpdir(), "obelisk-device-"));
    const elsewhere = mkdtempSync(join(OTHER, "obelisk-device-"));
    try {
      mkdirSync(join(directory, "inside"));
      symlinkSync(elsewhere, join(directory, "link"));
      const deviceOf = (name: string) => disk.device(join(directory, name));
      expect(deviceOf("inside")).toBe(disk.device(directory));
      expect(deviceOf("link")).toBe(disk.device(elsewhere));
      expect(deviceOf("link")).not.toBe(disk.device(directory));
      expect(() => deviceOf("nothing")).toThrow(expect.objectContaining({ code: "ENOENT" }));
    } finally {
      rmSync(directory, { recursive: true });
      rmSync(elsewhere, { recursive: true });
    }
  },
);

test("a simulated sync of all covers one file system, and leaves the names and bytes of another to chance", async () => {
  const found = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const files = new SimulatedFiles(seed);
    files.makeDirectory("/here");
    files.makeDirectory("/there");
    files.mount("/there");
    expect([files.device("/here"), files.device("/there")]).toEqual(["/", "/there"]);
    const near = written(files, "/here/a");
    written(files, "/there/b");
    await files.syncAll!(near);
    const after = files.crash();
    expect(after.readFile("/here/a").toString()).toBe("x");
    expect([after.device("/here"), after.device("/there")]).toEqual(["/", "/there"]);
    found.add(after.exists("/there/b") ? after.readFile("/there/b").toString() : "no name");
  }
  expect([found.has("no name"), found.has(""), found.has("x")]).toEqual([true, true, true]);
});

test("a simulated file system moves with the directory that leads to it, and nothing moves between two", () => {
  const files = new SimulatedFiles(1);
  files.makeDirectory("/topics/topic");
  files.makeDirectory("/removed");
  files.mount("/topics/topic");
  written(files, "/topics/topic/file");
  expect(() => files.rename("/topics/topic/file", "/removed/file")).toThrow(
    expect.objectContaining({ code: "EXDEV" }),
  );
  files.rename("/topics/topic", "/removed/topic");
  expect([files.device("/removed/topic"), files.device("/removed"), files.device("/topics")]).toEqual([
    "/topics/topic",
    "/",
    "/",
  ]);
});

function written(files: SimulatedFiles, path: string): number {
  const descriptor = files.open(path, "create");
  files.write(descriptor, Buffer.from("x"), 0, 1, 0);
  return descriptor;
}
