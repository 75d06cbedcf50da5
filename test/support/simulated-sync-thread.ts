/**
 * A `SyncThread` in the event loop, over any disk: it syncs as the real one does, reading the mark before each sync and
 * going on as long as it moves. With `hold` the test decides when each sync ends, and how.
 */

import type { Files, SyncListener, SyncThread } from "../../src/base/files.ts";

const REPORT_TURNS = 7;

export class SimulatedSyncThread implements SyncThread {
  readonly #files: Files;
  readonly #isHeld: boolean;
  #descriptor = -1;
  #mark = 0;
  #covered = 0;
  #listener: SyncListener | null = null;
  #running: Promise<void> | null = null;
  /** Syncs that wait for the test; each is ended with null or an error. */
  readonly held: { mark: number; end: (error: Error | null) => void }[] = [];
  attachments = 0;

  constructor(files: Files, isHeld = false) {
    this.#files = files;
    this.#isHeld = isHeld;
  }

  get isAttached(): boolean {
    return this.#listener !== null;
  }

  attach(descriptor: number, mark: number, listener: SyncListener): void {
    if (this.#listener !== null) throw new Error("a thread has one file at a time");
    this.attachments += 1;
    this.#descriptor = descriptor;
    this.#mark = mark;
    this.#covered = mark;
    this.#listener = listener;
  }

  setMark(mark: number): void {
    this.#mark = mark;
  }

  wake(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      if (this.#listener !== null && this.#mark !== this.#covered) this.wake();
    });
  }

  async detach(): Promise<void> {
    await this.#running;
    this.#listener = null;
  }

  close(): void {
    this.#listener = null;
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#listener !== null && this.#mark !== this.#covered) {
      const wanted = this.#mark;
      try {
        if (this.#isHeld) await this.#hold(wanted);
        await this.#files.sync(this.#descriptor);
      } catch (thrown) {
        const listener = this.#listener;
        this.#listener = null;
        listener?.failed(thrown as Error);
        return;
      }
      this.#covered = wanted;
      // The report travels, and more is written meanwhile.
      for (let turn = 0; turn < REPORT_TURNS; turn += 1) await Promise.resolve();
      this.#listener?.synced(wanted);
    }
  }

  #hold(mark: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error: Error | null) => {
        this.held.shift();
        if (error === null) resolve();
        else reject(error);
      };
      this.held.push({ mark, end });
    });
  }
}
