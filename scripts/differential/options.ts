/** The command line of the comparison. */

export interface Options {
  readonly seed: number;
  /** Only cases that request this API; null: all. */
  readonly only: string | null;
  /** Random mutations of the bytes of each request. */
  readonly byteMutations: number;
  /** Only cases whose name holds this text. */
  readonly match: string;
  readonly isJson: boolean;
}

export const USAGE = `Sends the same bytes to Apache Kafka and to dist/obelisk, and compares the responses.

Usage
  bun scripts/differential/main.ts [FLAGS]

Flags
  --seed N      of the random mutations (default 1)
  --cases N     random mutations of each request (default 12)
  --only API    only cases that request this API, as in --only ListOffsets
  --match TEXT  only cases whose name holds the text
  --json        one JSON object instead of lines

Needs java, KAFKA_HOME (a directory with Kafka's libs/) and ./scripts/build.
Exit codes: 0 no difference outside the list, 1 differences, 2 could not run, 64 wrong usage.`;

/** The numbers that --seed and --cases may have. */
const NUMBER_MAX = 2 ** 31 - 1;
const CASES_MAX = 100_000;

/** A text instead of options is what is wrong with them; null requests help. */
export function parseOptions(args: readonly string[], apis: readonly string[]): Options | string | null {
  const values: Record<string, string> = {};
  let isJson = false;
  for (let index = 0; index < args.length; index += 1) {
    const [name = "", inline] = splitFlag(args[index]!);
    if (name === "--help") return null;
    if (name === "--json" && inline === undefined) isJson = true;
    else if (["--seed", "--cases", "--only", "--match"].includes(name)) {
      const value = inline ?? args[(index += 1)];
      if (value === undefined) return `${name} needs a value`;
      values[name] = value;
    } else return `${args[index]} is not known; see --help`;
  }
  const seed = wholeNumber(values["--seed"] ?? "1", NUMBER_MAX);
  if (seed === null) return `--seed must be a whole number from 0 to ${NUMBER_MAX}`;
  const byteMutations = wholeNumber(values["--cases"] ?? "12", CASES_MAX);
  if (byteMutations === null) return `--cases must be a whole number from 0 to ${CASES_MAX}`;
  const only = values["--only"] ?? null;
  if (only !== null && !apis.includes(only)) return `--only must be one of ${apis.join(", ")}`;
  return { seed, only, byteMutations, match: values["--match"] ?? "", isJson };
}

function splitFlag(argument: string): [name: string, value: string | undefined] {
  const at = argument.indexOf("=");
  return at === -1 ? [argument, undefined] : [argument.slice(0, at), argument.slice(at + 1)];
}

function wholeNumber(text: string, limit: number): number | null {
  return /^\d+$/.test(text) && Number(text) <= limit ? Number(text) : null;
}
