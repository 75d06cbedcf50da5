/**
 * scripts/bench/consumer-groups.ts: what a large group of the consumer protocol (KIP-848) costs. The same client code against Obelisk and,
 * with KAFKA_HOME, Apache Kafka.
 *
 *   bun scripts/bench/consumer-groups.ts [--members N] [--kinds N]
 *
 *   N members with a connection each join, each of one partition, and report 10 times a second, as members do each 5 s: until each partition
 *   has its member and all are at one epoch; then one more comes. With several kinds members differ in what they are subscribed to.
 *   Meanwhile somebody else asks for the versions each 5 ms: how long the slowest of these took.
 *
 * Needs ./scripts/build first. The client shares the machine with the server; where others do too, the processor's time tells more.
 */

import { sleep, systemClock } from "../../src/base/clock.ts";
import { apiVersionsApi } from "../../src/protocol/kafka/apis/api-versions.ts";
import { consumerGroupHeartbeatApi } from "../../src/protocol/kafka/apis/consumer-group-heartbeat.ts";
import { createTopicsApi } from "../../src/protocol/kafka/apis/create-topics.ts";
import { findCoordinatorApi } from "../../src/protocol/kafka/apis/find-coordinator.ts";
import { flat } from "./kafka-api.ts";
import { type Address, CallSocket, percentile } from "./load.ts";
import { cpuMs, startKafka, startObelisk } from "./servers.ts";

const CLIENT = "obelisk-bench";
const GROUP = "large";
const TIMEOUT_MS = 60_000;
const REPORT_EACH_MS = 100;
const ASK_EACH_MS = 5;

interface Plan {
  readonly members: number;
  /** Topics; each member is subscribed to one less than the member before, and from the last on to all again. */
  readonly kinds: number;
}

async function main(args: readonly string[]): Promise<void> {
  const option = (name: string, defaultValue: string) => {
    const at = args.indexOf(`--${name}`);
    return Number(at === -1 ? defaultValue : (args[at + 1] ?? defaultValue));
  };
  const plan = { members: option("members", "1000"), kinds: option("kinds", "1") };
  const obelisk = await startObelisk("--connections-max", "5000");
  try {
    await measure("Obelisk", obelisk.kafka, obelisk.pid, plan);
  } finally {
    await obelisk.stop();
  }
  const kafka = await startKafka({ properties: [`group.consumer.max.size=${2 * plan.members}`] });
  if (kafka === null) return;
  try {
    await measure("Apache Kafka", kafka.address, kafka.pid, plan);
  } finally {
    await kafka.stop();
  }
}

async function measure(
  name: string,
  address: Address,
  pid: number,
  { members: count, kinds }: Plan,
): Promise<void> {
  const topics = Array.from({ length: kinds }, (_, index) => `bench-${index}`);
  const partitions = Math.ceil(count / kinds);
  await createTopics(address, topics, partitions);
  const members: Member[] = [];
  for (let index = 0; index <= count; index += 1)
    members.push(new Member(await CallSocket.connect(address), `m-${index}`, topics.slice(index % kinds)));
  const newcomer = members.pop()!;
  const bystander = new Bystander(await CallSocket.connect(address));
  const watching = bystander.watch();
  for (const [what, some] of [
    [`${count} members, ${kinds} kind(s), ${kinds * partitions} partitions`, members],
    ["one member more", [...members, newcomer]],
  ] as const) {
    const [startedAt, cpuAt] = [performance.now(), cpuMs(pid)];
    await settle(some, kinds * partitions);
    const took = `${((performance.now() - startedAt) / 1000).toFixed(2)} s`;
    const cpu = `${((cpuMs(pid) - cpuAt) / 1000).toFixed(2)} s`;
    console.log(`${name}: ${what}: assigned in ${took} (processor ${cpu}); ${bystander.takeWords()}`);
  }
  bystander.isDone = true;
  await watching;
  for (const { calls } of [...members, newcomer]) calls.close();
}

