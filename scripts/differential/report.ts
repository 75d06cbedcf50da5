/** What a run found, as lines for people or one object for machines. */

import type { Allowance } from "./allowed.ts";
import { withoutIndices } from "./compare.ts";
import type { Finding, Result } from "./runner.ts";

export interface Report {
  readonly seed: number;
  readonly exchanges: number;
  readonly cases: number;
  /** APIs with versions that were requested. */
  readonly requested: number;
  readonly differences: readonly Finding[];
  readonly allowed: readonly { readonly sentence: string; readonly count: number }[];
  /** Sentences of the list that no longer allow anything; empty when only a part was run. */
  readonly stale: readonly string[];
}

/** Requests longer than this are cut in lines for people; --json has them whole. */
const HEX_SHOWN = 400;
const VALUE_SHOWN = 300;
/** Examples of one class of difference that are shown. */
const EXAMPLES = 2;

export function reportOf(
  result: Result,
  seed: number,
  requested: number,
  list: readonly Allowance[],
  isWhole: boolean,
): Report {
  const differences = result.findings.filter(({ allowedBy }) => allowedBy === null);
  const counts = new Map<string, number>();
  for (const { allowedBy } of result.findings) {
    if (allowedBy !== null) counts.set(allowedBy, (counts.get(allowedBy) ?? 0) + 1);
  }
  const stale = isWhole ? list.filter((allowance) => !result.used.has(allowance)) : [];
  return {
    seed,
    exchanges: result.exchanges,
    cases: result.cases,
    requested,
    differences,
    allowed: [...counts].map(([sentence, count]) => ({ sentence, count })),
    stale: stale.map(({ sentence, api, path, case: name }) => `${sentence} (${api}, ${path}, ${name})`),
  };
}

export function linesOf(report: Report): string[] {
  const lines: string[] = [];
  for (const group of groups(report.differences)) {
    lines.push(`${group.length} x ${titleOf(group[0]!)}`);
    for (const finding of group.slice(0, EXAMPLES)) {
      lines.push(
        `  ${finding.api} ${finding.version}, ${finding.case}`,
        `    ${finding.path}`,
        `    kafka    ${shown(finding.kafka)}`,
        `    obelisk  ${shown(finding.obelisk)}`,
        `    request  ${cut(finding.request, HEX_SHOWN)}`,
      );
    }
  }
  for (const { sentence, count } of report.allowed) lines.push(`allowed ${count} x ${sentence}`);
  for (const entry of report.stale) lines.push(`the list allows what was not found: ${entry}`);
  const { exchanges, cases, requested, differences, seed } = report;
  lines.push(
    `${exchanges} exchanges compared in ${cases} cases, ${requested} APIs with version, seed ${seed}: ` +
      `${differences.length} ${differences.length === 1 ? "difference" : "differences"} outside the list`,
  );
  return lines;
}

/** Findings of one kind together: the same field of the same API with the same two values. */
function groups(findings: readonly Finding[]): Finding[][] {
  const byTitle = new Map<string, Finding[]>();
  for (const finding of findings) {
    const title = titleOf(finding);
    const group = byTitle.get(title);
    if (group === undefined) byTitle.set(title, [finding]);
    else group.push(finding);
  }
  return [...byTitle.values()].sort((a, b) => b.length - a.length);
}

function titleOf({ api, path, kafka, obelisk }: Finding): string {
  return `${api} ${withoutIndices(path)}: kafka ${kindOf(kafka)}, obelisk ${kindOf(obelisk)}`;
}

function kindOf(value: unknown): string {
  if (typeof value === "object" && value !== null && "outcome" in value) return String(value.outcome);
  return cut(JSON.stringify(value), 60);
}

function shown(value: unknown): string {
  return cut(JSON.stringify(value), VALUE_SHOWN);
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}... (${text.length} characters)`;
}
