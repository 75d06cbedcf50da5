/** What `verify` says to people. */

import { formatBytes } from "../src/base/units.ts";
import type { Finding } from "../src/storage/contract.ts";
import type { VerifySummary } from "../src/storage/verify/sink.ts";

const EVENT_WORDS = {
  finding: "",
  note: "note: ",
  omitted: "skipped: ",
  repair: "repaired: ",
  remaining: "remains: ",
} as const;

/** One finding: `topics/t/0/0.log at 1234, 56 bytes: damaged-batch: CRC mismatch`. */
export function findingLine(
  event: keyof typeof EVENT_WORDS,
  { file, position, bytes, kind, detail }: Finding,
): string {
  return `${EVENT_WORDS[event]}${file} at ${position}, ${count(bytes, "byte")}: ${kind}: ${detail}`;
}

/** The end of a check. */
export function summaryLines(root: string, summary: VerifySummary): string[] {
  const { findings, topics, partitions, segments, batches, records, bytes } = summary;
  const verdict = findings === 0 ? "nothing wrong" : count(findings, "finding");
  const lines = [
    `${root}: ${verdict}`,
    `  checked ${formatBytes(bytes)}: ${count(topics, "topic")}, ${count(partitions, "partition")}, ${count(segments, "segment")}, ${count(batches, "batch", "batches")}, ${count(records, "record")}`,
  ];
  if (summary.goMessages > 0)
    lines.push(`  ${count(summary.goMessages, "message")} of a Go Obelisk, imported at the next start`);
  if (summary.holes > 0) {
    lines.push(
      `  ${count(summary.holes, "hole")} of ${formatBytes(summary.holeBytes)} in all, quarantined by earlier recoveries (quarantine/)`,
    );
  }
  if (summary.notes > 0) lines.push(`  ${count(summary.notes, "note")}: no damage, and nothing to repair`);
  if (summary.isServerRunning)
    lines.push("  a server is running here: what it was just writing was not checked");
  if (findings > 0) lines.push(`  \`obelisk verify ${root} --repair\` repairs what can be repaired`);
  return lines;
}

/** The end of a repair. */
export function repairedLine(root: string, findings: number, remaining: number): string {
  if (findings === 0) return `${root}: nothing wrong, nothing changed`;
  if (remaining === 0) return `${root}: repaired, ${count(findings, "finding")}, none remains`;
  return `${root}: ${count(findings, "finding")}, ${remaining} of them could not be repaired`;
}

function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}
