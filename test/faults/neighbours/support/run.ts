/**
 * Runs one attack: a server of its own, the honest pair beside it, the attack, and the outcome of both. What is required of the server
 * is the same for every attack: it lives, its resident memory stays below the ceiling and what the process needs beside it, and the
 * honest are neither cut nor get a wrong response. How long they waited is for `late` to judge.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MiB } from "../../../../src/base/units.ts";
import type { Program } from "../../../support/obelisk-command.ts";
import { type Attack, type Load, Stage } from "./attack.ts";
import type { PairReport } from "./pair.ts";
import type { StrandReport } from "./strand.ts";
import { endsWithUs, WatchedServer } from "./watched-server.ts";

/** The default of `memory`, and what the process needs beside it. */
export const RESIDENT_BYTES_MAX = (512 + 200) * MiB;
/** What an honest neighbour may wait, one time in a hundred. */
const P99_MS_MAX = 20;
/** Strands whose work is small enough for that. */
const QUICK_STRANDS = ["ping", "small", "small read"];
const TURN_MS_MAX = 50;
const LARGE_TURN_MS_MAX = 100;
const TURN_GAUGE = "obelisk_loop_turn_seconds_max";

/** Beside nothing: what the neighbours have from each other and from the machine. */
const PAIR: Readonly<Record<Load, { oldMebibytes: number; graceMs: number }>> = {
  full: { oldMebibytes: 160, graceMs: 10_000 },
  quick: { oldMebibytes: 160, graceMs: 10_000 },
  suite: { oldMebibytes: 16, graceMs: 30_000 },
};
const WATCH_SECONDS: Readonly<Record<Load, number>> = { full: 10, quick: 5, suite: 0.5 };
const RUN_MS_MAX = 180_000;

export interface AttackReport {
  readonly attack: string;
  readonly what: string;
  readonly seconds: number;
  /** How the server ended, when it did. */
  readonly ended: string | null;
  readonly residentBeforeMb: number;
  readonly residentPeakMb: number;
  readonly residentAfterMb: number;
  /** The longest turn of the loop by the server's own measure, and the longest that a small request waited. */
  readonly turnMs: number | null;
  readonly turnWork: string | null;
  readonly pingMaxMs: number | null;
  readonly strands: Readonly<Record<string, StrandReport>>;
  readonly cut: readonly string[];
  readonly facts: Readonly<Record<string, number | string>>;
  readonly logLines: number;
  readonly log: readonly string[];
  /** What must not be, whatever the machine is busy with. */
  readonly breaches: readonly string[];
  /** What took too long; another reason may be a busy machine. */
  readonly late: readonly string[];
}

