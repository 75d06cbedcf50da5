/** Help texts, made from the same definitions that read the command line. */

import type { ArgsDef } from "citty";
import { aliasesOf, type Command, isRepeatable, REPEATABLE } from "./arguments.ts";
import type { CommandGroup, CommandTree } from "./tree.ts";

const WIDTH = 100;

/** The help of one command. */
export function commandHelp(command: Command): string {
  const flags = Object.entries(command.args).filter(([, definition]) => definition.type !== "positional");
  const places = Object.entries(command.args).filter(([, definition]) => definition.type === "positional");
  const usage = ["obelisk", command.name, ...(flags.length > 0 ? ["[FLAGS]"] : []), ...places.map(placeWord)];
  const sections = [
    command.summary,
    `Usage\n  ${usage.join(" ")}`,
    section(
      "Arguments",
      places.map(([name, { description }]) => [name.toUpperCase(), description ?? ""]),
    ),
    section("Flags", [...flags.map(flagEntry), ["-h, --help", "Show this help."]]),
    `Examples\n${command.examples.map((example) => `  ${example}`).join("\n")}`,
  ];
  return sections.filter((text) => text !== "").join("\n\n");
}

/** The help of a group of commands; `name` is the path to it. */
export function groupHelp(name: string, { summary, commands, examples }: CommandGroup): string {
  return [
    summary,
    `Usage\n  obelisk ${name} COMMAND [FLAGS]`,
    section("Commands", summaries(commands)),
    section("Flags", [["-h, --help", "Show this help, or the help of a command."]]),
    `Examples\n${examples.map((example) => `  ${example}`).join("\n")}`,
  ].join("\n\n");
}

/** The help of the whole program. */
export function rootHelp(summary: string, commands: CommandTree, examples: readonly string[]): string {
  return [
    summary,
    "Usage\n  obelisk COMMAND [FLAGS]",
    section("Commands", summaries(commands)),
    section("Flags", [
      ["-h, --help", "Show this help, or the help of a command."],
      ["-v, --version", "Show the version."],
    ]),
    `Examples\n${examples.map((example) => `  ${example}`).join("\n")}`,
    "Exit codes\n  0 success   1 no: damage found, nothing there   2 failure   64 wrong usage",
  ].join("\n\n");
}

function summaries(commands: CommandTree): [string, string][] {
  return Object.entries(commands).map(([name, { summary }]) => [name, summary]);
}

function placeWord([name, definition]: [string, ArgsDef[string]]): string {
  const word = name.toUpperCase() + (isRepeatable(definition) ? "..." : "");
  return definition.required === true ? word : `[${word}]`;
}

function flagEntry([name, definition]: [string, ArgsDef[string]]): [string, string] {
  const aliases = aliasesOf(definition).map((alias) => (alias.length === 1 ? `-${alias}` : `--${alias}`));
  const spelled = definition.type === "boolean" && definition.default === true ? `--no-${name}` : `--${name}`;
  const words = definition.type === "boolean" ? "" : ` ${valueWord(definition)}`;
  const defaultValue =
    definition.default === undefined || definition.type === "boolean"
      ? ""
      : ` Default: ${definition.default}.`;
  const repeats = isRepeatable(definition) ? " May be given more than once." : "";
  return [
    `${[...aliases, spelled].join(", ")}${words}`,
    `${definition.description ?? ""}${repeats}${defaultValue}`,
  ];
}

function valueWord(definition: ArgsDef[string]): string {
  if (definition.type === "enum") return (definition.options ?? []).join("|");
  const hint = definition.valueHint ?? "VALUE";
  return hint.startsWith(REPEATABLE) ? hint.slice(REPEATABLE.length) : hint;
}

/** Two columns; a long first cell pushes its text to the next line, and long texts wrap. */
function section(title: string, entries: readonly (readonly [string, string])[]): string {
  if (entries.length === 0) return "";
  const indent = Math.min(30, Math.max(...entries.map(([name]) => name.length)) + 4);
  const lines = entries.flatMap(([name, text]) => {
    const [first = "", ...rest] = wrap(text, WIDTH - indent);
    const head = `  ${name}`;
    const start =
      head.length + 2 > indent ? [head, " ".repeat(indent) + first] : [head.padEnd(indent) + first];
    return [...start, ...rest.map((line) => " ".repeat(indent) + line)];
  });
  return [title, ...lines.map((line) => line.trimEnd())].join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
