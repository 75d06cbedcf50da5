/**
 * `obelisk topic delete`: deletes topics with all their records. Names them and asks first, unless --yes.
 * With --json one line for each topic: {"topic", "deleted"}.
 * Exit codes: 0 deleted, 1 no such topic, or not confirmed, 2 failed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { forEach, jsonFlag, withAdmin } from "./admin.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { checkCanConfirm, confirm, yesFlag } from "./confirm.ts";
import { EXIT, output } from "./output.ts";
import { findTopics, regexFlag, topicsArgument } from "./topic-names.ts";

export const topicDeleteExamples = [
  "obelisk topic delete orders",
  "obelisk topic delete --regex '^test-' --yes",
];

const topicDeleteArgs = {
  ...topicsArgument,
  ...regexFlag,
  ...yesFlag,
  ...jsonFlag,
  ...brokersFlag,
} as const;

export const topicDeleteCommand = defineCommand({
  meta: { name: "topic delete", description: "Deletes topics with all their records. Asks first." },
  args: topicDeleteArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(topicDeleteArgs, rawArgs);
    checkCanConfirm(flags, process.stdin.isTTY === true);
    const isJson = flags["json"] === "true";
    return await withAdmin(flags, async (admin) => {
      const names = (await findTopics(admin, args._, flags)).map(({ name }) => name);
      const what = names.length === 1 ? `topic ${names[0]}` : `${names.length} topics: ${names.join(", ")}`;
      if (!(await confirm(flags, `delete ${what}?`))) return EXIT.no;
      return await forEach(names, "topic", isJson, async (name) => {
        await admin.deleteTopic(name);
        if (isJson) output.json({ topic: name, deleted: true });
        else output.line(`deleted topic ${name}`);
        return EXIT.yes;
      });
    });
  },
});