export async function runAttack(attack: Attack, load: Load, program: Program): Promise<AttackReport> {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-neighbours-"));
  try {
    const data = join(directory, "data");
    await attack.plant?.(data, load, program);
    await using server = await WatchedServer.start(data, attack.flags ?? [], program);
    return await beside(attack, new Stage(server, data, load));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function beside(attack: Attack, stage: Stage): Promise<AttackReport> {
  const { server } = stage;
  await attack.prepare?.(stage);
  await using pair = await Pair.start(server, stage.load);
  const turnsBefore = await server.gauge(TURN_GAUGE);
  const [prepareWork, prepareMs] = longestTurn(new Map(), turnsBefore);
  if (prepareMs !== null && prepareMs > LARGE_TURN_MS_MAX)
    stage.facts["prepareTurn"] = `${prepareMs} ms (${prepareWork})`;
  pair.begin();
  server.resetPeak();
  const residentBefore = server.residentBytes();
  const startedAt = performance.now();
  const timer = Promise.withResolvers<void>();
  const deadline = setTimeout(() => {
    stage.breaches.push(`the attack had no end after ${RUN_MS_MAX / 1000} s`);
    timer.resolve();
  }, RUN_MS_MAX);
  await Promise.race([attack.run(stage), server.whenEnded, timer.promise]);
  clearTimeout(deadline);
  // One request is over soon: what a neighbour meets one time in a hundred shows in a longer while.
  const attackSeconds = (performance.now() - startedAt) / 1000;
  await stage.wait(Math.max(0, WATCH_SECONDS[stage.load] - attackSeconds));
  const { strands, cut, wrong } = await pair.end();
  const [turnWork, turnMs] = longestTurn(turnsBefore, await server.gauge(TURN_GAUGE));
  const residentPeak = server.peakBytes();
  const residentAfter = server.residentBytes();
  stage.close();
  if (server.ended !== null) stage.breaches.push(`the server was ${server.ended}`);
  if (residentPeak > RESIDENT_BYTES_MAX) stage.breaches.push(`${megabytes(residentPeak)} MB resident`);
  for (const name of cut) stage.breaches.push(`the honest ${name} was cut`);
  stage.breaches.push(...wrong);
  for (const [name, { outstanding }] of Object.entries(strands)) {
    if (outstanding > 0 && !cut.includes(name))
      stage.breaches.push(`the honest ${name} had no response ${outstanding} times`);
  }
  return {
    attack: attack.name,
    what: attack.what,
    seconds: Math.round(attackSeconds * 10) / 10,
    ended: server.ended,
    residentBeforeMb: megabytes(residentBefore),
    residentPeakMb: megabytes(residentPeak),
    residentAfterMb: megabytes(residentAfter),
    turnMs,
    turnWork,
    pingMaxMs: strands["ping"]?.maxMs ?? null,
    strands,
    cut,
    facts: stage.facts,
    logLines: server.logLines,
    log: server.log,
    breaches: stage.breaches,
    late: lateness(strands, turnMs, attack.isOneRequest === true ? LARGE_TURN_MS_MAX : TURN_MS_MAX),
  };
}

/** The longest turn that was longer than any of its work before; nothing where the server does not report it or none was. */
function longestTurn(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): [string, number] | [null, null] {
  const grown = [...after].filter(([work, seconds]) => seconds > (before.get(work) ?? 0));
  const longest = grown.sort(([, left], [, right]) => right - left)[0];
  return longest === undefined ? [null, null] : [longest[0], Math.round(longest[1] * 1000)];
}

function lateness(strands: PairReport["strands"], turnMs: number | null, turnMsMax: number): string[] {
  const late = QUICK_STRANDS.filter((name) => (strands[name]?.p99Ms ?? 0) > P99_MS_MAX).map(
    (name) => `the honest ${name} waited ${strands[name]!.p99Ms} ms one time in a hundred`,
  );
  if (turnMs !== null && turnMs > turnMsMax) late.push(`a turn of the loop took ${turnMs} ms`);
  return late;
}

/** The honest pair as a child. */
class Pair implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: Bun.Subprocess<"pipe", "pipe", "inherit">) {
    this.#child = child;
    this.#lines = lines(child.stdout);
  }

  static async start(server: WatchedServer, load: Load): Promise<Pair> {
    const { oldMebibytes, graceMs } = PAIR[load];
    const args = [server.kafkaPort, server.nativePort, oldMebibytes, graceMs].map(String);
    const command = [process.execPath, join(import.meta.dir, "pair.ts"), ...args];
    const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    endsWithUs(child);
    const pair = new Pair(child);
    const first = await pair.#lines.next();
    if (first.value !== "ready") throw new Error(`the honest pair did not start: ${first.value}`);
    return pair;
  }

  begin(): void {
    this.#child.stdin.write("begin\n");
    this.#child.stdin.flush();
  }

  async end(): Promise<PairReport> {
    this.#child.stdin.end();
    const last = await this.#lines.next();
    if (last.done === true) throw new Error("the honest pair ended without a report");
    return JSON.parse(last.value) as PairReport;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const whole = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = whole.pop()!;
    yield* whole;
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
