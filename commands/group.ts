/** `obelisk group`: the commands about consumer groups, for any broker that speaks Kafka's protocol. */

import { describeCommand } from "./arguments.ts";
import type { CommandGroup } from "./tree.ts";

export const groupCommands: CommandGroup = {
  summary: "List, describe, move and delete consumer groups.",
  examples: [
    "obelisk group list",
    "obelisk group describe billing",
    "obelisk group seek billing --to=earliest",
  ],
  commands: {
    list: {
      summary: "List groups.",
      load: async () => {
        const { groupListCommand, groupListExamples } = await import("./group-list.ts");
        return describeCommand(groupListCommand, groupListExamples);
      },
    },
    describe: {
      summary: "Show a group's state, members, committed offsets and lag.",
      load: async () => {
        const { groupDescribeCommand, groupDescribeExamples } = await import("./group-describe.ts");
        return describeCommand(groupDescribeCommand, groupDescribeExamples);
      },
    },
    seek: {
      summary: "Move a group's committed offsets.",
      load: async () => {
        const { groupSeekCommand, groupSeekExamples } = await import("./group-seek.ts");
        return describeCommand(groupSeekCommand, groupSeekExamples);
      },
    },
    delete: {
      summary: "Delete groups with their committed offsets.",
      load: async () => {
        const { groupDeleteCommand, groupDeleteExamples } = await import("./group-delete.ts");
        return describeCommand(groupDeleteCommand, groupDeleteExamples);
      },
    },
  },
};
