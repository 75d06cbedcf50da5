/** A small, real data directory with every kind of file, and helpers to damage it and to compare whole trees. */

import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { createDisk } from "../../src/base/disk.ts";
import type { RecoveryListener } from "../../src/storage/contract.ts";
import { DataDirectory } from "../../src/storage/file/data-directory.ts";
import { FileEngine } from "../../src/storage/file/engine.ts";
import { openStateFile } from "../../src/storage/file/state/state-file.ts";
import { batchOf, bytesOf, recordsIn } from "./batches.ts";

export const disk = createDisk();
export const NO_LISTENER: RecoveryListener = {
  restore: () => undefined,
  replay: () => undefined,
  lost: () => undefined,
};
export const directoryOptions = {
  nodeId: 1,
  pid: 4711,
  clock: { ...systemClock, nowMs: () => 1_700_000_000_000 },
  newClusterId: () => "mkLKaTTNRFKD8gI0xEyUfw",
};

/** A folder for directories, removed at the end of its scope. */
export function scratchFolder(): { path: string; make(name: string): string; [Symbol.dispose](): void } {
  // In memory where the system has such a place: these tests sync thousands of times.
  const path = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "obelisk-tree-"));
  return {
    path,
    make: (name) => {
      disk.makeDirectory(join(path, name));
      return join(path, name);
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Opens a directory as a server does. */
export async function openData(path: string, segmentBytesMax = 9000) {
  const directory = DataDirectory.open(disk, path, directoryOptions);
  const opened = await openStateFile(disk, path, directory.isClean);
  const engine = new FileEngine({
    files: disk,
    clock: directoryOptions.clock,
    directory,
    state: opened.state,
    segmentBytesMax,
  });
  return { directory, engine, findings: [...directory.findings, ...opened.findings] };
}

/** `orders` with two partitions of `batches` batches each (several sealed segments), and some state; shut down cleanly. */
export async function buildData(path: string, batches = 200): Promise<void> {
  const { engine } = await openData(path);
  for (const partition of [0, 1]) {
    const log = await engine.open("orders", partition, NO_LISTENER);
    for (let index = 0; index < batches; index += 1) {
      const batch = batchOf(
        [`value-${partition}-${index}-a`, `value-${partition}-${index}-b`],
        {},
        1000 + index,
      );
      log.append(batch, 0, batch.length);
      if (index % 50 === 49) {
        await engine.sync([log]);
        log.checkpoint(Buffer.from(`producers at ${index}`), log.endOffset);
      }
    }
    await engine.sync([log]);
    log.checkpoint(Buffer.from("the producers"), log.endOffset);
  }
  await engine.state.change([
    { key: "topic/orders", value: JSON.stringify({ id: "i", partitions: 2, configs: {}, createdAtMs: 1 }) },
    { key: "offset/group/orders/0", value: JSON.stringify({ offset: 3 }) },
    { key: "producer-id", value: JSON.stringify({ next: 7 }) },
  ]);
  await engine.close();
}

/** Everything that the engine still serves, by partition. */
export async function readData(path: string): Promise<Record<number, string[]>> {
  const { engine } = await openData(path);
  const values: Record<number, string[]> = {};
  for (const partition of [0, 1]) {
    const log = await engine.open("orders", partition, NO_LISTENER);
    values[partition] = [];
    for (let offset = log.startOffset; offset < log.endOffset; ) {
      const records = recordsIn(await bytesOf(log.span(offset, log.endOffset, 10_000, true)));
      if (records.length === 0) break;
      for (const [at, value] of records) if (at >= offset) values[partition].push(value!);
      offset = records.at(-1)![0] + 1;
    }
  }
  await engine.close();
  return values;
}

export function copyData(source: string, target: string): string {
  cpSync(source, target, { recursive: true });
  return target;
}

/** Every file below `path`, relative, with its size. */
export function listTree(path: string, prefix = ""): { file: string; bytes: number }[] {
  return readdirSync(join(path, prefix), { withFileTypes: true })
    .flatMap((entry) => {
      const file = join(prefix, entry.name);
      return entry.isDirectory() ? listTree(path, file) : [{ file, bytes: statSync(join(path, file)).size }];
    })
    .sort((left, right) => (left.file < right.file ? -1 : 1));
}

/** One hash over names, sizes, modification times and contents. */
export function hashTree(path: string): string {
  const hash = createHash("sha256");
  for (const { file, bytes } of listTree(path)) {
    hash.update(`${file} ${bytes} ${statSync(join(path, file)).mtimeMs}\n`);
    hash.update(new Uint8Array(readFileSync(join(path, file))));
  }
  return hash.digest("hex");
}

export function flipByte(path: string, position: number, mask = 0x55): void {
  const bytes = readFileSync(path);
  bytes[position]! ^= mask;
  writeFileSync(path, new Uint8Array(bytes));
}

export function cutFile(path: string, bytes: number): void {
  writeFileSync(path, new Uint8Array(readFileSync(path).subarray(0, bytes)));
}
