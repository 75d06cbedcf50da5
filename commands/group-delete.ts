/**
 * `obelisk group delete`: deletes groups without members, with their committed offsets. Asks first, unless --yes.
 * With --json one line for each group: {"group", "deleted"}.
 * Exit codes: 0 deleted, 1 no such group, or not confirmed, 2 failed, or the group has members, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { isNoGroup } from "../src/client/admin/groups.ts";
import type { Admin } from "../src/client/admin.ts";
import { forEach, jsonFlag, withAdmin } from "./admin.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { checkCanConfirm, confirm, yesFlag } from "./confirm.ts";
import { groupsArgument, noGroup } from "./group-names.ts";
import { EXIT, output } from "./output.ts";

export const groupDeleteExamples = [
  "obelisk group delete billing",
  "obelisk group delete billing shipping --yes --json",
];

const groupDeleteArgs = { ...groupsArgument, ...yesFlag, ...jsonFlag, ...brokersFlag } as const;

export const groupDeleteCommand = defineCommand({
  meta: {
    name: "group delete",
    description: "Deletes groups without members, with their committed offsets. Asks first.",
  },
  args: groupDeleteArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(groupDeleteArgs, rawArgs);
    checkCanConfirm(flags, process.stdin.isTTY === true);
    const names = [...new Set(args._)];
    const isJson = flags["json"] === "true";
    return await withAdmin(flags, async (admin) => {
      const what = names.length === 1 ? `group ${names[0]}` : `${names.length} groups: ${names.join(", ")}`;
      if (!(await confirm(flags, `delete ${what} and the committed offsets?`))) return EXIT.no;
      return await forEach(names, "group", isJson, async (name) => {
        await deleteGroup(admin, name);
        if (isJson) output.json({ group: name, deleted: true });
        else output.line(`deleted group ${name}`);
        return EXIT.yes;
      });
    });
  },
});

async function deleteGroup(admin: Admin, name: string): Promise<void> {
  try {
    await admin.deleteGroup(name);
  } catch (thrown) {
    throw isNoGroup(thrown) ? noGroup(name) : thrown;
  }
}
