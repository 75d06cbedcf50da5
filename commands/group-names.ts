/** The groups that a command's words name. */

import { ObeliskError } from "../src/base/errors.ts";
import { REPEATABLE } from "./arguments.ts";

export const groupsArgument = {
  groups: {
    type: "positional",
    required: true,
    valueHint: `${REPEATABLE}GROUP`,
    description: "The groups.",
  },
} as const;

export function noGroup(group: string): ObeliskError {
  return new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", {
    detail: `group ${group} does not exist`,
    remedy: "`obelisk group list` shows those that there are",
  });
}
