/**
 * The documents name only what is there: relative links with their headings, paths in backticks, and flags of the commands.
 * A flag is looked for in the help of all commands, so that a renamed one is noticed where it is told.
 */

import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { ALL_COMMANDS } from "../support/all-commands.ts";
import { fromSources, runObelisk } from "../support/obelisk-command.ts";

const ROOT = join(import.meta.dir, "../..");
/** Folders of the repository: a text in backticks that begins with one is a path in it. */
const FOLDERS = ["src", "commands", "test", "scripts", "docs", "deploy", ".ci"];
/** Flags that are other programs'. */
const FOREIGN_FLAGS = new Set([
  "--rounds",
  "--power",
  "--pages",
  "--executable",
  "--ulimit",
  "--seed",
  "--seeds",
  "--minutes",
  "--steps",
  "--quick",
  "--no-peers",
  "--cases",
  "--only",
  "--binary",
  "--match",
  "--repeat",
  "--load",
  "--groups",
  "--seconds",
  "--topics",
  "--bytes",
  "--ms",
  "--beside",
  "--kills",
  "--client",
  "--session-ms",
  "--disable-gssapi",
  "--disable-curl",
  "--disable-lz",
  "--build",
  "--kafka-home",
  "--at-once",
  "--scenario",
  "--help",
  "--version",
]);

/** Every command is started once, on a machine that is busy. */
const MANY_PROCESSES_MS = 60_000;

const documents = ["README.md", "CHANGELOG.md", ...markdownIn("docs")];

test("there are documents", () => {
  expect(documents).toContain("docs/architecture.md");
  expect(documents.length).toBeGreaterThan(10);
});

for (const document of documents) {
  const text = readFileSync(join(ROOT, document), "utf8");

  test(`every relative link of ${document} leads to a file and a heading`, () => {
    const broken = linksIn(text).filter((link) => !leadsSomewhere(document, link));
    expect(broken).toEqual([]);
  });

  test(`every path of the repository that ${document} names exists`, () => {
    const missing = codeIn(text)
      .filter((code) => FOLDERS.some((folder) => code.startsWith(`${folder}/`)))
      .filter((path) => !existsSync(join(ROOT, path)));
    expect(missing).toEqual([]);
  });
}

test(
  "every flag that the documents name is in a command's help",
  async () => {
    const helps = await Promise.all(
      ALL_COMMANDS.map((command) => runObelisk([...command.split(" "), "--help"], { program: fromSources })),
    );
    const known = new Set(helps.flatMap(({ stdout }) => flagsIn(stdout)));
    const unknown = documents.flatMap((document) =>
      flagsIn(readFileSync(join(ROOT, document), "utf8"))
        .filter((flag) => !known.has(flag) && !FOREIGN_FLAGS.has(flag))
        .map((flag) => `${document}: ${flag}`),
    );
    // The documents show the error of a mistyped flag.
    expect(unknown.filter((line) => !line.endsWith("--memroy"))).toEqual([]);
  },
  MANY_PROCESSES_MS,
);

function markdownIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name))
    .sort();
}

function linksIn(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function leadsSomewhere(document: string, link: string): boolean {
  const [path, anchor] = link.split("#");
  const target = path === "" ? join(ROOT, document) : join(ROOT, dirname(document), path!);
  if (relative(ROOT, target).startsWith("..") || !existsSync(target)) return false;
  return anchor === undefined || anchorsIn(readFileSync(target, "utf8")).includes(anchor);
}

/** Anchors of headings, as GitHub makes them. */
function anchorsIn(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)]
    .map(([, code]) => code!)
    .filter((code) => /^[\w./-]+$/.test(code));
}

function flagsIn(text: string): string[] {
  return [...new Set([...text.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([flag]) => flag))];
}
