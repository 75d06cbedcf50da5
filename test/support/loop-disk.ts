/**
 * A real ext4 on a loop device whose power can be cut and which can be made to lose what it is given. Needs Linux and the right to
 * mount and to attach loop devices.
 *
 *     tmpfs { image, filler }  <- loop device <- ext4 at `path`
 *
 *   cutPower         ext4's own emergency stop (EXT4_IOC_SHUTDOWN without a flush of its journal): every call fails with EIO from
 *                    now on, and what was not synced is gone. `restore` mounts it again, as after a reboot.
 *   loseNewBlocks    fills the tmpfs, so that blocks which the image never had cannot be written. The metadata and the journal have
 *                    theirs. Linux then fails one fdatasync, marks the pages clean, and shows them to readers as they were
 *                    meant to be until they leave its memory; the next fdatasync succeeds.
 *   takeNewBlocks    there is room again
 */

import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { KiB, MiB } from "../../src/base/units.ts";

const IMAGE_BYTES = 96 * MiB;
/** Never full while there is no room: what it holds stays there. */
const JOURNAL_MIB = 16;
/** _IOR('X', 125, __u32), and its way that flushes nothing. */
const EXT4_IOC_SHUTDOWN = 0x8004587d;
const WITHOUT_FLUSH = 2;

export class LoopDisk {
  readonly #directory = mkdtempSync(join(tmpdir(), "obelisk-loop-"));
  readonly #room = join(this.#directory, "room");
  readonly path = join(this.#directory, "disk");
  readonly #image = join(this.#room, "image");
  #isMounted = false;
  /** Its power was cut, and it is not mounted again yet. */
  isCut = false;

  constructor(bytes = IMAGE_BYTES) {
    mkdirSync(this.#room);
    mkdirSync(this.path);
    try {
      run("mount", "-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", this.#room);
      run("truncate", "-s", `${bytes - MiB}`, this.#image);
      const features = "lazy_itable_init=0,lazy_journal_init=0";
      run("mkfs.ext4", "-q", "-F", "-b", "4096", "-J", `size=${JOURNAL_MIB}`, "-E", features, this.#image);
      // Room for all of it, and then for what is in use only: the metadata and the journal.
      run("fallocate", "-l", `${bytes - MiB}`, this.#image);
      this.restore();
      run("fstrim", this.path);
    } catch (thrown) {
      this[Symbol.dispose]();
      throw thrown;
    }
  }

  cutPower(): void {
    const code = `import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), ${EXT4_IOC_SHUTDOWN}, struct.pack("I", ${WITHOUT_FLUSH}))`;
    run("python3", "-c", code, this.path);
    this.isCut = true;
  }

  /** Mounts it, after a power cut or for the first time. Nobody may have a file of it open. */
  restore(): void {
    if (this.#isMounted) run("umount", this.path);
    this.#isMounted = false;
    run("mount", "-o", "loop", this.#image, this.path);
    this.#isMounted = true;
    this.isCut = false;
  }

  /** A loop device takes a write that was cut short for a whole one. A page cannot be cut short. */
  #writePageByPage(): void {
    writeFileSync(`/sys/block/${basename(this.#device)}/queue/max_sectors_kb`, "4");
  }

  loseNewBlocks(): void {
    run("sync", "-f", this.path);
    // What the journal holds, to its place.
    run("sync", this.#device);
    this.#writePageByPage();
    const descriptor = openSync(join(this.#room, "filler"), constants.O_WRONLY | constants.O_CREAT);
    try {
      // To the last page.
      for (const bytes of [MiB, 4 * KiB]) fill(descriptor, bytes);
    } finally {
      closeSync(descriptor);
    }
  }

  /** What is still to be written to files is lost first. New metadata, which wait in the journal, are not: they take their place later. */
  takeNewBlocks(): void {
    const files = readdirSync(this.path, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    Bun.spawnSync(["sync", ...files.map(({ parentPath, name }) => join(parentPath, name))]);
    rmSync(join(this.#room, "filler"));
  }

  get #device(): string {
    const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
    const mount = mounts.find((line) => line.split(" ")[1] === this.path);
    if (mount === undefined) throw new Error(`nothing is mounted at ${this.path}`);
    return mount.split(" ")[0]!;
  }

  [Symbol.dispose](): void {
    for (const path of [this.path, this.#room]) Bun.spawnSync(["umount", "-l", path]);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function fill(descriptor: number, bytes: number): void {
  try {
    for (;;) writeSync(descriptor, Buffer.alloc(bytes, 1));
  } catch (thrown) {
    if ((thrown as { code?: string }).code !== "ENOSPC") throw thrown;
  }
}

function run(...command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}: ${stderr}`);
}

function reason(): string | undefined {
  if (process.platform !== "linux") return "needs Linux's ext4 and loop devices";
  if (process.getuid?.() !== 0) return "needs root to mount a file system";
  for (const tool of ["mount", "mkfs.ext4", "fallocate", "fstrim", "python3"]) {
    if (Bun.which(tool) === null) return `${tool} is missing`;
  }
  try {
    using disk = new LoopDisk();
    disk.cutPower();
    disk.restore();
    return undefined;
  } catch {
    return "this machine refuses to mount ext4 on a loop device, or to shut it down";
  }
}

/** Why there is none here; undefined when there can be one. */
export const loopDiskMissing = reason();
