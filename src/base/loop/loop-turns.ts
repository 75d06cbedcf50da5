/**
 * How long the turns of the event loop are, and what took them. Everybody waits for the turn that is under way: a producer in its
 * latency, a probe in its timeout. So whoever starts work names it, with one word and one look at the clock:
 *
 *     enter("Produce")   enter("Metadata")              enter("commit")
 *     v                  v                              v
 *     [== Produce =======|======= Metadata =============|= commit =]              the turn, of which Metadata took most
 *     ^ the first name opens the turn                              ^ the loop has come round
 *
 *   - A turn counts for the work whose piece of it was the longest. Pieces of many peers may make a long turn of which none is
 *     long: so the longest piece of each work is kept beside its longest turn.
 *   - Work that goes on in slices (turns.ts) names itself again at each.
 *   - A turn in which nobody named anything is not seen here; `LoopWatch` notices it by a late timer, as `OTHER_WORK`.
 *
 * Names are those of Kafka's APIs and a few of ours, never a peer's bytes: so they are few. A turn of less than `TOLD_MS_MIN`
 * is not recorded. There is one loop, and so one of these in the process (`loopTurns`).
 */

import { type Clock, systemClock } from "../clock.ts";
import { MINUTE_MS } from "../units.ts";

/** What nobody has named. */
export const OTHER_WORK = "other";
/** Above it a turn is too long: everybody has waited that long, whatever they requested. */
export const LONG_TURN_MS = 50;
/** Below it neither turns nor pieces are recorded. */
const TOLD_MS_MIN = 1;

/** One work's turns. */
export class WorkTurns {
  readonly work: string;
  longestMs = 0;
  /** The longest single piece of this work, in whichever turn. */
  longestPieceMs = 0;
  /** Turns above `LONG_TURN_MS`. */
  longCount = 0;
  /** All its pieces together. */
  totalMs = 0;
  /** Longest of this minute by the monotonic clock, and of the one before. */
  #minute = 0;
  #minuteMs = 0;
  #minuteBeforeMs = 0;

  constructor(work: string) {
    this.work = work;
  }

  /** The longest of the minute that runs and the one before it. */
  recentMs(nowMs: number): number {
    this.#roll(nowMs);
    return Math.max(this.#minuteMs, this.#minuteBeforeMs);
  }

  record(turnMs: number, nowMs: number): void {
    this.#roll(nowMs);
    this.longestMs = Math.max(this.longestMs, turnMs);
    this.#minuteMs = Math.max(this.#minuteMs, turnMs);
    if (turnMs > LONG_TURN_MS) this.longCount += 1;
  }

  #roll(nowMs: number): void {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute === this.#minute) return;
    this.#minuteBeforeMs = minute === this.#minute + 1 ? this.#minuteMs : 0;
    this.#minuteMs = 0;
    this.#minute = minute;
  }
}

/** Called for each turn above `LONG_TURN_MS`. */
export type LongTurnListener = (work: string, turnMs: number, pieceMs: number) => void;

export class LoopTurns {
  readonly #clock: Pick<Clock, "monotonicMs">;
  /** Calls back when the loop has come round. */
  readonly #whenRound: (callback: () => void) => unknown;
  readonly #works = new Map<string, WorkTurns>();
  readonly #listeners = new Set<LongTurnListener>();
  /** Looked up last. */
  #last: WorkTurns | null = null;
  #isOpen = false;
  #startedAtMs = 0;
  /** When the last turn ended. */
  #endedAtMs = Number.NEGATIVE_INFINITY;
  /** Of all turns that have ended. */
  #namedMs = 0;
  #work = OTHER_WORK;
  #pieceAtMs = 0;
  #longestWork = OTHER_WORK;
  #longestPieceMs = 0;

  constructor(clock: Pick<Clock, "monotonicMs">, whenRound: (callback: () => void) => unknown) {
    this.#clock = clock;
    this.#whenRound = whenRound;
  }

  /** What is done now, if it was named in this turn. */
  get work(): string {
    return this.#isOpen ? this.#work : OTHER_WORK;
  }

  /** How long the turn had taken when the piece that is under way began; 0 when nothing is named yet. */
  get spentMs(): number {
    return this.#isOpen ? this.#pieceAtMs - this.#startedAtMs : 0;
  }

  get nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** When the piece that is under way began. */
  get pieceAtMs(): number {
    return this.#pieceAtMs;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** How long all turns have taken in which something was named, with the one that is open. */
  get namedMs(): number {
    return this.#namedMs + (this.#isOpen ? this.nowMs - this.#startedAtMs : 0);
  }

  get endedAtMs(): number {
    return this.#endedAtMs;
  }

  /** Each work that was named in some turn. */
  get works(): Iterable<WorkTurns> {
    return this.#works.values();
  }

  /** From here on it is this work that takes the loop's time. */
  enter(work: string): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#isOpen) this.#endPiece(nowMs);
    else this.#open(nowMs);
    this.#work = work;
    this.#pieceAtMs = nowMs;
  }

  /** A piece of its own within other work, which goes on after it. */
  during<Result>(work: string, action: () => Result): Result {
    const before = this.work;
    this.enter(work);
    try {
      return action();
    } finally {
      this.enter(before);
    }
  }

  /** A better name for the piece that is under way: for what comes too often to look at the clock for each. */
  rename(work: string): void {
    this.#work = work;
  }

  /** Records a turn that was measured elsewhere. */
  record(work: string, turnMs: number, pieceMs: number): void {
    if (turnMs < TOLD_MS_MIN) return;
    this.#turnsOf(work).record(turnMs, this.#clock.monotonicMs());
    if (turnMs <= LONG_TURN_MS) return;
    for (const listener of this.#listeners) listener(work, turnMs, pieceMs);
  }

  /** Returns what removes the listener again. */
  onLong(listener: LongTurnListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #open(nowMs: number): void {
    this.#isOpen = true;
    this.#startedAtMs = nowMs;
    this.#longestPieceMs = 0;
    this.#whenRound(this.#end);
  }

  #endPiece(nowMs: number): void {
    const pieceMs = nowMs - this.#pieceAtMs;
    const turns = this.#turnsOf(this.#work);
    turns.totalMs += pieceMs;
    if (pieceMs > TOLD_MS_MIN) turns.longestPieceMs = Math.max(turns.longestPieceMs, pieceMs);
    if (pieceMs < this.#longestPieceMs) return;
    this.#longestPieceMs = pieceMs;
    this.#longestWork = this.#work;
  }

  readonly #end = (): void => {
    const nowMs = this.#clock.monotonicMs();
    this.#endPiece(nowMs);
    this.#isOpen = false;
    this.#endedAtMs = nowMs;
    this.#namedMs += nowMs - this.#startedAtMs;
    this.record(this.#longestWork, nowMs - this.#startedAtMs, this.#longestPieceMs);
  };

  #turnsOf(work: string): WorkTurns {
    if (this.#last?.work === work) return this.#last;
    let turns = this.#works.get(work);
    if (turns === undefined) {
      turns = new WorkTurns(work);
      this.#works.set(work, turns);
    }
    this.#last = turns;
    return turns;
  }
}

export const loopTurns = new LoopTurns(systemClock, setImmediate);
