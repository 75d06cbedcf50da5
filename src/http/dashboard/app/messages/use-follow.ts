/**
 * Follows a topic. Messages are gathered and shown together some times a second; the newest ones are kept, the newest first. While a
 * message is open, new ones wait, so that what is read does not move away.
 */

import { useEffect, useRef, useState } from "preact/hooks";
import type { RecordAnswer } from "../api/answers.ts";
import type { Refusal } from "../api/ask.ts";
import { after } from "../base/time.ts";
import type { Reading } from "./reading.ts";
import { TopicTail } from "./topic-tail.ts";

/** Messages that are shown, and as many that wait. */
export const FOLLOWED_MAX = 10_000;
const SHOW_MS = 200;

export interface Followed {
  readonly messages: readonly RecordAnswer[];
  /** All that came. */
  readonly count: number;
  /** Those that wait to be shown. */
  readonly waiting: number;
  readonly isConnected: boolean;
  readonly refusal: Refusal | null;
}

const NOTHING: Followed = { messages: [], count: 0, waiting: 0, isConnected: false, refusal: null };

/** `reading` null: nothing is followed, and what was is forgotten. */
export function useFollow(reading: Reading | null, isHeld: boolean): Followed {
  const [followed, setFollowed] = useState<Followed>(NOTHING);
  const held = useRef(isHeld);
  held.current = isHeld;

  useEffect(() => {
    setFollowed(NOTHING);
    if (reading === null) return;
    const pending: RecordAnswer[] = [];
    let shown: readonly RecordAnswer[] = [];
    let count = 0;
    let cancel = () => {};

    const show = () => {
      cancel = after(SHOW_MS, show);
      if (pending.length === 0) return;
      if (!held.current) {
        shown = [...pending.reverse(), ...shown].slice(0, FOLLOWED_MAX);
        pending.length = 0;
      }
      setFollowed((last) => ({ ...last, messages: shown, count, waiting: pending.length }));
    };
    const tail = new TopicTail(reading, {
      onMessage: (record) => {
        count += 1;
        pending.push(record);
        if (pending.length > 2 * FOLLOWED_MAX) pending.splice(0, FOLLOWED_MAX);
      },
      onConnected: (isConnected) => setFollowed((last) => ({ ...last, isConnected })),
      onRefusal: (refusal) => setFollowed((last) => ({ ...last, isConnected: false, refusal })),
    });
    void tail.open();
    show();
    return () => {
      cancel();
      tail.close();
    };
  }, [reading]);

  return followed;
}
