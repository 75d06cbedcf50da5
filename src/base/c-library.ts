/**
 * The few functions of the C library that node:fs lacks, called through bun:ffi: flock, posix_fadvise, madvise, preadv2, setsockopt,
 * dup, listen and getrlimit on this thread, and those that block for as long as the disk takes on threads of their own
 * (helper-thread.ts), which get the code that opens them as text.
 *
 * It is opened by the first call that needs it. Where there is none (another system, another C library) callers go without.
 */

import { dlopen, ptr, read as readMemory } from "bun:ffi";
import { constants as systemConstants } from "node:os";
import { KiB } from "./units.ts";

export interface CLibrary {
  flock(descriptor: number, operation: number): number;
  /** Drops what the page cache holds of a file and has written; absent where the system lacks it. */
  dropCached: ((descriptor: number) => void) | undefined;
  /** Another descriptor of the same file or socket; below 0 when there is none. */
  duplicate(descriptor: number): number;
  close(descriptor: number): void;
  /** How many connections may wait at a listening socket to be accepted; the system may allow fewer. */
  setBacklog(descriptor: number, connections: number): void;
  /** How many descriptors the process may have; null: any number. Needs none. */
  descriptorLimit(): number | null;
  /**
   * pread of what needs no waiting: bytes read, or a negative errno (-EAGAIN: nothing of it is cached; -EOPNOTSUPP: the file system
   * cannot tell). Absent where the system lacks it.
   */
  readCached:
    | ((
        descriptor: number,
        target: Buffer,
        targetPosition: number,
        bytes: number,
        position: number,
      ) => number)
    | undefined;
  /**
   * How many bytes that are not sent yet the system takes for a TCP socket; that of a listening one applies to what it accepts.
   * Absent where the system lacks it.
   */
  limitUnsent: ((descriptor: number, bytes: number) => void) | undefined;
  /**
   * Gives the pages of memory that nobody reads any more back to the system at once; whoever uses it again finds zeros. Absent where
   * the system lacks it.
   */
  dropPages: ((memory: Buffer) => void) | undefined;
  /** The errno of the last failure on this thread. */
  errno(): number;
}

/** glibc first, then musl by processor. */
const LINUX_LIBRARY_NAMES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

let openedLibrary: CLibrary | undefined;
let hasTriedLibrary = false;

/** Undefined where the C library cannot be opened. */
export function cLibrary(): CLibrary | undefined {
  if (hasTriedLibrary) return openedLibrary;
  hasTriedLibrary = true;
  for (const name of libraryNames()) {
    openedLibrary = openLibrary(name);
    if (openedLibrary !== undefined) break;
  }
  return openedLibrary;
}

/**
 * Code for a thread on Linux: `sync(descriptor)` calls the function and returns 0 or its errno; ENOSYS where the C library
 * lacks it.
 */
export function syncCode(name: "fdatasync" | "syncfs"): string {
  const { EIO, ENOSYS } = systemConstants.errno;
  return `
import { dlopen, read } from "bun:ffi";
let symbols;
for (const name of ${JSON.stringify(LINUX_LIBRARY_NAMES)}) {
  try {
    symbols = dlopen(name, {
      ${name}: { args: ["i32"], returns: "i32" },
      __errno_location: { args: [], returns: "ptr" },
    }).symbols;
    break;
  } catch {}
}
const sync = (descriptor) => {
  if (symbols === undefined) return ${ENOSYS};
  return symbols.${name}(descriptor) === 0 ? 0 : read.i32(symbols.__errno_location(), 0) || ${EIO};
};
`;
}

function libraryNames(): string[] {
  if (process.platform === "darwin") return ["libSystem.B.dylib"];
  if (process.platform === "linux") return LINUX_LIBRARY_NAMES;
  return [];
}

/** Its number by system; and what stands for no limit: more descriptors than there can be. */
const RLIMIT_NOFILE = process.platform === "darwin" ? 8 : 7;
const UNLIMITED_FROM = 2 ** 31;

/** The soft limit is the first of two int64, in the machine's order: little-endian wherever Bun runs. */
function limitOf(getrlimit: (resource: number, target: Buffer) => number): number | null {
  const limits = Buffer.alloc(16);
  if (getrlimit(RLIMIT_NOFILE, limits) !== 0) return null;
  const limit = limits.readUInt32LE(0) + limits.readUInt32LE(4) * 2 ** 32;
  return limit < UNLIMITED_FROM ? limit : null;
}

