/** What the commands about topics, groups and clusters share: a connection, and work on several names of which each may fail. */

import { ERRORS, type ObeliskError, toObeliskError } from "../src/base/errors.ts";
import { Admin } from "../src/client/admin.ts";
import { EXIT, note, output } from "./output.ts";
import type { FlagTexts } from "./produce-options.ts";
import { sayRetries } from "./retry-note.ts";

/** The flag of every command whose result may be JSON. */
export const jsonFlag = {
  json: { type: "boolean", description: "Print one line of JSON for each result." },
} as const;

/** Runs `work` with a connection to the brokers of the flags, and closes it. */
export async function withAdmin<Result>(
  flags: FlagTexts,
  work: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const admin = await Admin.connect({
    brokers: flags["brokers"] ?? "",
    clientId: "obelisk-admin",
    onRetry: sayRetries(),
  });
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

/**
 * Does the same to each name in turn. One that fails does not stop the others: it is reported, and the exit code is that of the
 * worst. With a single name the error is thrown, as by any other command.
 */
export async function forEach(
  names: readonly string[],
  what: "topic" | "group",
  isJson: boolean,
  work: (name: string) => Promise<number>,
): Promise<number> {
  let exitCode: number = EXIT.yes;
  for (const name of names) {
    try {
      exitCode = Math.max(exitCode, await work(name));
    } catch (thrown) {
      if (names.length === 1) throw thrown;
      const error = toObeliskError(thrown);
      if (ERRORS[error.code].wire === -1 && error.facts.wire === undefined) throw thrown; // Not about this name.
      sayFailure(error, { [what]: name }, isJson);
      exitCode = Math.max(exitCode, error.exitCode);
    }
  }
  return exitCode;
}

function sayFailure(error: ObeliskError, place: object, isJson: boolean): void {
  note(`obelisk: ${error.message}`);
  if (isJson) output.json({ ...place, error: { code: error.code, message: error.message } });
}
