/**
 * Follows a topic by server-sent events. Messages are gathered and shown together some times a second; the newest ones are kept, the newest
 * first. While a message is open, new ones wait, so that what is read does not move away. A broken connection is taken up again by the
 * browser where it broke, by the id of the last event.
 */

import { useEffect, useRef, useState } from "preact/hooks";
import type { RecordAnswer } from "../api/answers.ts";
import { ask, Refusal, UNREACHABLE } from "../api/ask.ts";
import { brokerIsLost } from "../api/broker.ts";
import { after } from "../base/time.ts";
import { followPath, pagePath, type Reading } from "./reading.ts";

/** Messages that are shown. */
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
    const abort = new AbortController();
    const pending: RecordAnswer[] = [];
    let source: EventSource | null = null;
    let shown: readonly RecordAnswer[] = [];
    let count = 0;
    let cancel = () => {};

    const show = () => {
      cancel = after(SHOW_MS, show);
      if (pending.length === 0 && shown.length > 0) return;
      if (!held.current && pending.length > 0) {
        shown = [...pending.reverse(), ...shown].slice(0, FOLLOWED_MAX);
        pending.length = 0;
      }
      setFollowed((last) => ({ ...last, messages: shown, count, waiting: pending.length }));
    };
    const open = async () => {
      // A filter that is refused says why here: an EventSource cannot.
      await ask(pagePath(reading, null, 1), { signal: abort.signal });
      if (abort.signal.aborted) return;
      source = new EventSource(followPath(reading));
      source.addEventListener("open", () => setFollowed((last) => ({ ...last, isConnected: true })));
      source.addEventListener("message", (event) => {
        count += 1;
        pending.push(JSON.parse(event.data) as RecordAnswer);
        if (pending.length > 2 * FOLLOWED_MAX) pending.splice(0, FOLLOWED_MAX);
      });
      source.addEventListener("problem", (event) => {
        const { detail, code, status } = JSON.parse(event.data) as Record<string, unknown>;
        source?.close();
        const refusal = new Refusal(Number(status), String(code), String(detail), null);
        setFollowed((last) => ({ ...last, isConnected: false, refusal }));
      });
      source.addEventListener("error", () => {
        setFollowed((last) => ({ ...last, isConnected: false }));
        brokerMayBeLost();
      });
    };
    open().catch((thrown) => {
      if (abort.signal.aborted) return;
      if (!(thrown instanceof Refusal)) throw thrown;
      if (thrown.code !== UNREACHABLE) setFollowed((last) => ({ ...last, refusal: thrown }));
    });
    show();
    return () => {
      abort.abort();
      cancel();
      source?.close();
    };
  }, [reading]);

  return followed;
}

function brokerMayBeLost(): void {
  fetch("/health/live", { cache: "no-store" }).catch(brokerIsLost);
}
