/**
 * The live end of a topic, by server-sent events. Each has the position behind it as its id: where the connection breaks, the browser
 * comes back with the last one, and nothing is missed and nothing comes twice. Where the browser gives up, or the broker ended the tail
 * for a reason that passes, it is opened anew at that position.
 *
 *     opening --- open ---> connected --- error, 503, 408 ---> opening again, after a while
 *                               `------- any other problem ---> ended, with a refusal
 */

import type { RecordAnswer } from "../api/answers.ts";
import { ask, Refusal, UNREACHABLE } from "../api/ask.ts";
import { brokerIsLost } from "../api/broker.ts";
import { after } from "../base/time.ts";
import { followPath, pagePath, type Reading } from "./reading.ts";

const RETRY_MS = 1500;
/** Too slow a reader, and a broker that stops or has no room. */
const PASSING: readonly number[] = [408, 503];

export interface TailListener {
  readonly onMessage: (record: RecordAnswer) => void;
  readonly onConnected: (isConnected: boolean) => void;
  readonly onRefusal: (refusal: Refusal) => void;
}

export class TopicTail {
  readonly #reading: Reading;
  readonly #listener: TailListener;
  readonly #abort = new AbortController();
  #source: EventSource | null = null;
  #cancel = () => {};
  /** The id of the last event. */
  #position = "";

  constructor(reading: Reading, listener: TailListener) {
    this.#reading = reading;
    this.#listener = listener;
  }

  async open(): Promise<void> {
    const { signal } = this.#abort;
    try {
      // A filter that is refused says why here: an EventSource cannot.
      await ask(pagePath(this.#reading, null, 1), { signal });
      if (!signal.aborted) this.#connect();
    } catch (thrown) {
      if (signal.aborted) return;
      if (!(thrown instanceof Refusal)) throw thrown;
      if (thrown.code === UNREACHABLE || PASSING.includes(thrown.status)) this.#openLater();
      else this.#listener.onRefusal(thrown);
    }
  }

  close(): void {
    this.#abort.abort();
    this.#cancel();
    this.#source?.close();
  }

  #connect(): void {
    const source = new EventSource(followPath(this.#reading, this.#position));
    this.#source = source;
    source.addEventListener("open", () => this.#listener.onConnected(true));
    source.addEventListener("position", ({ lastEventId }) => {
      this.#position = lastEventId;
    });
    source.addEventListener("message", ({ data, lastEventId }) => {
      this.#position = lastEventId;
      this.#listener.onMessage(JSON.parse(data) as RecordAnswer);
    });
    source.addEventListener("problem", ({ data }) => {
      source.close();
      const { detail, code, status } = JSON.parse(data) as Record<string, unknown>;
      this.#listener.onConnected(false);
      if (PASSING.includes(Number(status))) this.#openLater();
      else this.#listener.onRefusal(new Refusal(Number(status), String(code), String(detail), null));
    });
    source.addEventListener("error", () => {
      this.#listener.onConnected(false);
      fetch("/health/live", { cache: "no-store" }).catch(brokerIsLost);
      if (source.readyState === EventSource.CLOSED) this.#openLater();
    });
  }

  #openLater(): void {
    this.#cancel();
    this.#cancel = after(RETRY_MS, () => void this.open());
  }
}
