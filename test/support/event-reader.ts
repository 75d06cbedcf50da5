/** Reads server-sent events as the HTML standard says, in so few lines that they can be checked by eye. */

import type { Problem } from "../../src/http/problem.ts";

export interface ReadEvent {
  readonly kind: string;
  readonly id: string;
  readonly data: string;
}

export class EventReader implements AsyncDisposable {
  readonly response: Response;
  readonly events: ReadEvent[] = [];
  /** Comments so far. */
  comments = 0;
  retryMs = -1;
  lastId = "";
  isOver = false;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #abort: AbortController;
  #changed = Promise.withResolvers<void>();

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.#reader = response.body!.getReader();
    this.#reading = this.#read();
  }

  /** Connects, as an EventSource does. */
  static async open(url: string, lastId = ""): Promise<EventReader> {
    const abort = new AbortController();
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (lastId !== "") headers["last-event-id"] = lastId;
    const response = await fetch(url, { headers, signal: abort.signal });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    const reader = new EventReader(response, abort);
    reader.lastId = lastId;
    return reader;
  }

  /** The records so far. */
  get records(): { partition: number; offset: number; value: string | null }[] {
    return this.of("message");
  }

  /** The data of all events of a kind. */
  of<Data>(kind: string): Data[] {
    return this.events.filter((event) => event.kind === kind).map(({ data }) => JSON.parse(data) as Data);
  }

  get problem(): Problem | undefined {
    return this.of<Problem>("problem")[0];
  }

  /** Waits until it is so; ends when the stream does. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.isOver) throw new Error(`the stream ended after ${JSON.stringify(this.events.slice(-3))}`);
      await this.#changed.promise;
    }
  }

  /** Waits for the end of the stream. */
  async end(): Promise<void> {
    await this.#reading;
  }

  /** Disconnects. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#reading;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    let event = { kind: "", data: [] as string[] };
    try {
      for (let chunk = await this.#reader.read(); !chunk.done; chunk = await this.#reader.read()) {
        const lines = (rest + decoder.decode(chunk.value, { stream: true })).split("\n");
        rest = lines.pop()!;
        for (const line of lines) {
          const colon = line.indexOf(":");
          const name = colon === -1 ? line : line.slice(0, colon);
          const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
          if (line === "") {
            if (event.data.length > 0)
              this.events.push({
                kind: event.kind || "message",
                id: this.lastId,
                data: event.data.join("\n"),
              });
            event = { kind: "", data: [] };
          } else if (colon === 0) this.comments += 1;
          else if (name === "event") event.kind = value;
          else if (name === "data") event.data.push(value);
          else if (name === "id") this.lastId = value;
          else if (name === "retry") this.retryMs = Number(value);
        }
        this.#tell();
      }
    } catch (thrown) {
      if (!this.#abort.signal.aborted && !(thrown instanceof Error)) throw thrown;
    }
    this.isOver = true;
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
