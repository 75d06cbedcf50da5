/**
 * How every command that connects to a server finds it: a flag, else a variable of the environment (src/config/variables.ts), else
 * the default port on this machine.
 */

import type { ArgsDef } from "citty";
import { KAFKA_PORT } from "../src/client/cluster.ts";
import { clientVariables } from "../src/config/variables.ts";
import { flagValues } from "./arguments.ts";

const BROKERS_DEFAULT = `localhost:${KAFKA_PORT}`;

export const brokersFlag = {
  brokers: {
    type: "string",
    alias: "b",
    valueHint: "HOST:PORT,...",
    default: BROKERS_DEFAULT,
    description: "Bootstrap brokers: Kafka addresses, any of which is enough. Also OBELISK_BROKERS.",
  },
} as const;

/**
 * The flags that were given, after them what the environment says of the others, and the brokers in any case.
 * @throws ConfigErrors INVALID_USAGE for a misspelt variable
 */
export function clientFlags(args: ArgsDef, rawArgs: readonly string[]): Record<string, string> {
  const variables = clientVariables(process.env, Object.keys(args));
  return { brokers: BROKERS_DEFAULT, ...variables, ...flagValues(args, rawArgs) };
}
