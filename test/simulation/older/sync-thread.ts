/**
 * A `SyncThread` in the event loop, over any disk. It is built as the real one (src/base/sync-thread.ts): a worker that takes one
 * attachment after the other and says what it did by messages, and the side that hears them. So it forgives what the real one
 * forgives, and nothing else.
 *
 *   hold      with it, the test decides when each sync ends, and how
 *   deliver   how long a message travels; they arrive in the order in which they were sent
 *   die       the worker is gone, in the middle of whatever it does
 */

import type { Files, SyncListener, SyncThread } from "../../../src/base/files.ts";
import { systemError } from "../../support/system-error.ts";

const MESSAGE_TURNS = 7;

type Message =
  | { kind: "synced"; session: number; mark: number }
  | { kind: "failed"; session: number; error: Error }
  | { kind: "ended"; session: number };

interface Attachment {
  readonly session: number;
  readonly descriptor: number;
  readonly mark: number;
}

export interface SimulatedSyncThreadOptions {
  isHeld?: boolean;
  deliver?: () => Promise<void>;
}

export class SimulatedSyncThread implements SyncThread {
  readonly #files: Files;
  readonly #isHeld: boolean;
  readonly #deliver: () => Promise<void>;
  /** What both sides share. */
  #mark = 0;
  #session = 0;
  #wanted = 0;
  #wakeCounter: (() => void) | null = null;
  /** The side that hears. */
  #listener: SyncListener | null = null;
  #detached: (() => void) | null = null;
  /** The worker. */
  readonly #attachments: Attachment[] = [];
  #isWorking = false;
  #isDead = false;
  #lastMessage: Promise<void> = Promise.resolve();
  /** Syncs that wait for the test; each is ended with null or an error. */
  readonly held: { mark: number; end: (error: Error | null) => void }[] = [];
  attachments = 0;

  constructor(files: Files, isHeld = false, deliver = travel) {
    this.#files = files;
    this.#isHeld = isHeld;
    this.#deliver = deliver;
  }

  get isAttached(): boolean {
    return this.#listener !== null;
  }

  attach(descriptor: number, mark: number, listener: SyncListener): void {
    this.attachments += 1;
    this.#listener = listener;
    this.#session += 1;
    this.#wanted = this.#session;
    this.#mark = mark;
    this.#attachments.push({ session: this.#session, descriptor, mark });
    void this.#work();
  }

  setWritten(mark: number): void {
    this.#mark = mark;
  }

  wake(): void {
    this.#wakeCounter?.();
    this.#wakeCounter = null;
  }

  detach(): Promise<void> {
    if (this.#listener === null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#detached = resolve;
      this.#wanted = -1;
      this.wake();
    });
  }

  close(): void {
    this.#listener = null;
    this.#isDead = true;
  }

  /** The worker is gone. It may have been told of an error that nobody is told again. */
  die(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    const session = this.#session;
    this.#say({ kind: "failed", session, error: systemError("EIO", "fdatasync") });
    this.#say({ kind: "ended", session });
  }

  async #work(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    await Promise.resolve();
    for (let next = this.#attachments.shift(); next !== undefined; next = this.#attachments.shift()) {
      if (!this.#isDead) await this.#serve(next);
    }
    this.#isWorking = false;
  }

  async #serve({ session, descriptor, mark }: Attachment): Promise<void> {
    let covered = mark;
    while (this.#wanted === session && !this.#isDead) {
      const wanted = this.#mark;
      if (wanted === covered) {
        await new Promise<void>((resolve) => {
          this.#wakeCounter = resolve;
        });
        continue;
      }
      try {
        if (this.#isHeld) await this.#hold(wanted);
        await this.#files.sync(descriptor);
      } catch (thrown) {
        if (!this.#isDead) this.#say({ kind: "failed", session, error: thrown as Error });
        break;
      }
      if (this.#isDead) return;
      covered = wanted;
      this.#say({ kind: "synced", session, mark: covered });
    }
    if (!this.#isDead) this.#say({ kind: "ended", session });
  }

  #say(message: Message): void {
    this.#lastMessage = this.#lastMessage.then(() => this.#deliver()).then(() => this.#hear(message));
  }

  #hear(message: Message): void {
    if (message.session !== this.#session || this.#listener === null) return;
    if (message.kind === "synced") this.#listener.synced(message.mark);
    else if (message.kind === "failed") this.#listener.failed(message.error);
    else {
      this.#listener = null;
      this.#detached?.();
      this.#detached = null;
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

/** The report travels, and more is written meanwhile. */
async function travel(): Promise<void> {
  for (let turn = 0; turn < MESSAGE_TURNS; turn += 1) await Promise.resolve();
}
