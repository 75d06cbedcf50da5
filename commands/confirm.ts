/** A change that takes something away is confirmed: with --yes, or by an answer at the terminal. */

import { usage } from "./arguments.ts";
import { note, output } from "./output.ts";
import type { FlagTexts } from "./produce-options.ts";
import { askYesNo } from "./reset-ask.ts";

export const yesFlag = {
  yes: { type: "boolean", alias: "y", description: "Do it without asking." },
} as const;

/** Before any work: without a terminal nobody can answer. @throws ObeliskError INVALID_USAGE */
export function checkCanConfirm(flags: FlagTexts, canAsk: boolean): void {
  if (flags["yes"] === "true" || canAsk) return;
  throw usage(
    "cannot ask for confirmation: standard input is not a terminal",
    "add --yes to do it without asking",
  );
}

/** Whether to go on. What was printed before is shown first. */
export async function confirm(flags: FlagTexts, question: string): Promise<boolean> {
  await output.finish(); // What could not be shown is not done.
  if (flags["yes"] === "true" || (await askYesNo(question, Bun.stdin.stream()))) return true;
  note("nothing was changed");
  return false;
}
