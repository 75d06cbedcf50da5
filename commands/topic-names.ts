/** The topics that a command's words name: names as they are, or with --regex every topic that an expression matches. */

import { ObeliskError } from "../src/base/errors.ts";
import type { Admin } from "../src/client/admin.ts";
import type { TopicMetadata } from "../src/client/cluster.ts";
import { REPEATABLE, usage } from "./arguments.ts";
import type { FlagTexts } from "./produce-options.ts";

export const topicsArgument = {
  topics: {
    type: "positional",
    required: true,
    valueHint: `${REPEATABLE}TOPIC`,
    description: "The topics.",
  },
} as const;

export const regexFlag = {
  regex: {
    type: "boolean",
    description:
      "The words are regular expressions that match a part of a topic's name; ^ and $ are its ends.",
  },
} as const;

/** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION for a name that there is not, INVALID_USAGE for an expression that is none */
export async function findTopics(
  admin: Admin,
  words: readonly string[],
  flags: FlagTexts,
): Promise<TopicMetadata[]> {
  const names = [...new Set(words)];
  if (flags["regex"] === "true") {
    const patterns = names.map(patternOf);
    const topics = await admin.listTopics();
    const found = topics.filter(
      ({ name, isInternal }) => !isInternal && patterns.some((pattern) => pattern.test(name)),
    );
    if (found.length > 0) return found;
    throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", {
      detail: `no topic matches ${names.join(" or ")}`,
    });
  }
  const found: TopicMetadata[] = [];
  for (const name of names) found.push(await findTopic(admin, name));
  return found;
}

/** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION */
export async function findTopic(admin: Admin, name: string): Promise<TopicMetadata> {
  const found = await admin.describeTopic(name);
  if (found !== undefined) return found;
  throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", {
    detail: `topic ${name} does not exist`,
    remedy: "`obelisk topic list` shows those that there are",
  });
}

/** A pattern of the command line. @throws ObeliskError INVALID_USAGE */
export function patternOf(text: string): RegExp {
  try {
    return new RegExp(text, "u");
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw usage(
      `\`${text}\` is not a regular expression: ${thrown.message.replace(/^Invalid regular expression: /, "")}`,
    );
  }
}

/** Settings as the command line gives them: NAME=VALUE. @throws ObeliskError INVALID_USAGE */
export function configPairs(flag: string, texts: readonly string[]): [name: string, value: string][] {
  return texts.map((text) => {
    const equals = text.indexOf("=");
    if (equals < 1)
      throw usage(`${flag === "" ? "a setting" : `--${flag}`} must be NAME=VALUE, not \`${text}\``);
    return [text.slice(0, equals), text.slice(equals + 1)];
  });
}
