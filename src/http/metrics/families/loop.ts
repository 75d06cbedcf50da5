/** Turns of the event loop, each under the work that took most of it; the time of all work; and how late timers come. */

import { LONG_TURN_MS, type WorkTurns } from "../../../base/loop/loop-turns.ts";
import { SECOND_MS } from "../../../base/units.ts";
import { counterBy, type Family, gaugeBy, histogram } from "../family.ts";
import type { Reading } from "../readings.ts";

const of = (read: (turns: WorkTurns, nowMs: number) => number) =>
  function* ({ parts: { loopTurns } }: Reading): Generator<readonly [string, number]> {
    for (const turns of loopTurns.works) yield [turns.work, read(turns, loopTurns.nowMs)];
  };

export const LOOP_FAMILIES: readonly Family[] = [
  histogram(
    "obelisk_loop_delay_seconds",
    "How late a timer comes that looks at the event loop: what everybody waits.",
    ({ parts }) => parts.loopDelay,
  ),
  counterBy(
    "work",
    "obelisk_loop_seconds_total",
    "Seconds of the event loop that the work took.",
    of(({ totalMs }) => totalMs / SECOND_MS),
  ),
  gaugeBy(
    "work",
    "obelisk_loop_turn_seconds_max",
    "Longest turn of the event loop since the start, by the work that took most of it.",
    of(({ longestMs }) => longestMs / SECOND_MS),
  ),
  gaugeBy(
    "work",
    "obelisk_loop_turn_seconds_recent",
    "The same for this minute and the one before it.",
    of((turns, nowMs) => turns.recentMs(nowMs) / SECOND_MS),
  ),
  gaugeBy(
    "work",
    "obelisk_loop_piece_seconds_max",
    "Longest that the work has taken without a pause since the start.",
    of(({ longestPieceMs }) => longestPieceMs / SECOND_MS),
  ),
  counterBy(
    "work",
    "obelisk_loop_long_turns_total",
    `Turns of more than ${LONG_TURN_MS} ms.`,
    of(({ longCount }) => longCount),
  ),
];
