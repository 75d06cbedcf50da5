/**
 * scripts/bench/groups.ts: what groups of the classic protocol cost. The same client code against Obelisk and, with KAFKA_HOME, Apache
 * Kafka with an initial rebalance delay of 50 ms as well.
 *
 *   bun scripts/bench/groups.ts [--members N] [--groups N] [--seconds N]
 *
 *   one large group    N members with a connection each come together, each with one partition: until all have an assignment of one
 *                      generation; then one more comes, and the others learn of it by a heartbeat, which each sends 10 times a second
 *   many groups        resident memory before and after N groups of one member
 *   commits            of one partition each, 50 connections, one at a time on each, as many groups
 *
 * Needs ./scripts/build first. The client shares the machine with the server; where others do too, the processor's time tells more.
 */

import { sleep, systemClock } from "../../src/base/clock.ts";
import { wireCode } from "../../src/base/errors.ts";
import { createTopicsApi } from "../../src/protocol/kafka/apis/create-topics.ts";
import { findCoordinatorApi } from "../../src/protocol/kafka/apis/find-coordinator.ts";
import { heartbeatApi } from "../../src/protocol/kafka/apis/heartbeat.ts";
import { type JoinGroupResponse, joinGroupApi } from "../../src/protocol/kafka/apis/join-group.ts";
import { offsetCommitApi } from "../../src/protocol/kafka/apis/offset-commit.ts";
import { syncGroupApi } from "../../src/protocol/kafka/apis/sync-group.ts";
import { flat } from "./kafka-api.ts";
import { type Address, CallSocket, percentile } from "./load.ts";
import { cpuMs, residentBytes, startKafka, startObelisk } from "./servers.ts";

const CLIENT = "obelisk-bench";
const TOPIC = "bench-groups";
const COMMITTERS = 50;
/** Joining at once, of the many groups. */
const CONNECTIONS = 100;
const TIMEOUT_MS = 60_000;
const MiB = 1024 * 1024;

async function main(args: readonly string[]): Promise<void> {
  const option = (name: string, defaultValue: string) => {
    const at = args.indexOf(`--${name}`);
    return Number(at === -1 ? defaultValue : (args[at + 1] ?? defaultValue));
  };
  const plan = {
    members: option("members", "1000"),
    groups: option("groups", "10000"),
    seconds: option("seconds", "3"),
  };
  const obelisk = await startObelisk("--connections-max", "5000");
  try {
    await measure("Obelisk", obelisk.kafka, obelisk.pid, plan);
  } finally {
    await obelisk.stop();
  }
  const kafka = await startKafka({ properties: ["group.initial.rebalance.delay.ms=50"] });
  if (kafka === null) return;
  try {
    await measure("Apache Kafka", kafka.address, kafka.pid, plan);
  } finally {
    await kafka.stop();
  }
}

interface Plan {
  readonly members: number;
  readonly groups: number;
  readonly seconds: number;
}

async function measure(name: string, address: Address, pid: number, plan: Plan): Promise<void> {
  await createTopic(address, plan.members);
  await oneLargeGroup(name, address, pid, plan.members);
  await commits(name, address, pid, plan.seconds);
  await manyGroups(name, address, pid, plan.groups);
}

async function createTopic(address: Address, numPartitions: number): Promise<void> {
  const calls = await CallSocket.connect(address);
  const request = { topics: [{ name: TOPIC, numPartitions, replicationFactor: 1 }], timeoutMs: TIMEOUT_MS };
  await calls.call(flat(createTopicsApi.encodeRequest(5, 1, CLIENT, request)));
  // Kafka makes the topic of its groups when the first one is asked for, and takes a while for it.
  for (let isReady = false; !isReady; ) {
    await calls.call(flat(findCoordinatorApi.encodeRequest(3, 1, CLIENT, { key: "ready" })));
    isReady = (await join(calls, "ready", "")).errorCode === wireCode("MEMBER_ID_REQUIRED");
    if (!isReady) await sleep(systemClock, 200);
  }
  calls.close();
}

async function oneLargeGroup(name: string, address: Address, pid: number, count: number): Promise<void> {
  const sockets: CallSocket[] = [];
  for (let member = 0; member <= count; member += 1) sockets.push(await CallSocket.connect(address));
  const members = sockets.map((calls) => ({ calls, memberId: "", generationId: -1 }));
  const newcomer = members.pop()!;
  const [startedAt, cpuAt] = [performance.now(), cpuMs(pid)];
  const generations = await settle(members);
  console.log(
    `${name}: ${count} members together and assigned in ${words(performance.now() - startedAt)} (processor ${words(cpuMs(pid) - cpuAt)}), ${generations} generation(s)`,
  );
  const [againAt, againCpuAt] = [performance.now(), cpuMs(pid)];
  await settle([...members, newcomer]);
  console.log(
    `${name}: one more member, all assigned again in ${words(performance.now() - againAt)} (processor ${words(cpuMs(pid) - againCpuAt)})`,
  );
  for (const calls of sockets) calls.close();
}

interface Member {
  readonly calls: CallSocket;
  memberId: string;
  /** Of the last assignment. */
  generationId: number;
}

