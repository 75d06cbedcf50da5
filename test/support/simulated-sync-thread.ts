/**
 * A `SyncThread` in the event loop, over any disk: it syncs as the real one does, reading the written position before each sync and
 * going on as long as it moves. With `hold` the test decides when each sync ends, and how; `die` ends the thread itself.
 *
 * What it refuses and reports is what the real one does: test/base/sync-thread.test.ts runs both through the same suite.
 */

import { fail } from "../../src/base/assert.ts";
import { type Files, isWrittenPosition, type SyncListener, type SyncThread } from "../../src/base/files.ts";
import { systemError } from "./system-error.ts";

const REPORT_TURNS = 7;

interface Attachment {
  readonly descriptor: number;
  /** Null once nothing shall be reported. */
  listener: SyncListener | null;
  written: number;
  /** What the sync covers that runs, or ran last; the same as `told` when its end was reported. */
  begun: number;
  told: number;
  isLeaving: boolean;
  isRunning: boolean;
  readonly leaving: (() => void)[];
}

export class SimulatedSyncThread implements SyncThread {
  readonly #files: Files;
  readonly #isHeld: boolean;
  readonly #deliver: () => Promise<void>;
  #attachment: Attachment | null = null;
  #isClosed = false;
  /** Syncs that wait for the test; each is ended with null or an error. */
  readonly held: { written: number; end: (error: Error | null) => void }[] = [];
  attachments = 0;

  /** `deliver`: how long a report travels. */
  constructor(files: Files, isHeld = false, deliver = travel) {
    this.#files = files;
    this.#isHeld = isHeld;
    this.#deliver = deliver;
  }

  get isAttached(): boolean {
    return this.#attachment !== null;
  }

  attach(descriptor: number, written: number, listener: SyncListener): void {
    if (this.#isClosed) fail("a file is attached to a sync thread that is closed");
    if (this.#attachment !== null) fail("a sync thread has one file at a time");
    if (!isWrittenPosition(written)) fail(`a file is attached to a sync thread at ${written}`);
    this.attachments += 1;
    this.#attachment = {
      descriptor,
      listener,
      written,
      begun: written,
      told: written,
      isLeaving: false,
      isRunning: false,
      leaving: [],
    };
  }

  setWritten(written: number): void {
    const attachment = this.#attachment;
    if (attachment === null) return;
    if (!(isWrittenPosition(written) && written >= attachment.written))
      fail(`a sync thread's written position goes from ${attachment.written} to ${written}`);
    attachment.written = written;
  }

  wake(): void {
    if (this.#attachment !== null) void this.#run(this.#attachment);
  }

  detach(): Promise<void> {
    const attachment = this.#attachment;
    if (attachment === null) return Promise.resolve();
    attachment.isLeaving = true;
    return new Promise((resolve) => {
      attachment.leaving.push(resolve);
      void this.#run(attachment);
    });
  }

  close(): void {
    this.#isClosed = true;
    if (this.#attachment === null) return;
    this.#attachment.listener = null;
    void this.detach();
  }

  /** Ends as a thread does that throws. The next file gets a new one. */
  async die(): Promise<void> {
    const attachment = this.#attachment;
    if (attachment === null) return;
    await Promise.resolve();
    this.held.length = 0;
    const isUnheard = attachment.begun !== attachment.told;
    this.#end(attachment, systemError(isUnheard ? "EIO" : "ENOSYS", "fdatasync"));
  }

  async #run(attachment: Attachment): Promise<void> {
    if (attachment.isRunning) return;
    attachment.isRunning = true;
    await Promise.resolve();
    while (
      this.#attachment === attachment &&
      !attachment.isLeaving &&
      attachment.written !== attachment.told
    ) {
      const wanted = attachment.written;
      attachment.begun = wanted;
      try {
        if (this.#isHeld) await this.#hold(wanted);
        await this.#files.sync(attachment.descriptor);
      } catch (thrown) {
        this.#end(attachment, thrown as Error);
        return;
      }
      await this.#deliver(); // more is written meanwhile
      if (this.#attachment !== attachment) return;
      attachment.told = wanted;
      attachment.listener?.synced(wanted);
    }
    attachment.isRunning = false;
    if (attachment.isLeaving) this.#end(attachment, null);
  }

  #end(attachment: Attachment, error: Error | null): void {
    if (this.#attachment !== attachment) return;
    this.#attachment = null;
    for (const resolve of attachment.leaving) resolve();
    if (error !== null) attachment.listener?.failed(error);
  }

  #hold(written: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error: Error | null) => {
        this.held.shift();
        if (error === null) resolve();
        else reject(error);
      };
      this.held.push({ written, end });
    });
  }
}

async function travel(): Promise<void> {
  for (let turn = 0; turn < REPORT_TURNS; turn += 1) await Promise.resolve();
}
