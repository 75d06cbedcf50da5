/** `obelisk profile`: the commands about profiles, which keep brokers and more under a name (profiles.ts). */

import { describeCommand } from "./arguments.ts";
import type { CommandGroup } from "./tree.ts";

export const profileCommands: CommandGroup = {
  summary: "Keep brokers and more under a name.",
  examples: [
    "obelisk profile create prod --brokers=kafka.example:9092 --group=billing",
    "obelisk profile use prod",
    "obelisk topic list --profile=prod",
  ],
  commands: {
    create: {
      summary: "Create a profile.",
      load: async () => {
        const { profileCreateCommand, profileCreateExamples } = await import("./profile-edit.ts");
        return describeCommand(profileCreateCommand, profileCreateExamples);
      },
    },
    list: {
      summary: "List profiles.",
      load: async () => {
        const { profileListCommand, profileListExamples } = await import("./profile-show.ts");
        return describeCommand(profileListCommand, profileListExamples);
      },
    },
    show: {
      summary: "Show what a profile says.",
      load: async () => {
        const { profileShowCommand, profileShowExamples } = await import("./profile-show.ts");
        return describeCommand(profileShowCommand, profileShowExamples);
      },
    },
    use: {
      summary: "Choose the profile that counts where none is named.",
      load: async () => {
        const { profileUseCommand, profileUseExamples } = await import("./profile-edit.ts");
        return describeCommand(profileUseCommand, profileUseExamples);
      },
    },
    edit: {
      summary: "Change a profile.",
      load: async () => {
        const { profileEditCommand, profileEditExamples } = await import("./profile-edit.ts");
        return describeCommand(profileEditCommand, profileEditExamples);
      },
    },
    delete: {
      summary: "Delete a profile.",
      load: async () => {
        const { profileDeleteCommand, profileDeleteExamples } = await import("./profile-edit.ts");
        return describeCommand(profileDeleteCommand, profileDeleteExamples);
      },
    },
  },
};
