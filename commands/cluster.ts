/** `obelisk cluster`: the commands about brokers, for any broker that speaks Kafka's protocol. */

import { describeCommand } from "./arguments.ts";
import type { CommandGroup } from "./tree.ts";

export const clusterCommands: CommandGroup = {
  summary: "Show a cluster's brokers, and read and change their settings.",
  examples: ["obelisk cluster info", "obelisk cluster config list"],
  commands: {
    info: {
      summary: "Show the brokers, the controller, the features and how many topics there are.",
      load: async () => {
        const { clusterInfoCommand, clusterInfoExamples } = await import("./cluster-info.ts");
        return describeCommand(clusterInfoCommand, clusterInfoExamples);
      },
    },
    config: {
      summary: "Read and change settings of brokers.",
      examples: [
        "obelisk cluster config list",
        "obelisk cluster config get log.retention.ms",
        "obelisk cluster config set log.retention.ms=86400000",
      ],
      commands: {
        list: {
          summary: "List the settings of a broker.",
          load: async () => {
            const { clusterConfigListCommand, clusterConfigListExamples } = await import(
              "./cluster-config.ts"
            );
            return describeCommand(clusterConfigListCommand, clusterConfigListExamples);
          },
        },
        get: {
          summary: "Print the value of one setting.",
          load: async () => {
            const { clusterConfigGetCommand, clusterConfigGetExamples } = await import("./cluster-config.ts");
            return describeCommand(clusterConfigGetCommand, clusterConfigGetExamples);
          },
        },
        set: {
          summary: "Change settings.",
          load: async () => {
            const { clusterConfigSetCommand, clusterConfigSetExamples } = await import(
              "./cluster-config-set.ts"
            );
            return describeCommand(clusterConfigSetCommand, clusterConfigSetExamples);
          },
        },
      },
    },
  },
};
