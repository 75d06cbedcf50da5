/**
 * The environment: OBELISK_* variables, for the server's settings and for the commands that connect to a server.
 *
 *   OBELISK_<SETTING>   a setting of `obelisk serve`, as `variableOf` names it
 *   OBELISK_CONFIG      the file of settings
 *   OBELISK_BROKERS, OBELISK_GROUP, OBELISK_NATIVE, OBELISK_PROFILE
 *                       stand for the flags of the same name in the commands that have them; the flag wins
 *
 * Everybody ignores what is somebody else's, so one environment serves the server and its clients. A variable that begins
 * with OBELISK_ and is nobody's is an error that names the nearest, for the server and for the commands alike. An empty one
 * counts as not set.
 */

import { parseAddress } from "../base/address.ts";
import { type ConfigError, ConfigErrors, type Given } from "./config-errors.ts";
import { NO_CHARACTER } from "./kinds.ts";
import { nearest } from "./nearest.ts";
import { SETTING_KEYS, SETTINGS, VARIABLE_PREFIX, variableOf } from "./settings.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export const CONFIG_VARIABLE = `${VARIABLE_PREFIX}CONFIG`;
const CLIENT_FLAGS = ["brokers", "group", "native", "profile"];
/** Those whose values are addresses. */
const ADDRESS_FLAGS = ["brokers", "native"];

const SETTING_NAMES = new Map(
  SETTING_KEYS.map((key) => [variableOf(SETTINGS[key].name), SETTINGS[key].name]),
);
const CLIENT_NAMES = new Map(CLIENT_FLAGS.map((flag) => [variableOf(flag), flag]));
const KNOWN = [...SETTING_NAMES.keys(), ...CLIENT_NAMES.keys(), CONFIG_VARIABLE];

/** The settings that variables give, as they are written, and the variables that are nobody's. */
export function settingVariables(env: Environment): { given: Given[]; errors: ConfigError[] } {
  const given = valuesOf(env, SETTING_NAMES).map(([variable, name, text]) => ({
    name,
    text,
    source: variable,
  }));
  return { given, errors: unknownVariables(env) };
}

/** The flags of a command that variables give. @throws ConfigErrors INVALID_USAGE when one is wrong, or a variable is nobody's */
export function clientVariables(env: Environment, flags: readonly string[]): Record<string, string> {
  const values = valuesOf(env, CLIENT_NAMES).filter(([, flag]) => flags.includes(flag));
  const errors = [...unknownVariables(env), ...values.flatMap(wrongValue)];
  if (errors.length > 0) throw new ConfigErrors("INVALID_USAGE", errors);
  return Object.fromEntries(values.map(([, flag, text]) => [flag, text]));
}

/** @throws ConfigErrors INVALID_USAGE when a variable is nobody's */
export function checkVariables(env: Environment): void {
  clientVariables(env, []);
}

/** Reported with the variable's name: a wrong flag is before everybody's eyes, a wrong variable is not. */
function wrongValue([variable, flag, text]: [string, string, string]): ConfigError[] {
  if (text.includes(NO_CHARACTER)) return [{ source: variable, message: `must be UTF-8, not \`${text}\`` }];
  const addresses = !ADDRESS_FLAGS.includes(flag) ? [] : flag === "brokers" ? text.split(",") : [text];
  const isWrong = addresses.some(
    (address) => address.trim() !== "" && parseAddress(address, 1) === undefined,
  );
  return isWrong ? [{ source: variable, message: `must be HOST:PORT, not \`${text}\`` }] : [];
}

function valuesOf(env: Environment, names: ReadonlyMap<string, string>): [string, string, string][] {
  return Object.entries(env).flatMap(([variable, value]): [string, string, string][] => {
    const name = names.get(variable);
    return name === undefined || !value || isServiceLink(variable, value) ? [] : [[variable, name, value]];
  });
}

function unknownVariables(env: Environment): ConfigError[] {
  return Object.entries(env).flatMap(([variable, value]) => {
    if (!variable.startsWith(VARIABLE_PREFIX) || !value || KNOWN.includes(variable)) return [];
    if (isServiceLink(variable, value)) return [];
    return [{ source: variable, message: unknownWords("variable", variable, "", KNOWN) }];
  });
}

/** `unknown variable \`X\`, did you mean \`Y\`?` */
export function unknownWords(noun: string, name: string, prefix: string, names: Iterable<string>): string {
  const near = nearest(name, names);
  return `unknown ${noun} \`${prefix}${name}\`${near === undefined ? "" : `, did you mean \`${prefix}${near}\`?`}`;
}

/**
 * Kubernetes puts variables into every container for each service of the namespace; for a service named `obelisk` they begin
 * as ours do (OBELISK_SERVICE_HOST, OBELISK_PORT=tcp://10.0.0.1:9092, OBELISK_PORT_9092_TCP_ADDR). They are nobody's setting.
 */
function isServiceLink(variable: string, value: string): boolean {
  if (/^(tcp|udp|sctp):\/\//.test(value)) return true;
  if (KNOWN.includes(variable)) return false;
  return /_(SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR))$/.test(variable);
}