/** Linux's numbers, here and below. */
const POSIX_FADV_DONTNEED = 4;
const MADV_DONTNEED = 4;
/** madvise takes whole pages: these are no larger anywhere. */
const PAGE_BYTES_MAX = 64 * KiB;
const MADVISE = { madvise: { args: ["ptr", "usize", "i32"], returns: "i32" } } as const;
const RWF_NOWAIT = 8;
const PREADV2 = {
  preadv2: { args: ["i32", "ptr", "i32", "i64", "i32"], returns: "i64" },
} as const;
const IPPROTO_TCP = 6;
const TCP_NOTSENT_LOWAT = 25;
const SOCKET_OPTION = {
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
} as const;
const FADVISE = { posix_fadvise: { args: ["i32", "i64", "i64", "i32"], returns: "i32" } } as const;

function openLibrary(name: string): CLibrary | undefined {
  const errnoSymbol = process.platform === "darwin" ? "__error" : "__errno_location";
  try {
    const { symbols } = dlopen(name, {
      flock: { args: ["i32", "i32"], returns: "i32" },
      [errnoSymbol]: { args: [], returns: "ptr" },
      dup: { args: ["i32"], returns: "i32" },
      close: { args: ["i32"], returns: "i32" },
      listen: { args: ["i32", "i32"], returns: "i32" },
      getrlimit: { args: ["i32", "ptr"], returns: "i32" },
      ...(process.platform === "linux" ? { ...FADVISE, ...SOCKET_OPTION, ...MADVISE } : {}),
    });
    const advise = symbols["posix_fadvise"] as
      | ((descriptor: number, start: number, bytes: number, advice: number) => number)
      | undefined;
    const setOption = symbols["setsockopt"] as
      | ((descriptor: number, level: number, option: number, value: Int32Array, bytes: number) => number)
      | undefined;
    const advisePages = symbols["madvise"] as
      | ((place: ReturnType<typeof ptr>, bytes: number, advice: number) => number)
      | undefined;
    const errnoPlace = (symbols as Record<string, unknown>)[errnoSymbol] as () => Parameters<
      typeof readMemory.i32
    >[0];
    const errno = () => readMemory.i32(errnoPlace(), 0);
    return {
      flock: symbols["flock"] as (descriptor: number, operation: number) => number,
      duplicate: symbols["dup"] as (descriptor: number) => number,
      close: symbols["close"] as (descriptor: number) => void,
      setBacklog: symbols["listen"] as (descriptor: number, connections: number) => void,
      descriptorLimit: () => limitOf(symbols["getrlimit"] as (resource: number, target: Buffer) => number),
      dropCached: advise && ((descriptor) => void advise(descriptor, 0, 0, POSIX_FADV_DONTNEED)),
      limitUnsent:
        setOption &&
        ((descriptor, bytes) =>
          void setOption(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, new Int32Array([bytes]), 4)),
      dropPages: advisePages && ((memory) => dropPages(memory, advisePages)),
      readCached: openReadCached(name, errno),
      errno,
    };
  } catch (thrown) {
    // There is no library of this name on the machine: the caller tries the next name.
    if (thrown instanceof Error) return undefined;
    throw thrown;
  }
}

function dropPages(
  memory: Buffer,
  advise: (place: ReturnType<typeof ptr>, bytes: number, advice: number) => number,
): void {
  const start = (PAGE_BYTES_MAX - (ptr(memory) % PAGE_BYTES_MAX)) % PAGE_BYTES_MAX;
  const bytes = Math.floor((memory.length - start) / PAGE_BYTES_MAX) * PAGE_BYTES_MAX;
  if (bytes > 0) advise(ptr(memory, start), bytes, MADV_DONTNEED);
}

/** Older C libraries lack the call: then the others are there all the same. */
function openReadCached(name: string, errno: () => number): CLibrary["readCached"] {
  if (process.platform !== "linux") return undefined;
  try {
    const { preadv2 } = dlopen(name, PREADV2).symbols;
    const vector = new BigUint64Array(2);
    const vectorPlace = ptr(vector);
    return (descriptor, target, targetPosition, bytes, position) => {
      vector[0] = BigInt(ptr(target, targetPosition));
      vector[1] = BigInt(bytes);
      const got = Number(preadv2(descriptor, vectorPlace, 1, position, RWF_NOWAIT));
      return got < 0 ? -errno() : got;
    };
  } catch (thrown) {
    if (thrown instanceof Error) return undefined;
    throw thrown;
  }
}
