/**
 * Runs the program as a real process: from the sources, and the compiled executable where `scripts/build` left one.
 * The environment is this process's without OBELISK_* variables and profiles, so that a developer's settings change no test.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
/** OBELISK_EXECUTABLE judges another build than the one in dist/. */
const EXECUTABLE = process.env["OBELISK_EXECUTABLE"] ?? join(ROOT, "dist/obelisk");

/** There is no such directory. */
const NO_PROFILES = "/nonexistent";

export interface Program {
  readonly name: string;
  readonly command: readonly string[];
  /** Why it cannot run here; undefined when it can. */
  readonly missing: string | undefined;
}

export const fromSources: Program = {
  name: "from the sources",
  command: ["bun", join(ROOT, "commands/main.ts")],
  missing: undefined,
};

export const compiled: Program = {
  name: "compiled",
  command: [EXECUTABLE],
  missing: existsSync(EXECUTABLE) ? undefined : "dist/obelisk is missing: run scripts/build",
};

export interface RunOptions {
  readonly program?: Program;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly input?: string;
}

export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the program; the caller ends it. */
export function startObelisk(args: readonly string[], options: RunOptions = {}) {
  const program = options.program ?? fromSources;
  return Bun.spawn([...program.command, ...args], {
    cwd: options.cwd ?? ROOT,
    env: { ...cleanEnvironment(), XDG_CONFIG_HOME: NO_PROFILES, ...options.env },
    stdin: new TextEncoder().encode(options.input ?? ""),
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Runs the program to its end. */
export async function runObelisk(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = startObelisk(args, options);
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}

function cleanEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("OBELISK_"));
  return Object.fromEntries(kept.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
