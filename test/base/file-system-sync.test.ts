/** The thread that syncs whole file systems, and the outcome of syncs that wait for it when it dies: it is killed from within. */

import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errnoOf } from "../../src/base/errors.ts";
import {
  canSyncFileSystem,
  FILE_SYSTEM_SYNC_CODE,
  FileSystemSyncer,
} from "../../src/base/file-system-sync.ts";

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

const isPossible = canSyncFileSystem();
describe.skipIf(!isPossible)(`a file system's sync${isPossible ? "" : " (skipped: none here)"}`, () => {
  test("fails by the system's name, and the thread goes on", async () => {
    const syncer = new FileSystemSyncer(() => true);
    const { descriptor } = fixture();
    expect(await outcomes(syncer, [descriptor, 9999, descriptor])).toEqual(["synced", "EBADF", "synced"]);
  });

  test("whose response is lost has failed, nothing was tried for those after it, and the next gets another thread", async () => {
    const { descriptor, flag } = fixture();
    const syncer = new FileSystemSyncer(() => true, endingCode("postMessage", flag));
    expect(await outcomes(syncer, [descriptor])).toEqual(["synced"]);
    writeFileSync(flag, "");
    expect(await outcomes(syncer, [descriptor, descriptor, descriptor])).toEqual(["EIO", "ENOSYS", "ENOSYS"]);
    rmSync(flag);
    expect(await outcomes(syncer, [descriptor, descriptor])).toEqual(["synced", "synced"]);
  });

  test("was not tried by a thread that dies before, that cannot start, or that there is no room for", async () => {
    const { descriptor, flag } = fixture();
    writeFileSync(flag, "");
    for (const code of [
      endingCode("Atomics.add", flag),
      "throw new Error('no start')",
      "process.exit(0)",
      "no code",
    ]) {
      const syncer = new FileSystemSyncer(() => true, code);
      expect(await outcomes(syncer, [descriptor, descriptor])).toEqual(["ENOSYS", "ENOSYS"]);
      expect(await outcomes(syncer, [descriptor])).toEqual(["ENOSYS"]);
    }
    let hasRoom = false;
    const syncer = new FileSystemSyncer(() => hasRoom);
    expect(await outcomes(syncer, [descriptor, descriptor])).toEqual(["ENOSYS", "ENOSYS"]);
    hasRoom = true;
    expect(await outcomes(syncer, [descriptor])).toEqual(["synced"]);
  });

  test("cannot be tried where the C library lacks it", async () => {
    const { descriptor } = fixture();
    const code = FILE_SYSTEM_SYNC_CODE.replaceAll("syncfs:", "nothing:");
    expect(await outcomes(new FileSystemSyncer(() => true, code), [descriptor])).toEqual(["ENOSYS"]);
  });
});

function fixture(): { descriptor: number; flag: string } {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-file-system-sync-"));
  const descriptor = openSync(directory, "r");
  undo.push(
    () => rmSync(directory, { recursive: true }),
    () => closeSync(descriptor),
  );
  return { descriptor, flag: join(directory, "die") };
}

function outcomes(syncer: FileSystemSyncer, descriptors: number[]): Promise<(string | undefined)[]> {
  return Promise.all(
    descriptors.map((descriptor) =>
      syncer.sync(descriptor).then(
        () => "synced",
        (thrown) => errnoOf(thrown),
      ),
    ),
  );
}

/** The thread's code, which ends where it would call a function, once a file is there. */
function endingCode(name: "postMessage" | "Atomics.add", flag: string): string {
  const place = name === "postMessage" ? "globalThis.postMessage" : name;
  return `
import { existsSync } from "node:fs";
const called = ${place};
${place} = (...given) => {
  if (existsSync(${JSON.stringify(flag)})) process.exit(1);
  return called(...given);
};
${FILE_SYSTEM_SYNC_CODE}`;
}
