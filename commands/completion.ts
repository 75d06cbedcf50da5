/**
 * `obelisk completion`: the script that makes a shell complete this program's commands, flags and values. It asks the program at
 * each Tab (complete.ts), so it need not be renewed with it.
 * Exit codes: 0 printed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { usage } from "./arguments.ts";
import { SHELLS, scriptOf } from "./completion-scripts.ts";
import { EXIT, output } from "./output.ts";

export const completionExamples = [
  "obelisk completion bash >> ~/.bashrc",
  "obelisk completion zsh > ~/.zsh/completions/_obelisk",
  "obelisk completion fish > ~/.config/fish/completions/obelisk.fish",
];

export const completionCommand = defineCommand({
  meta: {
    name: "completion",
    description:
      "Prints the completion script of a shell, for its start-up file or its directory of completions.",
  },
  args: {
    shell: {
      type: "positional",
      required: true,
      valueHint: SHELLS.join("|"),
      description: "bash, zsh or fish.",
    },
  },
  run: ({ args }) => {
    const shell = SHELLS.find((one) => one === args.shell);
    if (shell === undefined)
      throw usage(`there is no completion for \`${args.shell}\``, `use ${SHELLS.join(", ")}`);
    output.write(scriptOf(shell));
    return EXIT.yes;
  },
});
