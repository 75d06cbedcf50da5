/**
 * How every command that connects to a server finds it: a flag, else a variable of the environment (src/config/variables.ts), else
 * the profile (profiles.ts) that --profile, OBELISK_PROFILE or `obelisk profile use` chose, else the default port on this machine.
 */

import type { ArgsDef } from "citty";
import { KAFKA_PORT } from "../src/client/cluster.ts";
import { clientVariables } from "../src/config/variables.ts";
import { flagValues } from "./arguments.ts";
import { chosenProfile } from "./profiles.ts";

const BROKERS_DEFAULT = `localhost:${KAFKA_PORT}`;

export const brokersFlag = {
  brokers: {
    type: "string",
    alias: "b",
    valueHint: "HOST:PORT,...",
    default: BROKERS_DEFAULT,
    description: "Bootstrap brokers: Kafka addresses, any of which is enough. Also OBELISK_BROKERS.",
  },
  profile: {
    type: "string",
    valueHint: "NAME",
    description:
      "The profile whose brokers and more count where no flag says otherwise. Also OBELISK_PROFILE.",
  },
} as const;

/**
 * The flags that were given, after them what the environment and then the profile say of the others, and the brokers in any case.
 * @throws ConfigErrors INVALID_USAGE for a misspelt variable; ObeliskError INVALID_USAGE for a profile that there is not
 */
export function clientFlags(args: ArgsDef, rawArgs: readonly string[]): Record<string, string> {
  const variables = clientVariables(process.env, Object.keys(args));
  const flags = flagValues(args, rawArgs);
  const profile = Object.entries(chosenProfile(process.env, flags["profile"] ?? variables["profile"]));
  const own = Object.fromEntries(profile.filter(([name]) => Object.hasOwn(args, name)));
  return { brokers: BROKERS_DEFAULT, ...own, ...variables, ...flags };
}
