/**
 * Profiles: under a name what would else be written with every command. One file, in the user's directory of configuration
 * ($XDG_CONFIG_HOME, else ~/.config):
 *
 *   obelisk/profiles.json   {"version": 1, "current": "prod", "profiles": {"prod": {"brokers": "kafka.example:9092", "group": "billing"}}}
 *
 *   - The values stand for the flags of the same name, in the commands that have them: flag > environment > profile > default.
 *   - The file is replaced whole, so that a reader sees the old one or the new one.
 *   - What is not understood is an error that names the file: it is never overwritten.
 */

import { dirname, isAbsolute, join } from "node:path";
import { createDisk } from "../src/base/disk.ts";
import { ObeliskError } from "../src/base/errors.ts";
import { readAddresses } from "../src/client/address.ts";
import { KAFKA_PORT } from "../src/client/cluster.ts";
import { nearest } from "../src/config/nearest.ts";
import type { Environment } from "../src/config/variables.ts";
import { usage } from "./arguments.ts";

/** The flags that a profile may stand for. */
export const PROFILE_KEYS = ["brokers", "group", "native"] as const;

export type Profile = { readonly [Key in (typeof PROFILE_KEYS)[number]]?: string };

export interface Profiles {
  /** The one that counts where none is named; null: none. */
  readonly current: string | null;
  readonly profiles: Readonly<Record<string, Profile>>;
}

const VERSION = 1;
const NATIVE_PORT = 8080;
const NONE: Profiles = { current: null, profiles: {} };

/** @throws ObeliskError INVALID_SETTING for a file that is none of ours */
export function readProfiles(env: Environment): Profiles {
  const path = profilesPath(env);
  const disk = createDisk();
  if (!disk.exists(path)) return NONE;
  let value: unknown;
  try {
    value = JSON.parse(disk.readFile(path).toString());
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw unreadable(path, "it is not JSON");
  }
  return checked(path, value);
}

export function writeProfiles(env: Environment, { current, profiles }: Profiles): void {
  const path = profilesPath(env);
  const disk = createDisk();
  makeDirectories(dirname(path));
  disk.replace(path, Buffer.from(`${JSON.stringify({ version: VERSION, current, profiles }, null, 2)}\n`));

  function makeDirectories(directory: string): void {
    if (disk.exists(directory)) return;
    makeDirectories(dirname(directory));
    disk.makeDirectory(directory);
  }
}

/** The profile of this name, else the current one; empty when there is neither. @throws ObeliskError INVALID_USAGE */
export function chosenProfile(env: Environment, name: string | undefined): Profile {
  const all = readProfiles(env);
  if (name !== undefined) return profileOf(all, name);
  return all.current === null ? {} : (all.profiles[all.current] ?? {});
}

/** @throws ObeliskError INVALID_USAGE for a name that there is not */
export function profileOf({ profiles }: Profiles, name: string): Profile {
  const found = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (found !== undefined) return found;
  const near = nearest(name, Object.keys(profiles));
  throw usage(
    `there is no profile ${name}`,
    near === undefined ? "`obelisk profile list` shows those that there are" : `did you mean ${near}?`,
  );
}

/** @throws ObeliskError INVALID_USAGE for a value that the flag would refuse */
export function checkProfile(profile: Profile): void {
  if (profile.brokers !== undefined) readAddresses(profile.brokers, KAFKA_PORT);
  if (profile.native !== undefined) readAddresses(profile.native, NATIVE_PORT);
}

export function profilesPath(env: Environment): string {
  const given = env["XDG_CONFIG_HOME"] ?? "";
  // The specification says to ignore a relative one.
  const directory = isAbsolute(given) ? given : join(env["HOME"] ?? "/", ".config");
  return join(directory, "obelisk", "profiles.json");
}

function checked(path: string, value: unknown): Profiles {
  if (!isRecord(value) || value["version"] !== VERSION)
    throw unreadable(path, `it has no version ${VERSION}`);
  const { current, profiles } = value;
  const isFine =
    (current === null || typeof current === "string") &&
    isRecord(profiles) &&
    Object.values(profiles).every(isProfile);
  if (!isFine) throw unreadable(path, "it has fields that no profile has");
  return { current, profiles: profiles as Record<string, Profile> };
}

function isProfile(value: unknown): boolean {
  const keys: readonly string[] = PROFILE_KEYS;
  return (
    isRecord(value) &&
    Object.entries(value).every(([key, text]) => keys.includes(key) && typeof text === "string")
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unreadable(path: string, reason: string): ObeliskError {
  return new ObeliskError("INVALID_SETTING", {
    detail: `${path} cannot be understood: ${reason}`,
    remedy: "mend it, or remove it and create the profiles anew",
  });
}
