/** The messages of a reading, read on as they are looked at. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { returns } from "../api/broker.ts";
import { type MessageList, MessageReader, NO_MESSAGES } from "./message-reader.ts";
import type { Position, Reading } from "./reading.ts";

export interface Messages extends MessageList {
  readonly more: () => void;
  readonly stop: () => void;
  /** Reads from the beginning again. */
  readonly restart: () => void;
  /** Lets go of what is there, and goes on behind it. */
  readonly moveOn: () => void;
}

interface Run {
  readonly from: Position;
}

/** `reading` null: nothing is read. It is read again when its identity changes; what is there stays while the broker is away. */
export function useMessages(reading: Reading | null): Messages {
  const [list, setList] = useState<MessageList>(NO_MESSAGES);
  const [run, setRun] = useState<Run>({ from: null });
  const reader = useRef<MessageReader | null>(null);
  const lastReading = useRef(reading);
  const returnCount = returns.value;

  useEffect(() => {
    const from = lastReading.current === reading ? run.from : null;
    lastReading.current = reading;
    setList(NO_MESSAGES);
    if (reading === null) return;
    const opened = new MessageReader(reading, from, setList);
    reader.current = opened;
    void opened.more();
    return () => opened.close();
  }, [reading, run]);

  // Each time that the broker has come back.
  useEffect(() => reader.current?.resume(), [returnCount]);

  return {
    ...list,
    more: useCallback(() => void reader.current?.more(), []),
    stop: useCallback(() => reader.current?.stop(), []),
    restart: useCallback(() => setRun({ from: null }), []),
    moveOn: useCallback(() => setRun({ from: reader.current?.next ?? null }), []),
  };
}
