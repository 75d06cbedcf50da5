/**
 * The `SyncThread` of this machine: fdatasync through bun:ffi in a worker, steered by three shared integers.
 *
 *   0  mark      what has been written; read by the thread just before each sync, so a sync covers all that was there
 *   1  session   which attachment is meant; another number sends the thread back to its messages
 *   2  bell      rung (added to and notified) by `wake` and `detach`; the thread sleeps on it
 *
 * The thread looks at the bell first, then at session and mark, and sleeps only if the bell has not been rung since: no ring
 * is lost. What it says back: [session, mark] after a sync, [session, -errno] after a failure (ENOSYS: it could not be
 * tried), [session, ENDED] when it lets go.
 */

import { constants as systemConstants } from "node:os";
import type { SyncListener, SyncThread } from "./files.ts";
import { systemError } from "./system-error.ts";

const MARK = 0;
const SESSION = 1;
const BELL = 2;
const SHARED_INTEGERS = 3;
/** Said once, when the thread is up. Sessions count from 1. */
const NO_SESSION = 0;
/** No mark and no errno: the thread has let go of the file. */
const ENDED = -0x8000_0000;

/** DOM's type of a worker lacks what Bun's workers have. */
type Thread = Worker & Pick<Bun.Worker, "ref" | "unref">;

const THREAD_CODE = (libraries: readonly string[]) => `
import { dlopen, read } from "bun:ffi";
let symbols;
for (const name of ${JSON.stringify(libraries)}) {
  try {
    symbols = dlopen(name, {
      fdatasync: { args: ["i32"], returns: "i32" },
      __errno_location: { args: [], returns: "ptr" },
    }).symbols;
    break;
  } catch {}
}
postMessage([${NO_SESSION}, 0]);
self.onmessage = ({ data: { shared, session, descriptor, mark } }) => {
  let covered = mark;
  for (;;) {
    const bell = Atomics.load(shared, ${BELL});
    if (Atomics.load(shared, ${SESSION}) !== session) break;
    const wanted = Atomics.load(shared, ${MARK});
    if (wanted === covered) {
      Atomics.wait(shared, ${BELL}, bell);
      continue;
    }
    if (symbols === undefined) {
      postMessage([session, -${systemConstants.errno.ENOSYS}]);
      break;
    }
    if (symbols.fdatasync(descriptor) !== 0) {
      postMessage([session, -(read.i32(symbols.__errno_location(), 0) || ${systemConstants.errno.EIO})]);
      break;
    }
    covered = wanted;
    postMessage([session, covered]);
  }
  postMessage([session, ${ENDED}]);
};
`;

export class WorkerSyncThread implements SyncThread {
  readonly #shared = new Int32Array(new SharedArrayBuffer(SHARED_INTEGERS * Int32Array.BYTES_PER_ELEMENT));
  readonly #libraries: readonly string[];
  #thread: Thread | undefined;
  #listener: SyncListener | null = null;
  #isUp = false;
  #session = NO_SESSION;
  #detached: (() => void) | null = null;

  /** `libraries`: names of the C library, the first that opens is taken. */
  constructor(libraries: readonly string[]) {
    this.#libraries = libraries;
  }

  attach(descriptor: number, mark: number, listener: SyncListener): void {
    this.#thread ??= this.#start();
    this.#listener = listener;
    this.#session += 1;
    Atomics.store(this.#shared, MARK, mark);
    Atomics.store(this.#shared, SESSION, this.#session);
    this.#thread.ref();
    this.#thread.postMessage({ shared: this.#shared, session: this.#session, descriptor, mark });
  }

  setMark(mark: number): void {
    Atomics.store(this.#shared, MARK, mark);
  }

  wake(): void {
    Atomics.add(this.#shared, BELL, 1);
    Atomics.notify(this.#shared, BELL);
  }

  detach(): Promise<void> {
    if (this.#listener === null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#detached = resolve;
      Atomics.store(this.#shared, SESSION, -1);
      this.wake();
    });
  }

  close(): void {
    this.#listener = null;
    Atomics.store(this.#shared, SESSION, -1);
    this.wake();
    this.#thread?.terminate();
    this.#thread = undefined;
  }

  #start(): Thread {
    const code = new Blob([THREAD_CODE(this.#libraries)], { type: "application/javascript" });
    const thread = new Worker(URL.createObjectURL(code)) as Thread;
    thread.onmessage = ({ data }: MessageEvent<[number, number]>) => this.#hear(data[0], data[1]);
    thread.onerror = (event) => {
      event.preventDefault();
      // A thread that died at work may have been told of an error that nobody is told again.
      const { EIO, ENOSYS } = systemConstants.errno;
      this.#hear(this.#session, this.#isUp ? -EIO : -ENOSYS);
      this.#hear(this.#session, ENDED);
    };
    return thread;
  }

  #hear(session: number, said: number): void {
    if (session === NO_SESSION) this.#isUp = true;
    if (session !== this.#session || this.#listener === null) return;
    if (said === ENDED) this.#ended();
    else if (said >= 0) this.#listener.synced(said);
    else this.#listener.failed(systemError("fdatasync", -said));
  }

  #ended(): void {
    this.#listener = null;
    this.#thread?.unref();
    this.#detached?.();
    this.#detached = null;
  }
}
