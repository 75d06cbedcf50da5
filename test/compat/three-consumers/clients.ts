/** The clients whose consumers judge a group, each with a program for a member that prints the same lines. */

import { join } from "node:path";
import { CONFLUENT_CLIENTS, JAVA_CLIENT } from "../../support/foreign-clients.ts";

const HERE = "test/compat/three-consumers";

export const PROTOCOLS = ["classic", "consumer"] as const;
export type GroupProtocol = (typeof PROTOCOLS)[number];

export interface MemberClient {
  readonly name: string;
  readonly missing: string | undefined;
  readonly protocols: readonly GroupProtocol[];
  /** False: it ends when its first request after the pause is a commit, which every broker must refuse. */
  readonly canBeStopped: boolean;
  start(...args: string[]): Bun.Subprocess<"ignore", "pipe", "inherit">;
}

export const MEMBER_CLIENTS: readonly MemberClient[] = [
  {
    name: "confluent-kafka",
    missing: CONFLUENT_CLIENTS[0]!.missing,
    protocols: PROTOCOLS,
    canBeStopped: true,
    start: (...args) => CONFLUENT_CLIENTS[0]!.start(`${HERE}/member.py`, ...args),
  },
  {
    name: "java",
    missing: JAVA_CLIENT.missing,
    protocols: PROTOCOLS,
    canBeStopped: true,
    start: (...args) => JAVA_CLIENT.start(`${HERE}/Member.java`, ...args),
  },
  {
    name: "kafkajs",
    missing: undefined,
    protocols: ["classic"],
    canBeStopped: false,
    start: script("kafkajs-member.ts"),
  },
];

function script(name: string): MemberClient["start"] {
  return (...args) => {
    const command = [process.execPath, join(import.meta.dir, name), ...args];
    return Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  };
}
