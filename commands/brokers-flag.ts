/**
 * How every command that speaks to a server finds it: a flag, else a variable of the environment (src/config/variables.ts), else
 * the usual port on this machine.
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
    description: "The Kafka port of the server; any of a list. OBELISK_BROKERS says it too.",
  },
} as const;

/**
 * The flags that were given, behind them what the environment says of the others, and the brokers in any case.
 * @throws MistakesError INVALID_USAGE for a misspelt variable
 */
export function clientFlags(args: ArgsDef, rawArgs: readonly string[]): Record<string, string> {
  const variables = clientVariables(process.env, Object.keys(args));
  return { brokers: BROKERS_DEFAULT, ...variables, ...flagValues(args, rawArgs) };
}
