/** A member of a group as its own process, and what it told so far (member.py). */

import type { MemberClient } from "./clients.ts";

/** Partition, first offset, the offset after the last one. */
export type Range = readonly [number, number, number];

/** What a process without a handler of its own ends with, and the JVM after its hooks. */
const BY_SIGNAL = 128 + 15;

interface Told {
  readonly event: "owns" | "assigned" | "revoked" | "lost" | "committing" | "committed" | "refused" | "fatal";
  readonly partitions?: readonly number[];
  readonly ranges?: readonly Range[];
  readonly error?: string;
}

export class Member {
  readonly owned = new Set<number>();
  readonly committed: Range[] = [];
  /** Commits under way: a verdict takes them away. */
  committing: Range[] = [];
  readonly fatal: string[] = [];
  refused = 0;
  readonly child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly #told: Promise<void>;

  constructor(
    readonly name: string,
    group: { client: MemberClient; brokers: string; protocol: string; sessionMs: number },
    topic: string,
  ) {
    const { client, brokers, protocol, sessionMs } = group;
    const args = [brokers, topic, topic, protocol, `${sessionMs}`];
    this.child = client.start(...args);
    this.#told = this.#listen();
  }

  /** Leaves the group; throws when it did not end well. */
  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    await this.#told;
    const exitCode = await this.child.exited;
    if (exitCode !== 0 && exitCode !== BY_SIGNAL) throw new Error(`${this.name} ended with ${exitCode}`);
  }

  async #listen(): Promise<void> {
    let line = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.child.stdout) {
      const lines = (line + decoder.decode(chunk, { stream: true })).split("\n");
      line = lines.pop()!;
      for (const each of lines) this.#take(JSON.parse(each) as Told);
    }
  }

  #take({ event, partitions = [], ranges = [], error }: Told): void {
    if (event === "owns") this.owned.clear();
    if (event === "assigned" || event === "owns")
      for (const partition of partitions) this.owned.add(partition);
    if (event === "revoked" || event === "lost")
      for (const partition of partitions) this.owned.delete(partition);
    if (event === "committing") this.committing.push(...ranges);
    if (event === "committed" || event === "refused") {
      const isOther = (range: Range) =>
        !ranges.some(([partition, , end]) => partition === range[0] && end === range[2]);
      this.committing = this.committing.filter(isOther);
    }
    if (event === "committed") this.committed.push(...ranges);
    if (event === "refused") this.refused += 1;
    if (event === "fatal") this.fatal.push(`${this.name}: ${error}`);
  }
}