async function createTopics(
  address: Address,
  names: readonly string[],
  numPartitions: number,
): Promise<void> {
  const calls = await CallSocket.connect(address);
  const topics = names.map((name) => ({ name, numPartitions, replicationFactor: 1 }));
  await calls.call(flat(createTopicsApi.encodeRequest(5, 1, CLIENT, { topics, timeoutMs: TIMEOUT_MS })));
  // Kafka makes the topic of its groups when the first one is asked for, and takes a while for it.
  const first = new Member(calls, "first", names);
  do await calls.call(flat(findCoordinatorApi.encodeRequest(3, 1, CLIENT, { key: "ready" })));
  while (!(await first.report("ready")));
  calls.close();
}

/** Until all have what they are to have: every partition is somebody's, and nobody is told anything new for three reports. */
async function settle(members: readonly Member[], partitions: number): Promise<void> {
  let isSettled = false;
  const work = async (member: Member) => {
    while (!isSettled) {
      await member.report(GROUP);
      await sleep(systemClock, REPORT_EACH_MS);
    }
  };
  const working = members.map(work);
  for (let quiet = 0; quiet < 3; ) {
    await sleep(systemClock, REPORT_EACH_MS);
    let owned = 0;
    for (const { count } of members) owned += count;
    const epochs = new Set(members.map(({ epoch }) => epoch));
    quiet = owned === partitions && epochs.size === 1 && !epochs.has(0) ? quiet + 1 : 0;
  }
  isSettled = true;
  await Promise.all(working);
}

class Member {
  readonly calls: CallSocket;
  epoch = 0;
  /** Partitions that it has. */
  count = 0;
  readonly #id: string;
  readonly #topics: readonly string[];
  #owned: readonly { readonly topicId: string; readonly partitions: readonly number[] }[] = [];
  #isNew = true;

  constructor(calls: CallSocket, id: string, topics: readonly string[]) {
    this.calls = calls;
    this.#id = id;
    this.#topics = topics;
  }

  /** Whether it was answered well. */
  async report(groupId: string): Promise<boolean> {
    const isJoining = this.epoch === 0;
    const request = {
      groupId,
      memberId: this.#id,
      memberEpoch: this.epoch,
      ...(isJoining ? { rebalanceTimeoutMs: TIMEOUT_MS, subscribedTopicNames: this.#topics } : {}),
      topicPartitions: isJoining || this.#isNew ? this.#owned : null,
    };
    const body = await this.calls.call(flat(consumerGroupHeartbeatApi.encodeRequest(1, 1, CLIENT, request)));
    const response = consumerGroupHeartbeatApi.decodeResponse(1, body, 0, body.length);
    if (response.errorCode !== 0) return false;
    this.epoch = response.memberEpoch;
    this.#isNew = response.assignment !== null;
    if (response.assignment === null) return true;
    this.#owned = response.assignment.topicPartitions;
    this.count = 0;
    for (const { partitions } of this.#owned) this.count += partitions.length;
    return true;
  }
}

/** Somebody who wants little, and wants it at once. */
class Bystander {
  isDone = false;
  readonly #calls: CallSocket;
  #latencies: number[] = [];

  constructor(calls: CallSocket) {
    this.#calls = calls;
  }

  async watch(): Promise<void> {
    const frame = flat(apiVersionsApi.encodeRequest(0, 1, CLIENT, {}));
    while (!this.isDone) {
      const startedAt = performance.now();
      await this.#calls.call(frame);
      this.#latencies.push(performance.now() - startedAt);
      await sleep(systemClock, ASK_EACH_MS);
    }
    this.#calls.close();
  }

  takeWords(): string {
    const sorted = this.#latencies.sort((a, b) => a - b);
    this.#latencies = [];
    return `beside it p50 ${percentile(sorted, 0.5).toFixed(1)} ms, p99 ${percentile(sorted, 0.99).toFixed(1)} ms, slowest ${(sorted.at(-1) ?? 0).toFixed(1)} ms`;
  }
}

await main(process.argv.slice(2));
