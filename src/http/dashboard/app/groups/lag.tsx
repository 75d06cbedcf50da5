/** A lag: a number, or the word that it is not known, which is not the same as none. */

import { formatCount } from "../base/format.ts";

export function Lag({ lag }: { lag: number | null }) {
  if (lag === null)
    return (
      <span
        class="unknown"
        title="It cannot be told at the moment: nothing is committed, or the log's end is not known."
      >
        unknown
      </span>
    );
  return <span class={lag === 0 ? "muted" : undefined}>{formatCount(lag)}</span>;
}
