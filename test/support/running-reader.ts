/** A command that prints records until it is interrupted, with what it has printed so far: `obelisk consume`, or another client. */

export type ReadingChild = Bun.Subprocess<Blob | Uint8Array | "ignore", "pipe", "pipe">;

export class RunningReader {
  readonly #child: ReadingChild;
  readonly #reading: Promise<unknown>;
  #changed = Promise.withResolvers<void>();
  stdout = "";
  stderr = "";

  constructor(child: ReadingChild) {
    this.#child = child;
    this.#reading = Promise.all([
      this.#read(this.#child.stdout, (text) => {
        this.stdout += text;
      }),
      this.#read(this.#child.stderr, (text) => {
        this.stderr += text;
      }),
    ]);
  }

  get lines(): string[] {
    return this.stdout.split("\n").filter((line) => line !== "");
  }

  /** Waits until it is so. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await this.#changed.promise;
  }

  async interrupt(): Promise<number> {
    this.#child.kill("SIGINT");
    const exitCode = await this.#child.exited;
    await this.#reading;
    return exitCode;
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      take(decoder.decode(chunk, { stream: true }));
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }
}
