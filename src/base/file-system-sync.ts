/**
 * syncfs on a thread of its own, because it blocks for as long as the disk takes. The thread is started by the first call, does
 * not keep the process alive while it idles, and is replaced by the next call when it died.
 *
 * The thread is sent a count in shared memory, and then descriptors. It responds to each, in order, with 0 or the errno, and counts
 * the calls that it has begun and whose response was not received: when it dies, their outcome is unknown (EIO), and nothing was tried
 * for those after them (ENOSYS).
 */

import { release, constants as systemConstants } from "node:os";
import { syncCode } from "./c-library.ts";
import { HelperThread } from "./helper-thread.ts";
import { systemError } from "./system-error.ts";

/** Linux 5.8 and later only: older ones hide write errors. */
export function canSyncFileSystem(): boolean {
  if (process.platform !== "linux") return false;
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > 5 || (major === 5 && minor >= 8);
}

export const FILE_SYSTEM_SYNC_CODE = `
${syncCode("syncfs")}
let begun;
self.onmessage = ({ data }) => {
  if (begun === undefined) {
    begun = data;
    return;
  }
  Atomics.add(begun, 0, 1);
  postMessage(sync(data));
};
`;

interface Waiter {
  resolve: () => void;
  reject: (reason: Error) => void;
}

export class FileSystemSyncer {
  readonly #canOpen: (count: number) => boolean;
  readonly #code: string;
  #thread: HelperThread<number> | null = null;
  #begun = sharedCount();
  /** Oldest first. */
  #waiters: Waiter[] = [];

  /** `canOpen`: whether so many more files can be opened now. `code`: what the thread runs; tests put something before it. */
  constructor(canOpen: (count: number) => boolean, code = FILE_SYSTEM_SYNC_CODE) {
    this.#canOpen = canOpen;
    this.#code = code;
  }

  /** Starts the thread before it is needed. */
  start(): void {
    this.#thread ??= this.#start();
  }

  /** Ends the thread if nobody waits for it; the next sync starts another. */
  end(): void {
    if (this.#waiters.length > 0) return;
    this.#thread?.end();
    this.#thread = null;
  }

  /** @throws system errors; ENOSYS: nothing was tried */
  sync(descriptor: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#thread ??= this.#start();
      this.#waiters.push({ resolve, reject });
      this.#thread.hold();
      this.#thread.post(descriptor);
    });
  }

  #start(): HelperThread<number> {
    this.#begun = sharedCount();
    const thread = new HelperThread<number>({
      code: this.#code,
      canOpen: this.#canOpen,
      received: (errno) => this.#completed(errno),
      died: () => this.#died(),
    });
    thread.post(this.#begun);
    return thread;
  }

  #completed(errno: number): void {
    Atomics.sub(this.#begun, 0, 1);
    const waiter = this.#waiters.shift()!;
    if (this.#waiters.length === 0) this.#thread!.release();
    if (errno === 0) waiter.resolve();
    else waiter.reject(systemError("syncfs", errno));
  }

  #died(): void {
    const { EIO, ENOSYS } = systemConstants.errno;
    const begun = Atomics.load(this.#begun, 0);
    const waiters = this.#waiters;
    this.#thread = null;
    this.#waiters = [];
    for (const [place, waiter] of waiters.entries())
      waiter.reject(systemError("syncfs", place < begun ? EIO : ENOSYS));
  }
}

function sharedCount(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}