/** As consumers do it: join, synchronise, and report until everybody has the same generation. How many generations that took. */
async function settle(members: readonly Member[]): Promise<number> {
  const group = "large";
  const generations = new Set<number>();
  let newest = -1;
  let settled = 0;
  const isSettled = () => settled === members.length;
  const work = async (member: Member) => {
    const { calls } = member;
    while (!isSettled()) {
      if (member.generationId !== -1) {
        await untilRebalance(calls, group, member, isSettled);
        if (isSettled()) return;
        member.generationId = -1;
      }
      const joined = await join(calls, group, member.memberId);
      member.memberId = joined.errorCode === wireCode("UNKNOWN_MEMBER_ID") ? "" : joined.memberId;
      if (joined.errorCode !== 0 || !(await sync(calls, group, joined))) continue;
      member.generationId = joined.generationId;
      generations.add(joined.generationId);
      if (joined.generationId > newest) {
        newest = joined.generationId;
        settled = 0;
      }
      if (joined.generationId === newest) settled += 1;
    }
  };
  await Promise.all(members.map(work));
  return generations.size;
}

async function manyGroups(name: string, address: Address, pid: number, count: number): Promise<void> {
  const before = residentBytes(pid);
  const startedAt = performance.now();
  let next = 0;
  const work = async () => {
    const calls = await CallSocket.connect(address);
    for (let group = next++; group < count; group = next++) {
      const member = await enter(calls, `many-${group}`);
      await sync(calls, `many-${group}`, member);
    }
    return calls;
  };
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, work));
  const grownMiB = (residentBytes(pid) - before) / MiB;
  const perSecond = (count / (performance.now() - startedAt)) * 1000;
  console.log(
    `${name}: ${count} groups of one member, ${perSecond.toFixed(0)} a second, resident memory from ${(before / MiB).toFixed(0)} MiB, ${grownMiB.toFixed(0)} MiB more`,
  );
  for (const calls of sockets) calls.close();
}

async function commits(name: string, address: Address, pid: number, seconds: number): Promise<void> {
  const untilMs = performance.now() + seconds * 1000;
  const cpuAt = cpuMs(pid);
  const latencies: number[] = [];
  const work = async (_: unknown, committer: number) => {
    const calls = await CallSocket.connect(address);
    for (let committedOffset = 0; performance.now() < untilMs; committedOffset += 1) {
      const topics = [{ name: TOPIC, partitions: [{ partitionIndex: 0, committedOffset }] }];
      const startedAt = performance.now();
      const frame = flat(
        offsetCommitApi.encodeRequest(8, 1, CLIENT, { groupId: `committer-${committer}`, topics }),
      );
      const body = await calls.call(frame);
      latencies.push(performance.now() - startedAt);
      const response = offsetCommitApi.decodeResponse(8, body, 0, body.length);
      if (response.topics[0]?.partitions[0]?.errorCode !== 0) throw new Error("a commit was refused");
    }
    calls.close();
  };
  await Promise.all(Array.from({ length: COMMITTERS }, work));
  latencies.sort((a, b) => a - b);
  console.log(
    `${name}: ${(latencies.length / seconds).toFixed(0)} commits a second (processor ${((cpuMs(pid) - cpuAt) / latencies.length).toFixed(2)} ms each), p50 ${percentile(latencies, 0.5).toFixed(2)} ms, p99 ${percentile(latencies, 0.99).toFixed(2)} ms`,
  );
}

async function enter(calls: CallSocket, group: string): Promise<JoinGroupResponse> {
  const { memberId } = await join(calls, group, "");
  return await join(calls, group, memberId);
}

async function join(calls: CallSocket, groupId: string, memberId: string): Promise<JoinGroupResponse> {
  const request = {
    groupId,
    sessionTimeoutMs: TIMEOUT_MS,
    rebalanceTimeoutMs: TIMEOUT_MS,
    memberId,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: SUBSCRIPTION }],
  };
  const body = await calls.call(flat(joinGroupApi.encodeRequest(7, 1, CLIENT, request)));
  return joinGroupApi.decodeResponse(7, body, 0, body.length);
}

/** Whether there was an assignment. */
async function sync(calls: CallSocket, groupId: string, member: JoinGroupResponse): Promise<boolean> {
  const { memberId, generationId, members } = member;
  const assignments = members.map(({ memberId: id }) => ({ memberId: id, assignment: ASSIGNMENT }));
  const request = {
    groupId,
    generationId,
    memberId,
    protocolType: "consumer",
    protocolName: "range",
    assignments,
  };
  const body = await calls.call(flat(syncGroupApi.encodeRequest(5, 1, CLIENT, request)));
  return syncGroupApi.decodeResponse(5, body, 0, body.length).errorCode === 0;
}

async function untilRebalance(
  calls: CallSocket,
  groupId: string,
  { memberId, generationId }: Member,
  isSettled: () => boolean,
): Promise<void> {
  const frame = flat(heartbeatApi.encodeRequest(4, 1, CLIENT, { groupId, memberId, generationId }));
  while (!isSettled()) {
    const body = await calls.call(frame);
    if (heartbeatApi.decodeResponse(4, body, 0, body.length).errorCode !== 0) return;
    await sleep(systemClock, 100);
  }
}

/** Version 1: one topic, no user data, no partitions owned. */
const SUBSCRIPTION = Buffer.concat([
  Buffer.from([0, 1, 0, 0, 0, 1, 0, TOPIC.length]),
  Buffer.from(TOPIC),
  Buffer.from([255, 255, 255, 255, 0, 0, 0, 0]),
]);

/** Version 1: one partition of the topic. Which one matters to nobody here. */
const ASSIGNMENT = Buffer.concat([
  Buffer.from([0, 1, 0, 0, 0, 1, 0, TOPIC.length]),
  Buffer.from(TOPIC),
  Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 255, 255, 255, 255]),
]);

function words(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

await main(process.argv.slice(2));
