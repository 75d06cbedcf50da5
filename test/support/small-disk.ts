/** A real file system of a few MiB that can be filled to the last byte or name. Needs Linux and the right to mount. */

import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why there is none here; undefined when there can be one. */
export const smallDiskMissing = reason();

export class SmallDisk {
  readonly path = mkdtempSync(join(tmpdir(), "obelisk-disk-"));
  #names = 0;

  /** `files`: names that fit in all. */
  constructor(bytes: number, files = 1000) {
    const options = `size=${bytes},nr_inodes=${files}`;
    const { exitCode, stderr } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "tmpfs", this.path]);
    if (exitCode !== 0) throw new Error(`no file system could be mounted: ${stderr.toString()}`);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Leaves not a byte. */
  fillBytes(): void {
    const descriptor = openSync(join(this.path, `bytes-${readdirSync(this.path).length}`), "w");
    try {
      for (;;) writeSync(descriptor, Buffer.alloc(4096, 1));
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== "ENOSPC") throw thrown;
    } finally {
      closeSync(descriptor);
    }
  }

  /** Leaves not a name. */
  fillNames(): void {
    try {
      for (;;) {
        this.#names += 1;
        writeFileSync(join(this.path, `name-${this.#names}`), "");
      }
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== "ENOSPC") throw thrown;
    }
  }

  /** Takes away what filled it. */
  empty(): void {
    for (const name of readdirSync(this.path)) {
      if (name.startsWith("bytes-") || name.startsWith("name-")) rmSync(join(this.path, name));
    }
  }

  [Symbol.dispose](): void {
    Bun.spawnSync(["umount", "-l", this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}

function reason(): string | undefined {
  if (process.platform !== "linux") return "needs Linux's tmpfs";
  if (process.getuid?.() !== 0) return "needs root to mount a small file system";
  const probe = mkdtempSync(join(tmpdir(), "obelisk-disk-"));
  const { exitCode } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=4096", "tmpfs", probe]);
  if (exitCode === 0) Bun.spawnSync(["umount", "-l", probe]);
  rmSync(probe, { recursive: true, force: true });
  return exitCode === 0 ? undefined : "this machine refuses to mount a small file system";
}
