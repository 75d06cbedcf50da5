/**
 * Reads pages of a topic. The broker looks at a bounded part of the log for each answer; where a filter leaves little of it, the next part
 * is asked for, until the page is full, the log ends, or the reader stops it.
 *
 *     positions [ start, 2nd page, 3rd page ]      the last one is shown; its end is where the next page begins
 */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { MessagesPage, RecordAnswer, TopicDescribed } from "../api/answers.ts";
import { ask, Refusal, routeOf, UNREACHABLE } from "../api/ask.ts";
import { isEnd, PAGE, type Position, pagePath, type Reading } from "./reading.ts";

export interface Page {
  readonly messages: readonly RecordAnswer[];
  readonly next: Position;
  readonly isLast: boolean;
  readonly isReading: boolean;
  readonly refusal: Refusal | null;
  /** Messages that the broker was asked for and that were no newest of their key. */
  readonly passedOver: number;
}

export interface Messages extends Page {
  readonly pageNumber: number;
  readonly first: () => void;
  readonly forth: () => void;
  readonly back: () => void;
  readonly stop: () => void;
}

const NOTHING: Page = {
  messages: [],
  next: null,
  isLast: false,
  isReading: true,
  refusal: null,
  passedOver: 0,
};
/** Keys that are told apart; beyond it the reading ends. */
const KEYS_MAX = 50_000;

/** `reading` null: nothing is read. It is read again when its identity changes. */
export function useMessages(reading: Reading | null): Messages {
  const [positions, setPositions] = useState<readonly Position[]>([null]);
  const [page, setPage] = useState<Page>(NOTHING);
  const [run, setRun] = useState(0);
  const abort = useRef<AbortController | null>(null);
  /** Where the newest message of each key is. */
  const newest = useRef(new Map<string, string>());
  const lastReading = useRef(reading);

  const isNew = lastReading.current !== reading;
  lastReading.current = reading;
  const shown = isNew ? [null] : positions;
  if (isNew && positions.length > 1) setPositions([null]);
  const position = shown.at(-1)!;

  // Run: the same page once more.
  useEffect(() => {
    if (reading === null) return;
    if (position === null) newest.current = new Map();
    const controller = new AbortController();
    abort.current = controller;
    setPage(NOTHING);
    readPage(reading, position, newest.current, controller.signal, setPage).catch((thrown) => {
      if (controller.signal.aborted) return setPage((last) => ({ ...last, isReading: false }));
      if (!(thrown instanceof Refusal)) throw thrown;
      const refusal = thrown.code === UNREACHABLE ? null : thrown;
      setPage((last) => ({ ...last, isReading: false, refusal }));
    });
    return () => controller.abort();
  }, [reading, position, run]);

  return {
    ...page,
    pageNumber: shown.length,
    first: useCallback(() => {
      setPositions([null]);
      setRun((count) => count + 1);
    }, []),
    forth: () => setPositions([...shown, page.next]),
    back: () => setPositions(shown.length > 1 ? shown.slice(0, -1) : shown),
    stop: () => {
      abort.current?.abort();
      setPage((last) => ({ ...last, isReading: false }));
    },
  };
}

async function readPage(
  reading: Reading,
  from: Position,
  newest: Map<string, string>,
  signal: AbortSignal,
  show: (page: Page) => void,
): Promise<void> {
  const topic = await ask<TopicDescribed>(routeOf(["topics", reading.topic]), { signal });
  const messages: RecordAnswer[] = [];
  let next = from;
  let passedOver = 0;
  for (;;) {
    const answer = await ask<MessagesPage>(pagePath(reading, next, PAGE - messages.length), { signal });
    for (const record of answer.messages) {
      if (!reading.isLatest || isNewest(record, newest)) messages.push(record);
      else passedOver += 1;
    }
    const isStuck = answer.messages.length === 0 && JSON.stringify(answer.next) === JSON.stringify(next);
    next = answer.next ?? null;
    const isLast = next === null || isStuck || isEnd(reading, next, topic) || newest.size >= KEYS_MAX;
    const isReading = !isLast && messages.length < PAGE;
    if (signal.aborted) return;
    show({ messages: [...messages], next, isLast, isReading, refusal: null, passedOver });
    if (!isReading) return;
  }
}

/** Read from behind, the first message of a key that is met is its newest. Those without a key have none. */
function isNewest(
  { key, keyIsBase64, partition, offset }: RecordAnswer,
  newest: Map<string, string>,
): boolean {
  if (key === null) return false;
  const name = `${keyIsBase64 === true ? "b" : "t"}${key}`;
  const place = `${partition}:${offset}`;
  const known = newest.get(name);
  if (known === undefined) newest.set(name, place);
  return known === undefined || known === place;
}
