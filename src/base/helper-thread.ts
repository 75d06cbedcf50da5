/**
 * A thread of our own: a worker whose code is text, so that the compiled executable needs no second file.
 *
 *   - Its end is reported once (`died`), however it comes: its code throws or returns, it cannot be started, a message cannot be posted
 *     to it. Never from within a call, and nothing is received afterwards. `end` is not reported.
 *   - It keeps the process alive only while it is held: from `hold` to `release`.
 *   - Without room for its descriptors it is not started: Bun ends the whole process when a worker finds none. So a server starts
 *     its threads at once, and only one that replaces a dead one has to find room.
 *
 * Whoever has one that died creates another.
 */

/** It takes two (Bun 1.4.5). The others are for what this process opens until it has them. */
export const THREAD_DESCRIPTORS = 16;

/** DOM's type of a worker lacks what Bun's workers have. */
type Thread = Worker & Pick<Bun.Worker, "ref" | "unref">;

export interface HelperThreadOptions<Message> {
  code: string;
  /** Whether so many more files can be opened now. */
  canOpen: (count: number) => boolean;
  received: (message: Message) => void;
  died: () => void;
}

export class HelperThread<Message> {
  readonly #address: string;
  readonly #thread: Thread | null;
  readonly #died: () => void;
  #isOver = false;

  constructor({ code, canOpen, received, died }: HelperThreadOptions<Message>) {
    this.#died = died;
    this.#address = URL.createObjectURL(new Blob([code], { type: "application/javascript" }));
    this.#thread = canOpen(THREAD_DESCRIPTORS) ? startThread(this.#address) : null;
    if (this.#thread === null) {
      queueMicrotask(() => this.#die());
      return;
    }
    this.#thread.onmessage = ({ data }: MessageEvent<Message>) => {
      if (!this.#isOver) received(data);
    };
    this.#thread.onerror = (event) => {
      event.preventDefault();
      this.#die();
    };
    // The only sign of one that returns without an error.
    this.#thread.addEventListener("close", () => this.#die());
    this.#thread.unref();
  }

  hold(): void {
    this.#thread?.ref();
  }

  release(): void {
    this.#thread?.unref();
  }

  /** A message that is overtaken by its end is lost: `died` is then the only response. */
  post(message: unknown): void {
    try {
      this.#thread?.postMessage(message);
    } catch (thrown) {
      if (!(thrown instanceof Error)) throw thrown;
      queueMicrotask(() => this.#die());
    }
  }

  /** For one that is at rest: a call into the system that it is in would go on. */
  end(): void {
    this.#isOver = true;
    this.#thread?.terminate();
    URL.revokeObjectURL(this.#address);
  }

  #die(): void {
    if (this.#isOver) return;
    this.end();
    this.#died();
  }
}

function startThread(address: string): Thread | null {
  try {
    return new Worker(address) as Thread;
  } catch (thrown) {
    // No thread is to be had: too many of them, or no memory.
    if (thrown instanceof Error) return null;
    throw thrown;
  }
}
