/**
 * The tree of commands: a name leads to a command, or to a group of them (`obelisk topic list`). A command is loaded when it is
 * called or its help is wanted.
 */

import { nearest } from "../src/config/nearest.ts";
import { type Command, usage } from "./arguments.ts";

export interface CommandEntry {
  readonly summary: string;
  load(): Promise<Command>;
}

export interface CommandGroup {
  readonly summary: string;
  readonly examples: readonly string[];
  readonly commands: CommandTree;
}

export type CommandTree = Readonly<Record<string, CommandEntry | CommandGroup>>;

/** What the first words of a command line lead to, and the words after them. */
export interface Found {
  readonly path: readonly string[];
  readonly entry: CommandEntry | CommandGroup;
  readonly rest: readonly string[];
}

export function isGroup(entry: CommandEntry | CommandGroup): entry is CommandGroup {
  return "commands" in entry;
}

/** Follows the words as far as they name commands; a group is found when nothing, or a flag, follows it. @throws ObeliskError INVALID_USAGE */
export function findCommand(tree: CommandTree, words: readonly string[]): Found {
  let commands = tree;
  for (let index = 0; ; index += 1) {
    const name = words[index]!;
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (entry === undefined) throw unknownCommand(words.slice(0, index), name, commands);
    const found = { path: words.slice(0, index + 1), entry, rest: words.slice(index + 1) };
    const next = words[index + 1];
    if (!isGroup(entry) || next === undefined || next === "--help" || next === "-h") return found;
    commands = entry.commands;
  }
}

function unknownCommand(path: readonly string[], name: string, commands: CommandTree) {
  const before = path.map((word) => `${word} `).join("");
  const near = nearest(name, Object.keys(commands));
  const remedy =
    near === undefined ? `see \`obelisk ${before}--help\`` : `did you mean \`${before}${near}\`?`;
  return usage(
    name.startsWith("-") ? `unknown flag \`${name}\`` : `unknown command \`${before}${name}\``,
    remedy,
  );
}
