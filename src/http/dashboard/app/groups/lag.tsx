/** A lag: a number, or the word that it is not known, which is not the same as none. */

import { formatCount } from "../base/format.ts";

export interface LagProps {
  readonly lag: number | null;
  /** Known of every partition that it is the sum of. */
  readonly isComplete?: boolean;
  /** Why it is not known, as the API says it. */
  readonly unknown?: string | null;
}

const REASONS: Readonly<Record<string, string>> = {
  "no-commit": "nothing is committed for it",
  "no-topic": "the topic is gone",
  "no-partition": "the partition is not there",
  unreadable: "the log cannot be read",
};

export function Lag({ lag, isComplete = true, unknown = null }: LagProps) {
  if (lag === null) {
    const reason = unknown === null ? "it cannot be told at the moment" : (REASONS[unknown] ?? unknown);
    return (
      <span class="unknown" title={`Not known: ${reason}.`}>
        unknown
        {unknown !== null && <span class="visually-hidden">: {reason}</span>}
      </span>
    );
  }
  return (
    <span class={lag === 0 ? "muted" : undefined}>
      {formatCount(lag)}
      {!isComplete && (
        <span class="unknown" title="Of some partitions it is not known: it is at least so much.">
          {" "}
          at least
        </span>
      )}
    </span>
  );
}
