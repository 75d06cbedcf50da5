/**
 * The executable: finds the command, checks its arguments, runs it through citty, and turns what it throws into one line
 * and an exit code (0 yes, 1 no, 2 failed, 64 wrong usage).
 *
 * A command is loaded when it is called, so that `obelisk --version` does not wait for the server's modules.
 *
 * To add one: export a citty definition and its examples from a file here, and enter it in COMMANDS, or in its group's table.
 */

import { version } from "../package.json" with { type: "json" };
import { asksForHelp, describeCommand } from "./arguments.ts";
import { commandHelp, groupHelp, rootHelp } from "./arguments-help.ts";
import { clusterCommands } from "./cluster.ts";
import { reportError } from "./errors.ts";
import { groupCommands } from "./group.ts";
import { EXIT, note, OutputClosed, output } from "./output.ts";
import { profileCommands } from "./profile.ts";
import { topicCommands } from "./topic.ts";
import { type CommandTree, type Found, findCommand, isGroup } from "./tree.ts";

const COMMANDS: CommandTree = {
  serve: {
    summary: "Run the broker.",
    load: async () => {
      const { serveCommand, serveExamples, serveConfigErrors } = await import("./serve.ts");
      return describeCommand(serveCommand, serveExamples, serveConfigErrors);
    },
  },
  produce: {
    summary: "Write records to a topic, or run a test scenario.",
    load: async () => {
      const { produceCommand, produceExamples } = await import("./produce.ts");
      return describeCommand(produceCommand, produceExamples);
    },
  },
  consume: {
    summary: "Print records of topics, and commit the group's offsets.",
    load: async () => {
      const { consumeCommand, consumeExamples } = await import("./consume.ts");
      return describeCommand(consumeCommand, consumeExamples);
    },
  },
  reset: {
    summary: "Reset a group's committed offsets.",
    load: async () => {
      const { resetCommand, resetExamples } = await import("./reset.ts");
      return describeCommand(resetCommand, resetExamples);
    },
  },
  topic: topicCommands,
  group: groupCommands,
  cluster: clusterCommands,
  profile: profileCommands,
  completion: {
    summary: "Print the completion script of a shell.",
    load: async () => {
      const { completionCommand, completionExamples } = await import("./completion.ts");
      return describeCommand(completionCommand, completionExamples);
    },
  },
  inspect: {
    summary: "Show what a data directory or one of its files holds. Never writes.",
    load: async () => {
      const { inspectCommand, inspectExamples } = await import("./inspect.ts");
      return describeCommand(inspectCommand, inspectExamples);
    },
  },
  verify: {
    summary: "Check every byte of a data directory, and repair it with --repair.",
    load: async () => {
      const { verifyCommand, verifyExamples } = await import("./verify.ts");
      return describeCommand(verifyCommand, verifyExamples);
    },
  },
};

const SUMMARY = `Obelisk ${version}: a message broker in one executable. One durable log for Kafka clients, HTTP and plain TCP.`;

const EXAMPLES = [
  "obelisk serve                        start the server, data in ./data",
  "obelisk produce --topic=greetings hello",
  "obelisk consume --topic=greetings --mode=poll",
];

if (import.meta.main) {
  // What cannot be written to standard error is dropped: no command fails by it, nor ends in another way.
  process.stderr.on("error", () => {});
  process.on("uncaughtException", leaveAtOnce);
  process.on("unhandledRejection", leaveAtOnce);
  main(process.argv.slice(2)).then((exitCode) => process.exit(exitCode));
}

/** Runs a command line and returns the exit code. Prints; throws nothing. */
async function main(rawArgs: readonly string[]): Promise<number> {
  let exitCode: number;
  let hasFailed = false;
  try {
    exitCode = await dispatch(rawArgs);
  } catch (thrown) {
    hasFailed = true;
    exitCode = reportError(thrown, reportOptions(rawArgs));
  }
  try {
    await output.finish();
    return exitCode;
  } catch (thrown) {
    // A failure was reported already, and a reader that left changes no exit code.
    if (hasFailed || (thrown instanceof OutputClosed && exitCode !== EXIT.yes)) return exitCode;
    return reportError(thrown, reportOptions(rawArgs));
  }
}

async function dispatch(rawArgs: readonly string[]): Promise<number> {
  const [name, ...rest] = rawArgs;
  if (name === undefined) {
    note(helpOfAll());
    return EXIT.usage;
  }
  if (name === "--version" || name === "-v") {
    output.line(`obelisk ${version}`);
    return EXIT.yes;
  }
  if (name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
    output.line(helpOfAll());
    return EXIT.yes;
  }
  if (name === "complete") {
    const { complete } = await import("./complete.ts");
    return await complete(COMMANDS, rest);
  }
  if (name === "help") {
    output.line(await helpOf(findCommand(COMMANDS, rest)));
    return EXIT.yes;
  }
  const found = findCommand(COMMANDS, rawArgs);
  if (asksForHelp(found.rest)) {
    output.line(await helpOf(found));
    return EXIT.yes;
  }
  if (isGroup(found.entry)) {
    note(await helpOf(found));
    return EXIT.usage;
  }
  const command = await found.entry.load();
  if (name !== "serve") output.checkOpen(); // The server does not exist to print.
  return command.run(found.rest);
}

async function helpOf({ path, entry }: Found): Promise<string> {
  return isGroup(entry) ? groupHelp(path.join(" "), entry) : commandHelp(await entry.load());
}

function helpOfAll(): string {
  return rootHelp(SUMMARY, COMMANDS, EXAMPLES);
}

function reportOptions(rawArgs: readonly string[]) {
  return { json: rawArgs.includes("--json"), debug: process.env["OBELISK_LOG_LEVEL"] === "debug", output };
}

/** A bug outside of any command's `await`: nothing can be trusted to shut down gracefully any more. */
async function leaveAtOnce(thrown: unknown): Promise<void> {
  const exitCode = reportError(thrown, reportOptions(process.argv.slice(2)));
  await output.finish().catch(() => {});
  process.exit(exitCode);
}
