/**
 * kill -9 of the server under groups that commit every 100 ms, again and again on the same data directory. Each round:
 *
 *   every group commits -> kill -9 -> start -> no group's committed offset is behind what was acknowledged, or what it was before
 *
 * Members (members.py) are librdkafka's, half of them in each protocol. They are never restarted: they must go on by themselves,
 * without an error that librdkafka takes for the end of the consumer, and as a restart is shorter than a session, without a rebalance.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { CONFLUENT_CLIENTS } from "../../support/foreign-clients.ts";
import { compiled } from "../../support/obelisk-command.ts";
import { startServer } from "../../support/obelisk-server.ts";
import { randomFrom } from "../streams.ts";

const PARTITIONS = 4;
const RECORDS = 4000;
/** After every group has committed, a server lives this much longer at most. */
const LIFE_MS_MAX = 400;
/** A round in which some group does not return within this time has failed. */
const ROUND_MS_MAX = 60_000;
const PROTOCOLS = ["classic", "consumer"] as const;

export interface GroupCommitsOptions {
  readonly groups: number;
  readonly rounds: number;
  readonly seed: number;
  readonly say?: (line: string) => void;
}

export interface GroupCommitsReport {
  readonly rounds: number;
  /** Commits that were acknowledged, and errors that the members went on after, by name. */
  readonly acknowledged: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly fatal: readonly string[];
  /** Assignments beside the first one of each group. */
  readonly rebalances: number;
  /** "GROUP partition P: committed N after M" */
  readonly wentBack: readonly string[];
}

interface Told {
  readonly group: string;
  readonly event: "assigned" | "committed" | "failed" | "fatal";
  readonly partition: number;
  readonly offset: number;
  readonly error: string;
}

/** @throws when some group does not return in a round */
export async function runGroupCommits(options: GroupCommitsOptions): Promise<GroupCommitsReport> {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-group-commits-"));
  const random = randomFrom(options.seed);
  let server = await start(directory, 0);
  const port = server.started.kafka.port;
  const kafka = new Kafka({ brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING });
  await prepare(kafka);
  const members = new Members(`127.0.0.1:${port}`, options.groups);
  const wentBack: string[] = [];
  let before = new Map<string, number>();
  try {
    for (let round = 1; round <= options.rounds; round += 1) {
      await members.allCommitAgain();
      await Bun.sleep(random() * LIFE_MS_MAX);
      await server.stop("SIGKILL");
      server = await start(directory, port);
      const acknowledged = new Map(members.acknowledged);
      const committed = await committedOf(kafka, members.names);
      for (const [place, offset] of [...acknowledged, ...before]) {
        const found = committed.get(place) ?? -1;
        if (found < offset) wentBack.push(`${place}: committed ${found} after ${offset}, round ${round}`);
      }
      before = committed;
      options.say?.(
        `round ${round} of ${options.rounds}: acknowledged ${members.count}, ${JSON.stringify(members.failed)}`,
      );
    }
    await members.allCommitAgain();
    return {
      rounds: options.rounds,
      acknowledged: members.count,
      failed: members.failed,
      fatal: members.fatal,
      rebalances: members.assignments - options.groups,
      wentBack,
    };
  } finally {
    await members.stop();
    await server.stop("SIGKILL");
    rmSync(directory, { recursive: true });
  }
}

function start(directory: string, port: number) {
  return startServer(directory, [`--kafka-port=${port}`, "--log-level=error"], { program: compiled });
}

async function prepare(kafka: Kafka): Promise<void> {
  const [admin, producer] = [kafka.admin(), kafka.producer()];
  await Promise.all([admin.connect(), producer.connect()]);
  await admin.createTopics({ topics: [{ topic: "commits", numPartitions: PARTITIONS }] });
  const messages = Array.from({ length: RECORDS }, (_, index) => ({
    value: `${index}`,
    partition: index % PARTITIONS,
  }));
  await producer.send({ topic: "commits", messages });
  await Promise.all([admin.disconnect(), producer.disconnect()]);
}

/** "GROUP partition P" and the committed offset, for those that have one. */
async function committedOf(kafka: Kafka, groups: readonly string[]): Promise<Map<string, number>> {
  const admin = kafka.admin();
  await admin.connect();
  const found = new Map<string, number>();
  for (const groupId of groups) {
    const [topic] = await admin.fetchOffsets({ groupId, topics: ["commits"] });
    for (const { partition, offset } of topic!.partitions) {
      if (offset !== "-1") found.set(`${groupId} partition ${partition}`, Number(offset));
    }
  }
  await admin.disconnect();
  return found;
}

/** The process of all members, and what it told. */
class Members {
  readonly names: readonly string[];
  readonly acknowledged = new Map<string, number>();
  readonly failed: Record<string, number> = {};
  readonly fatal: string[] = [];
  assignments = 0;
  count = 0;
  #committing = new Set<string>();
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly #told: Promise<void>;

  constructor(brokers: string, count: number) {
    this.names = Array.from({ length: count }, (_, index) => `group-${index}`);
    const pairs = this.names.flatMap((name, index) => [name, PROTOCOLS[index % PROTOCOLS.length]!]);
    this.#child = CONFLUENT_CLIENTS[0]!.start(
      "test/crash/group-commits/members.py",
      brokers,
      "commits",
      ...pairs,
    );
    this.#told = this.#listen();
  }

  async allCommitAgain(): Promise<void> {
    const missing = new Set(this.names);
    this.#committing = missing;
    const deadline = performance.now() + ROUND_MS_MAX;
    while (missing.size > 0) {
      if (performance.now() > deadline || this.#child.exitCode !== null) {
        throw new Error(
          `${[...missing].join(", ")} did not commit again; ${JSON.stringify(this.failed)} ${this.fatal}`,
        );
      }
      await Bun.sleep(5);
    }
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#told;
  }

  async #listen(): Promise<void> {
    let line = "";
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) {
      const lines = (line + decoder.decode(chunk, { stream: true })).split("\n");
      line = lines.pop()!;
      for (const each of lines) this.#take(JSON.parse(each) as Told);
    }
  }

  #take({ group, event, partition, offset, error }: Told): void {
    if (event === "assigned") this.assignments += 1;
    if (event === "failed") this.failed[error] = (this.failed[error] ?? 0) + 1;
    if (event === "fatal") this.fatal.push(`${group}: ${error}`);
    if (event !== "committed") return;
    this.count += 1;
    this.acknowledged.set(`${group} partition ${partition}`, offset);
    this.#committing.delete(group);
  }
}
