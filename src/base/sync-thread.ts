/**
 * The `SyncThread` of this machine: fdatasync through bun:ffi in a thread, steered by shared integers.
 *
 *   0  written        written position; read by the thread just before each sync, so a sync covers all that was written by then
 *   1  session        the attachment that is meant; another number sends the thread back to its messages
 *   2  wake counter   incremented and notified by `wake` and `detach`; the thread sleeps on it
 *   3  begun          the written position that the newest sync covers, stored by the thread before it begins
 *
 * The thread reads the wake counter first, then session and written position, and sleeps only if the counter has not changed since: no
 * wake is lost. It reports with `Said`; "failed" and "ended" are its last report of a file.
 *
 * A thread that died leaves `begun` behind. If it is not the position of the last report, a sync has begun whose outcome is lost,
 * because the kernel reports an error once: EIO. Else nothing was tried: ENOSYS.
 */

import { constants as systemConstants } from "node:os";
import { fail } from "./assert.ts";
import { syncCode } from "./c-library.ts";
import { isWrittenPosition, type SyncListener, type SyncThread } from "./files.ts";
import { HelperThread } from "./helper-thread.ts";
import { systemError } from "./system-error.ts";

const WRITTEN = 0;
const SESSION = 1;
const WAKE_COUNTER = 2;
const BEGUN = 3;
const SHARED_INTEGERS = 4;
/** Sessions count from 1. */
const NO_SESSION = 0;

type Said =
  | { kind: "synced"; session: number; written: number }
  | { kind: "failed"; session: number; errno: number }
  | { kind: "ended"; session: number };

export const SYNC_THREAD_CODE = `
${syncCode("fdatasync")}
self.onmessage = ({ data: { shared, session, descriptor, written } }) => {
  let covered = written;
  for (;;) {
    const wakeCounter = Atomics.load(shared, ${WAKE_COUNTER});
    if (Atomics.load(shared, ${SESSION}) !== session) break;
    const wanted = Atomics.load(shared, ${WRITTEN});
    if (wanted === covered) {
      Atomics.wait(shared, ${WAKE_COUNTER}, wakeCounter);
      continue;
    }
    Atomics.store(shared, ${BEGUN}, wanted);
    const errno = sync(descriptor);
    if (errno !== 0) {
      postMessage({ kind: "failed", session, errno });
      return;
    }
    covered = wanted;
    postMessage({ kind: "synced", session, written: covered });
  }
  postMessage({ kind: "ended", session });
};
`;

interface Attachment {
  readonly session: number;
  /** Null once nobody shall hear of it. */
  listener: SyncListener | null;
  written: number;
  /** The written position of the last report. */
  reported: number;
  /** Those who wait for its end. */
  readonly leaving: (() => void)[];
}

export class WorkerSyncThread implements SyncThread {
  readonly #canOpen: (count: number) => boolean;
  readonly #code: string;
  #shared = sharedIntegers();
  #thread: HelperThread<Said> | null = null;
  #session = NO_SESSION;
  #attachment: Attachment | null = null;
  #isClosed = false;

  /** `canOpen`: whether so many more files can be opened now. `code`: what the thread runs; tests put something before it. */
  constructor(canOpen: (count: number) => boolean, code = SYNC_THREAD_CODE) {
    this.#canOpen = canOpen;
    this.#code = code;
  }

  /** Starts the thread before it is needed. */
  start(): void {
    this.#thread ??= this.#start();
  }

  attach(descriptor: number, written: number, listener: SyncListener): void {
    if (this.#isClosed) fail("a file is attached to a sync thread that is closed");
    if (this.#attachment !== null) fail("a sync thread has one file at a time");
    if (!isWrittenPosition(written)) fail(`a file is attached to a sync thread at ${written}`);
    this.#session += 1;
    const session = this.#session;
    this.#attachment = { session, listener, written, reported: written, leaving: [] };
    this.#thread ??= this.#start();
    const shared = this.#shared;
    Atomics.store(shared, WRITTEN, written);
    Atomics.store(shared, BEGUN, written);
    Atomics.store(shared, SESSION, session);
    this.#thread.hold();
    this.#thread.post({ shared, session, descriptor, written });
  }

  setWritten(written: number): void {
    const attachment = this.#attachment;
    if (attachment === null) return;
    if (!(isWrittenPosition(written) && written >= attachment.written))
      fail(`a sync thread's written position goes from ${attachment.written} to ${written}`);
    attachment.written = written;
    Atomics.store(this.#shared, WRITTEN, written);
  }

  wake(): void {
    Atomics.add(this.#shared, WAKE_COUNTER, 1);
    Atomics.notify(this.#shared, WAKE_COUNTER);
  }

  detach(): Promise<void> {
    const attachment = this.#attachment;
    if (attachment === null) return Promise.resolve();
    return new Promise((resolve) => {
      attachment.leaving.push(resolve);
      this.#sendAway();
    });
  }

  close(): void {
    this.#isClosed = true;
    if (this.#attachment === null) {
      this.#thread?.end();
      this.#thread = null;
      return;
    }
    this.#attachment.listener = null;
    this.#sendAway();
  }

  #start(): HelperThread<Said> {
    this.#shared = sharedIntegers();
    return new HelperThread<Said>({
      code: this.#code,
      canOpen: this.#canOpen,
      received: (said) => this.#hear(said),
      died: () => this.#died(),
    });
  }

  #sendAway(): void {
    Atomics.store(this.#shared, SESSION, NO_SESSION);
    this.wake();
  }

  #hear(said: Said): void {
    const attachment = this.#attachment;
    if (attachment?.session !== said.session) fail("a sync thread reports on a file that it does not have");
    if (said.kind === "ended") this.#end(null);
    else if (said.kind === "failed") this.#end(systemError("fdatasync", said.errno));
    else {
      if (!(said.written > attachment.reported && said.written <= attachment.written))
        fail(
          `a sync thread covers ${said.written}, from ${attachment.reported} on, of ${attachment.written}`,
        );
      attachment.reported = said.written;
      attachment.listener?.synced(said.written);
    }
  }

  #died(): void {
    this.#thread = null;
    const attachment = this.#attachment;
    if (attachment === null) return;
    const { EIO, ENOSYS } = systemConstants.errno;
    const isUnheard = Atomics.load(this.#shared, BEGUN) !== attachment.reported;
    this.#end(systemError("fdatasync", isUnheard ? EIO : ENOSYS));
  }

  #end(error: Error | null): void {
    const { listener, leaving } = this.#attachment!;
    this.#attachment = null;
    Atomics.store(this.#shared, SESSION, NO_SESSION);
    this.#thread?.release();
    if (this.#isClosed) this.close();
    // Whoever waits continues later, after the listener; a listener that throws keeps nobody waiting.
    for (const resolve of leaving) resolve();
    if (error !== null) listener?.failed(error);
  }
}

function sharedIntegers(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(SHARED_INTEGERS * Int32Array.BYTES_PER_ELEMENT));
}
