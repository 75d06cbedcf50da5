/** `obelisk topic`: the commands about topics, for any broker that speaks Kafka's protocol. */

import { describeCommand } from "./arguments.ts";
import type { CommandGroup } from "./tree.ts";

export const topicCommands: CommandGroup = {
  summary: "List, describe, create, change and delete topics.",
  examples: [
    "obelisk topic create orders --partitions=3 --config=retention.ms=86400000",
    "obelisk topic list",
    "obelisk topic describe orders",
  ],
  commands: {
    list: {
      summary: "List topics.",
      load: async () => {
        const { topicListCommand, topicListExamples } = await import("./topic-list.ts");
        return describeCommand(topicListCommand, topicListExamples);
      },
    },
    describe: {
      summary: "Show a topic's partitions, offsets, sizes and settings.",
      load: async () => {
        const { topicDescribeCommand, topicDescribeExamples } = await import("./topic-describe.ts");
        return describeCommand(topicDescribeCommand, topicDescribeExamples);
      },
    },
    create: {
      summary: "Create topics.",
      load: async () => {
        const { topicCreateCommand, topicCreateExamples } = await import("./topic-create.ts");
        return describeCommand(topicCreateCommand, topicCreateExamples);
      },
    },
    alter: {
      summary: "Change settings of topics.",
      load: async () => {
        const { topicAlterCommand, topicAlterExamples } = await import("./topic-alter.ts");
        return describeCommand(topicAlterCommand, topicAlterExamples);
      },
    },
    "add-partitions": {
      summary: "Add partitions to topics.",
      load: async () => {
        const { topicAddPartitionsCommand, topicAddPartitionsExamples } = await import(
          "./topic-add-partitions.ts"
        );
        return describeCommand(topicAddPartitionsCommand, topicAddPartitionsExamples);
      },
    },
    trim: {
      summary: "Delete the records of a topic before an offset or a time.",
      load: async () => {
        const { topicTrimCommand, topicTrimExamples } = await import("./topic-trim.ts");
        return describeCommand(topicTrimCommand, topicTrimExamples);
      },
    },
    delete: {
      summary: "Delete topics with all their records.",
      load: async () => {
        const { topicDeleteCommand, topicDeleteExamples } = await import("./topic-delete.ts");
        return describeCommand(topicDeleteCommand, topicDeleteExamples);
      },
    },
  },
};
