/**
 * Reads a topic, page after page, into one list. The broker looks at a bounded part of the log for each answer; where a filter leaves
 * little of it, the next part is asked for, until the page is full, the log ends, or the reader stops it.
 *
 *     messages [ 1st page | 2nd page | ... ]      `next`: where the following page begins, in each partition
 */

import type { MessagesPage, RecordAnswer, TopicDescribed } from "../api/answers.ts";
import { ask, Refusal, routeOf, UNREACHABLE } from "../api/ask.ts";
import { isEnd, type Position, pagePath, type Reading } from "./reading.ts";

/** Messages of the first page, some windows full; each page doubles the list, so that a long one is soon there. */
const PAGE_MIN = 200;
const PAGE_MAX = 5000;
/** Messages that a list has at most: some hundred megabytes of the browser's memory, if they are large. */
export const MESSAGES_MAX = 100_000;
/** Keys that are told apart; beyond it the reading ends. */
const KEYS_MAX = 50_000;

export interface MessageList {
  readonly messages: readonly RecordAnswer[];
  readonly isReading: boolean;
  /** There is nothing more. */
  readonly isEnd: boolean;
  /** There may be more, and no room for it here. */
  readonly isFull: boolean;
  readonly refusal: Refusal | null;
  /** Messages that were read and that are not the newest of their key. */
  readonly passedOver: number;
  /** What could not be read, in words. */
  readonly unreadable: readonly string[];
}

export const NO_MESSAGES: MessageList = {
  messages: [],
  isReading: true,
  isEnd: false,
  isFull: false,
  refusal: null,
  passedOver: 0,
  unreadable: [],
};

export class MessageReader {
  readonly #reading: Reading;
  readonly #show: (list: MessageList) => void;
  #list: MessageList = { ...NO_MESSAGES, isReading: false };
  #next: Position;
  #abort = new AbortController();
  #isClosed = false;
  /** Nobody answered: what was begun is not done. */
  #isInterrupted = false;
  /** Keys of which the newest message was met. */
  readonly #keys = new Set<string>();

  /** `from`: where it begins; null: where the reading says. */
  constructor(reading: Reading, from: Position, show: (list: MessageList) => void) {
    this.#reading = reading;
    this.#next = from;
    this.#show = show;
  }

  get next(): Position {
    return this.#next;
  }

  /** Reads one page more, if it may and does not already. */
  async more(): Promise<void> {
    const { isReading, isEnd: isAtEnd, isFull, refusal } = this.#list;
    if (isReading || isAtEnd || isFull || refusal !== null || this.#isClosed) return;
    this.#abort = new AbortController();
    this.#isInterrupted = false;
    this.#change({ isReading: true });
    try {
      await this.#readPage(this.#abort.signal);
    } catch (thrown) {
      if (this.#isClosed || this.#abort.signal.aborted) return;
      if (!(thrown instanceof Refusal)) throw thrown;
      // That nobody answers is told by the page.
      this.#isInterrupted = thrown.code === UNREACHABLE;
      this.#change({ isReading: false, refusal: this.#isInterrupted ? null : thrown });
    }
  }

  /** Goes on where nobody answered, now that somebody does. */
  resume(): void {
    if (this.#isInterrupted) void this.more();
  }

  /** What is there stays; `more` goes on. */
  stop(): void {
    this.#abort.abort();
    this.#change({ isReading: false });
  }

  close(): void {
    this.#isClosed = true;
    this.#abort.abort();
  }

  async #readPage(signal: AbortSignal): Promise<void> {
    const reading = this.#reading;
    const topic = await ask<TopicDescribed>(routeOf(["topics", reading.topic]), { signal });
    let wanted = Math.min(Math.max(this.#list.messages.length, PAGE_MIN), PAGE_MAX);
    for (;;) {
      const answer = await ask<MessagesPage>(pagePath(reading, this.#next, wanted), { signal });
      const found = reading.isLatest
        ? answer.messages.filter((record) => this.#isNewest(record))
        : answer.messages;
      const isStuck =
        answer.messages.length === 0 && JSON.stringify(answer.next) === JSON.stringify(this.#next);
      this.#next = answer.next ?? null;
      wanted -= found.length;
      const { messages, passedOver, unreadable } = this.#list;
      const isAtEnd = this.#next === null || isStuck || isEnd(reading, this.#next, topic);
      const isFull = messages.length + found.length >= MESSAGES_MAX || this.#keys.size >= KEYS_MAX;
      const isReading = !isAtEnd && !isFull && wanted > 0;
      this.#change({
        messages: [...messages, ...found],
        passedOver: passedOver + answer.messages.length - found.length,
        unreadable: [...unreadable, ...(answer.unreadable ?? []).map(wordsOf)],
        isReading,
        isEnd: isAtEnd,
        isFull: isFull && !isAtEnd,
      });
      if (!isReading) return;
    }
  }

  /** Read from behind, the first message of a key that is met is its newest. Those without a key are none's. */
  #isNewest({ key, keyIsBase64 }: RecordAnswer): boolean {
    const name = `${keyIsBase64 === true ? "b" : "t"}${key}`;
    if (key === null || this.#keys.has(name)) return false;
    this.#keys.add(name);
    return true;
  }

  #change(changes: Partial<MessageList>): void {
    if (this.#isClosed) return;
    this.#list = { ...this.#list, ...changes };
    this.#show(this.#list);
  }
}

function wordsOf({
  partition,
  firstOffset,
  reason,
}: NonNullable<MessagesPage["unreadable"]>[number]): string {
  return `Partition ${partition} from offset ${firstOffset} on: ${reason}`;
}
