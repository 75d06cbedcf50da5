/** What `obelisk consume` is to do: its flags as checked values. */

import { type Filter, parseFilter } from "../src/filter/filter.ts";
import { usage } from "./arguments.ts";
import { type Place, parsePlace } from "./consume-start.ts";
import { choice, type FlagTexts, wholeNumber } from "./produce-options.ts";

export const MODES = ["poll", "continuous", "reset"] as const;
export type ConsumeMode = (typeof MODES)[number];
export const GROUP_DEFAULT = "obelisk-cli";

export interface ConsumeOptions {
  readonly topics: readonly string[];
  /** -1: all. */
  readonly partition: number;
  readonly mode: ConsumeMode;
  readonly group: string;
  /** Whether to read as a member of the group. */
  readonly isMember: boolean;
  /** The name of a static member. */
  readonly instance: string | undefined;
  readonly from: Place | "committed";
  /** Infinity: no limit. */
  readonly max: number;
  /** Which records are printed; null: all. */
  readonly filter: Filter | null;
  readonly format: string | null;
  readonly isJson: boolean;
  readonly commits: boolean;
  readonly isCommittedOnly: boolean;
  readonly skipsUnreadable: boolean;
  readonly brokers: string;
}

const PARTITION_MAX = 2 ** 31 - 1;

/** `words` are the arguments without a flag: topics, unless `--topic` names them. @throws ObeliskError INVALID_USAGE, INVALID_FILTER */
export function consumeOptions(flags: FlagTexts, words: readonly string[]): ConsumeOptions {
  if (flags["topic"] !== undefined && words.length > 0) throw usage(`unexpected argument \`${words[0]}\``);
  const named = flags["topic"] === undefined ? words : [flags["topic"]];
  const topics = [...new Set(named.flatMap((text) => text.split(",")).filter((topic) => topic !== ""))];
  if (topics.length === 0)
    throw usage("no topic is given", "write `obelisk consume TOPIC`, or --topic=TOPIC");
  const mode = choice("mode", flags["mode"] ?? "poll", MODES);
  if (mode === "reset" && flags["from"] !== undefined) {
    throw usage("--mode=reset starts at the first record", "leave out --from, or use --mode=poll");
  }
  if (flags["format"] !== undefined && flags["json"] === "true")
    throw usage("give --format or --json, not both");
  if (flags["group"] === "")
    throw usage("--group must not be empty", "use --no-commit to leave the group's offsets alone");
  const isMember =
    flags["group"] !== undefined && flags["partition"] === undefined && flags["commit"] !== "false";
  if (flags["instance"] !== undefined && !isMember) {
    throw usage(
      "--instance is for members of a group",
      "add --group, and leave out --partition and --no-commit",
    );
  }
  if (flags["instance"] === "") throw usage("--instance must not be empty");
  return {
    topics,
    partition:
      flags["partition"] === undefined ? -1 : wholeNumber("partition", flags["partition"], PARTITION_MAX),
    mode,
    group: flags["group"] ?? GROUP_DEFAULT,
    isMember,
    instance: flags["instance"],
    from:
      mode === "reset"
        ? "earliest"
        : flags["from"] === undefined
          ? "committed"
          : parsePlace("from", flags["from"]),
    max:
      flags["max"] === undefined
        ? Number.POSITIVE_INFINITY
        : wholeNumber("max", flags["max"], Number.MAX_SAFE_INTEGER),
    filter: flags["filter"] === undefined ? null : parseFilter(flags["filter"]),
    format: flags["format"] ?? null,
    isJson: flags["json"] === "true",
    commits: flags["commit"] !== "false",
    isCommittedOnly: flags["committed-only"] === "true",
    skipsUnreadable: flags["skip-unreadable"] === "true",
    brokers: flags["brokers"] ?? "",
  };
}
