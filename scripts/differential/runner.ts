/**
 * Runs cases against both servers, some at a time, and collects what differs. The steps of a case follow each other at each
 * server; a step goes to both at once. The order of the findings is that of the cases, whatever ends first.
 *
 * Where one server does what the other refuses, they hold different things from there on: the rest of the case is skipped,
 * because all that it could find would follow from that.
 */

import { type Allowance, allowanceFor } from "./allowed.ts";
import type { Case, Step } from "./case.ts";
import { compare, type Difference } from "./compare.ts";
import type { Reply, Side } from "./side.ts";

export interface Finding extends Difference {
  readonly api: string;
  readonly version: number;
  readonly case: string;
  readonly request: string;
  /** The sentence that allows it, or null: a fault. */
  readonly allowedBy: string | null;
}

export interface Result {
  exchanges: number;
  cases: number;
  findings: Finding[];
  /** Sentences of the list that matched something. */
  used: Set<Allowance>;
}

const CASES_AT_ONCE = 4;
/** APIs that change what a server holds, and the differences after which it holds something else. */
const CHANGING: ReadonlySet<string> = new Set([
  "Produce",
  "CreateTopics",
  "DeleteTopics",
  "DeleteRecords",
  "OffsetCommit",
]);
const PARTING = /(^\(outcome\)|\berrorCode|\bbaseOffset|\.length)$/;

export interface Sides {
  readonly kafka: Side;
  readonly obelisk: Side;
}

export async function runCases(
  sides: Sides,
  cases: readonly Case[],
  fixtures: ReadonlySet<string>,
  allowed: readonly Allowance[],
): Promise<Result> {
  const result: Result = { exchanges: 0, cases: 0, findings: [], used: new Set() };
  const found: Finding[][] = cases.map(() => []);
  let next = 0;
  const work = async () => {
    for (let index = next++; index < cases.length; index = next++) {
      found[index] = await runCase(sides, cases[index]!, fixtures, allowed, result);
    }
  };
  await Promise.all(Array.from({ length: CASES_AT_ONCE }, work));
  result.findings = found.flat();
  return result;
}

async function runCase(
  { kafka, obelisk }: Sides,
  whole: Case,
  fixtures: ReadonlySet<string>,
  allowed: readonly Allowance[],
  result: Result,
): Promise<Finding[]> {
  const atKafka = kafka.begin(whole, fixtures);
  const atObelisk = obelisk.begin(whole, fixtures);
  const findings: Finding[] = [];
  result.cases += 1;
  for (const step of whole.steps) {
    const name = step.note === undefined ? whole.name : `${whole.name}: ${step.note}`;
    const [kafkaReply, obeliskReply] = await Promise.all([atKafka.run(step), atObelisk.run(step)]);
    result.exchanges += 1;
    const differences = differencesOf(kafkaReply, obeliskReply);
    for (const difference of differences) {
      const place = { ...difference, api: step.api.name, version: step.version, case: name };
      const allowance = allowanceFor(allowed, place);
      if (allowance !== null) result.used.add(allowance);
      const request = obeliskReply.request.toString("hex");
      findings.push({ ...place, request, allowedBy: allowance?.sentence ?? null });
    }
    if (CHANGING.has(step.api.name) && differences.some(({ path }) => PARTING.test(path))) break;
  }
  return findings;
}

/** Where the kinds of reply differ, that is the difference, with the response beside it. */
export function differencesOf(kafka: Reply, obelisk: Reply): Difference[] {
  if (kafka.outcome === obelisk.outcome) return compare(kafka.response, obelisk.response);
  return [{ path: "(outcome)", kafka: told(kafka), obelisk: told(obelisk) }];
}

function told({ outcome, response }: Reply): unknown {
  return response === null ? outcome : { outcome, response };
}

/** Every API and version that the cases request. */
export function coverage(cases: readonly Case[]): Set<string> {
  return new Set(
    cases.flatMap(({ steps }) => steps.map(({ api, version }: Step) => `${api.name} ${version}`)),
  );
}
