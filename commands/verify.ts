/**
 * `obelisk verify`: checks every byte of a data directory. Findings go to standard output as they are found, one per line, then a
 * summary. Exit 0 when all is well, 1 when something was found; with --repair 0 when nothing remains. Notes change no exit code.
 */

import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineCommand } from "citty";
import { systemClock } from "../src/base/clock.ts";
import { createDisk } from "../src/base/disk.ts";
import type { Files } from "../src/base/files.ts";
import { LineLog } from "../src/base/log.ts";
import type { Finding } from "../src/storage/contract.ts";
import { randomClusterId } from "../src/storage/file/data-directory.ts";
import { repairDirectory } from "../src/storage/verify/repair.ts";
import { bytesToVerify, type VerifyOptions, verifyDirectory } from "../src/storage/verify.ts";
import { flagValues } from "./arguments.ts";
import { dataDirectory } from "./data-directory.ts";
import { EXIT, output } from "./output.ts";
import { createProgress, type Progress } from "./output-progress.ts";
import { findingLine, repairedLine, summaryLines } from "./verify-lines.ts";

export const verifyExamples = [
  "obelisk verify",
  "obelisk verify /var/lib/obelisk --json",
  "obelisk verify data --repair",
];

const verifyArgs = {
  dir: {
    type: "positional",
    required: false,
    description: "The data directory; the `data` setting when left out.",
  },
  repair: {
    type: "boolean",
    description:
      "Repair what is found, as recovery at the start of the server does. What is cut out is kept in quarantine/.",
  },
  json: {
    type: "boolean",
    description: "Print one JSON object per line: findings, repairs, then the summary.",
  },
} as const;

export const verifyCommand = defineCommand({
  meta: {
    name: "verify",
    description: "Checks every byte of a data directory, and repairs it with --repair.",
  },
  args: verifyArgs,
  run: async ({ rawArgs, args }) => {
    const { repair, json } = flagValues(verifyArgs, rawArgs);
    const files = createDisk();
    const root = dataDirectory(args.dir);
    const isJson = json === "true";
    const total = bytesToVerify(files, root);
    const progress = createProgress({ label: "checking", unit: "bytes", total, isShown: !isJson });
    const scratchDirectory = join(tmpdir(), `obelisk-verify-${crypto.randomUUID()}`);
    files.makeDirectory(scratchDirectory);
    const options: VerifyOptions = {
      scratchDirectory,
      onFinding: (finding) => tell(progress, isJson, "finding", finding),
      onNote: (note) => tell(progress, isJson, "note", note),
      onProgress: (bytes) => progress.update(bytes),
    };
    try {
      return await (repair === "true" ? runRepair : check)(files, root, options, progress, isJson);
    } finally {
      progress.finish();
      files.removeDirectory(scratchDirectory);
    }
  },
});

async function check(
  files: Files,
  root: string,
  options: VerifyOptions,
  progress: Progress,
  isJson: boolean,
): Promise<number> {
  const summary = await verifyDirectory(files, root, options);
  progress.finish();
  if (isJson) output.json({ event: "summary", directory: root, ...summary });
  else for (const line of summaryLines(root, summary)) output.line(line);
  return summary.findings === 0 ? EXIT.yes : EXIT.no;
}

async function runRepair(
  files: Files,
  root: string,
  options: VerifyOptions,
  progress: Progress,
  isJson: boolean,
): Promise<number> {
  const { before, after, remaining } = await repairDirectory(files, root, {
    ...options,
    clock: systemClock,
    log: new LineLog("warn", isJson ? "json" : "text"),
    pid: process.pid,
    newClusterId: randomClusterId,
    newTopicId: () => crypto.randomUUID(),
    onRepair: (repair) => tell(progress, isJson, "repair", repair),
  });
  progress.finish();
  for (const finding of remaining) tell(progress, isJson, "remaining", finding);
  if (isJson) output.json({ event: "summary", directory: root, ...after, findingsBefore: before.findings });
  else output.line(repairedLine(root, before.findings, remaining.length));
  return remaining.length === 0 ? EXIT.yes : EXIT.no;
}

function tell(
  progress: Progress,
  isJson: boolean,
  event: "finding" | "note" | "repair" | "remaining",
  finding: Finding,
): void {
  progress.finish();
  if (isJson) output.json({ event, ...finding });
  else output.line(findingLine(event, finding));
  output.flush();
}
