/**
 * Three consumers in one group while records flow. One is killed with SIGKILL, one joins, one is stopped (SIGSTOP) for longer than
 * its session lasts and then goes on:
 *
 *   A B C own everything -> kill A -> B C -> D joins -> B C D -> stop B -> C D -> B goes on -> B C D -> the last record is committed
 *
 * A record counts as processed when the offset after it was committed. A member tells before and after each commit which records it
 * covers (member.py). In the end, of each partition:
 *
 *   none lost       the committed ranges cover every offset. Where a killed member did not live to tell a verdict, its range counts
 *                   when the next one begins after it: the broker had stored it.
 *   none twice      no offset is in two committed ranges, whoever committed them
 *
 * and each change of members was over within the time that it is given: `rebalances` says how long it took from the signal until
 * the members that are left owned every partition.
 */

import { Kafka, logLevel } from "kafkajs";
import type { GroupProtocol, MemberClient } from "./clients.ts";
import { Member, type Range } from "./member.ts";

const BATCH_RECORDS = 500;
/** What a rebalance may take when no session has to expire first, and what comes on top when one has. */
const WAIT_MS_MAX = 60_000;

export interface ThreeConsumersOptions {
  readonly client: MemberClient;
  readonly brokers: string;
  readonly protocol: GroupProtocol;
  /** As the broker and the members have it. */
  readonly sessionMs: number;
  readonly records: number;
  readonly recordsPerSecond: number;
  readonly partitions: number;
  readonly say?: (line: string) => void;
}

export interface ThreeConsumersReport {
  /** Records that were produced, and those that were committed by the killed member without a word. */
  readonly records: number;
  readonly untold: number;
  readonly lost: readonly string[];
  readonly twice: readonly string[];
  readonly refused: number;
  readonly fatal: readonly string[];
  /** Milliseconds from the signal, the start or the continuation until the members that are left owned everything. */
  readonly rebalances: { killed: number; joined: number; stopped: number; continued: number };
}

export async function runThreeConsumers(options: ThreeConsumersOptions): Promise<ThreeConsumersReport> {
  const { brokers, partitions, say = () => {} } = options;
  const topic = `three-${options.client.name}-${options.protocol}-${Date.now()}`;
  const kafka = new Kafka({ clientId: "three-consumers", brokers: [brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] });
  const flow = new Flow(kafka, topic, options);
  const start = (name: string) => new Member(name, options, topic);
  const members = ["A", "B", "C"].map(start);
  const [a, b, c] = members as [Member, Member, Member];
  /** Each owns something, and together they own everything. */
  const share = async (what: string, ...sharing: readonly Member[]) => {
    const startedAt = performance.now();
    await until(`${what}: ${sharing.map(({ name }) => name).join(" ")} own everything`, members, () => {
      const owned = sharing.flatMap(({ owned }) => [...owned]).sort((one, other) => one - other);
      const isWhole = owned.length === partitions && owned.every((partition, index) => partition === index);
      return isWhole && sharing.every(({ owned }) => owned.size > 0);
    });
    const tookMs = Math.round(performance.now() - startedAt);
    say(`${what}: ${sharing.map((each) => `${each.name} ${each.owned.size}`).join(", ")} after ${tookMs} ms`);
    return tookMs;
  };
  try {
    await share("joined", a, b, c);
    const flowing = flow.run();
    await until("the first commits", members, () => members.every(({ committed }) => committed.length > 0));
    a.child.kill("SIGKILL");
    const killed = await share("A killed", b, c);
    const d = start("D");
    members.push(d);
    const joined = await share("D joined", b, c, d);
    let [stopped, continued] = [0, 0];
    if (options.client.canBeStopped) {
      b.child.kill("SIGSTOP");
      stopped = await share("B stopped", c, d);
      b.child.kill("SIGCONT");
      continued = await share("B goes on", b, c, d);
    }
    flow.endsWhenSent();
    await flowing;
    const ends = await endsOf(admin, topic);
    const isCommitted = () => [...ends].every(([partition, end]) => end === endOf(members, partition));
    await until("everything is committed", members, isCommitted);
    await Promise.all([b, c, d].map((member) => member.stop()));
    const found = judge(members, ends);
    return { ...found, records: flow.sent, rebalances: { killed, joined, stopped, continued } };
  } finally {
    flow.stop();
    for (const { child } of members) child.kill("SIGKILL");
    await Promise.all(members.map(({ child }) => child.exited));
    await admin.disconnect();
  }
}

/** Records at a steady pace, at least as many as requested and until nobody needs them any more. */
class Flow {
  sent = 0;
  #isNeeded = true;
  #isStopped = false;

  constructor(
    private readonly kafka: Kafka,
    private readonly topic: string,
    private readonly options: ThreeConsumersOptions,
  ) {}

  endsWhenSent(): void {
    this.#isNeeded = false;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async run(): Promise<void> {
    const { records, recordsPerSecond } = this.options;
    const producer = this.kafka.producer();
    await producer.connect();
    const startedAt = performance.now();
    while (!this.#isStopped && (this.#isNeeded || this.sent < records)) {
      const messages = Array.from({ length: BATCH_RECORDS }, (_, index) => ({
        value: `${this.sent + index}`,
      }));
      await producer.send({ topic: this.topic, messages });
      this.sent += BATCH_RECORDS;
      const dueMs = (this.sent / recordsPerSecond) * 1000 - (performance.now() - startedAt);
      if (dueMs > 0) await Bun.sleep(dueMs);
    }
    await producer.disconnect();
  }
}

async function endsOf(admin: ReturnType<Kafka["admin"]>, topic: string): Promise<Map<number, number>> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
}

function endOf(members: readonly Member[], partition: number): number {
  const ends = members.flatMap(({ committed }) => committed.filter((range) => range[0] === partition));
  return Math.max(0, ...ends.map(([, , end]) => end));
}

function judge(members: readonly Member[], ends: ReadonlyMap<number, number>) {
  const committed = members.flatMap((member) => member.committed);
  const untoldRanges = members.flatMap(({ committing }) => committing);
  const lost: string[] = [];
  const twice: string[] = [];
  let untold = 0;
  for (const [partition, end] of ends) {
    let next = 0;
    const ranges = committed
      .filter((range) => range[0] === partition)
      .sort((one, other) => one[1] - other[1]);
    for (const [, first, rangeEnd] of [...ranges, [partition, end, end] as Range]) {
      const isUntold = untoldRanges.some(
        (range) => range[0] === partition && range[1] === next && range[2] === first,
      );
      if (first > next && isUntold) untold += first - next;
      else if (first > next) lost.push(`partition ${partition}: ${next} to ${first}`);
      else if (first < next) twice.push(`partition ${partition}: ${first} to ${Math.min(next, rangeEnd)}`);
      next = Math.max(next, rangeEnd);
    }
  }
  const refused = members.reduce((sum, member) => sum + member.refused, 0);
  return { untold, lost, twice, refused, fatal: members.flatMap(({ fatal }) => fatal) };
}

async function until(what: string, members: readonly Member[], isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!isTrue()) {
    const isOver = members.some(({ fatal }) => fatal.length > 0);
    if (isOver || performance.now() > deadline) {
      const owned = members.map(({ name, owned, fatal }) => `${name} [${[...owned]}] ${fatal}`);
      throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}; the members own ${owned.join(", ")}`);
    }
    await Bun.sleep(5);
  }
}
