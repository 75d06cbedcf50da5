/**
 * What a view shows of the API, asked for again and again. What was there stays while it is asked for, and while the broker is away.
 * Nothing is asked for while nobody looks at the page, and what takes long to answer is asked for more rarely.
 */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { after, nowMs } from "../base/time.ts";
import { ask, Refusal, UNREACHABLE } from "./ask.ts";
import { returns } from "./broker.ts";

export interface Resource<T> {
  /** Null until the first answer. */
  readonly data: T | null;
  readonly refusal: Refusal | null;
  /** Asks at once; done when it is answered. */
  reload(): Promise<void>;
}

interface Answer<T> {
  readonly path: string;
  readonly data: T | null;
  readonly refusal: Refusal | null;
}

/** The broker is asked for a view a tenth of the time at most. */
const REST = 9;

type Load<T> = (path: string, signal: AbortSignal) => Promise<T>;

/** `everyMs` undefined: once. `path` null: not at all. `load` is not looked at again. */
export function useResource<T>(path: string | null, everyMs?: number, load: Load<T> = loadOne): Resource<T> {
  const [answer, setAnswer] = useState<Answer<T> | null>(null);
  const loadNow = useRef<() => Promise<void>>(async () => {});
  const returnCount = returns.value;

  // A broker that came back is asked again.
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    let cancel = () => {};
    const read = async (): Promise<void> => {
      cancel();
      const beganMs = nowMs();
      try {
        const data = await load(path, abort.signal);
        if (!abort.signal.aborted) setAnswer({ path, data, refusal: null });
      } catch (thrown) {
        if (abort.signal.aborted) return;
        if (!(thrown instanceof Refusal)) throw thrown;
        if (thrown.code === UNREACHABLE) return;
        setAnswer((last) => ({ path, data: last?.path === path ? last.data : null, refusal: thrown }));
      }
      if (everyMs !== undefined && !abort.signal.aborted)
        cancel = after(Math.max(everyMs, REST * (nowMs() - beganMs)), tick);
    };
    const tick = () => {
      if (!document.hidden) void read();
    };
    const look = () => {
      if (!document.hidden && everyMs !== undefined) void read();
    };
    loadNow.current = read;
    document.addEventListener("visibilitychange", look);
    void read();
    return () => {
      cancel();
      abort.abort();
      document.removeEventListener("visibilitychange", look);
    };
  }, [path, everyMs, returnCount]);

  const reload = useCallback(() => loadNow.current(), []);
  const isCurrent = answer !== null && answer.path === path;
  return { data: isCurrent ? answer.data : null, refusal: isCurrent ? answer.refusal : null, reload };
}

function loadOne<T>(path: string, signal: AbortSignal): Promise<T> {
  return ask<T>(path, { signal });
}
