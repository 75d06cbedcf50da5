/** What may happen next in a life, and how likely it is. Each is one step: begun, and left to the scheduler. */

import { ObeliskError } from "../../src/base/errors.ts";
import { MINUTE_MS } from "../../src/base/units.ts";
import type { Partition } from "../../src/broker/partition.ts";
import { logPartition } from "../support/partitions.ts";
import type { Life } from "./life.ts";
import type { PartitionOracle } from "./partition-oracle.ts";
import { readSome, searchByTime } from "./reads.ts";
import type { World } from "./world.ts";

interface Operation {
  readonly weight: number;
  run(world: World, life: Life): void;
}

const TOPIC_NAMES = ["a", "b", "c", "d"];

const OPERATIONS: readonly Operation[] = [
  { weight: 40, run: release },
  { weight: 34, run: send },
  { weight: 3, run: (world, life) => withPartition(world, life, sendMessages) },
  { weight: 2, run: sendLastAgain },
  { weight: 10, run: (world, life) => withPartition(world, life, readSome) },
  { weight: 3, run: (world, life) => withPartition(world, life, searchByTime) },
  {
    weight: 2,
    run: (world, life) => withPartition(world, life, (_, partition) => logPartition(partition).checkpoint()),
  },
  { weight: 4, run: passTime },
  { weight: 4, run: writeBack },
  { weight: 1.2, run: changeWeather },
  { weight: 0.5, run: createTopic },
  { weight: 0.3, run: removeTopic },
  { weight: 0.5, run: endThread },
];
const WEIGHTS = OPERATIONS.reduce((sum, { weight }) => sum + weight, 0);

/** One step of a broker that has started. */
export function step(world: World, life: Life): void {
  let dice = world.random() * WEIGHTS;
  for (const operation of OPERATIONS) {
    dice -= operation.weight;
    if (dice >= 0) continue;
    operation.run(world, life);
    return;
  }
}

/** Creates a topic that is not there. */
export function createTopic(world: World, life: Life): void {
  const name = TOPIC_NAMES[Math.floor(world.random() * TOPIC_NAMES.length)]!;
  const { partitionsMin, partitionsMax } = world.profile;
  const partitions = partitionsMin + Math.floor(world.random() * (partitionsMax - partitionsMin + 1));
  if (world.topics.there.some((topic) => topic.name === name)) return;
  life.begin(`create topic ${name}`, async () => {
    life.judge.record(`create topic ${name} with ${partitions} partitions`);
    try {
      const topic = await life.broker!.topics.create(name, { partitions, configs: {} });
      if (life.isOver) return;
      life.judge.record(`topic ${name} is created`);
      world.topics.created(topic);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      if (!life.isOver) life.judge.record(`topic ${name} is not created: ${thrown.message}`);
    }
  });
}

function release(_: World, life: Life): void {
  const label = life.scheduler.release();
  if (label !== null) life.judge.record(`ended: ${label}`);
}

function send(world: World, life: Life): void {
  const count = 1 + Math.floor(world.random() * world.profile.burst);
  for (let sent = 0; sent < count; sent += 1) sendOne(world, life);
  if (count > 1 && world.random() < 0.2) writeBack(world, life);
}

function sendOne(world: World, life: Life): void {
  withPartition(world, life, (_, partition, oracle) => {
    const { random, profile } = world;
    const producer = world.producersOf(oracle)[random() < 0.7 ? 0 : 1]!;
    const isLarge = profile.isBusy && random() < 0.8;
    producer.send(
      life,
      partition,
      isLarge ? 9_000 + Math.floor(random() * 12_000) : Math.floor(random() * 700),
    );
  });
}

function sendMessages(life: Life, partition: Partition, oracle: PartitionOracle): void {
  const count = 1 + Math.floor(life.random() * 6);
  for (let sent = 0; sent < count; sent += 1) life.messages.send(life, partition, oracle);
}

function sendLastAgain(world: World, life: Life): void {
  withPartition(world, life, (_, partition, oracle) => {
    world.producersOf(oracle)[0]!.sendLastAgain(life, partition);
  });
}

function passTime(world: World, life: Life): void {
  const dice = world.random();
  let ms = 1 + Math.floor(world.random() * 20);
  if (dice < 0.01) ms = 11 * MINUTE_MS;
  else if (dice < 0.4) ms = 1000 + Math.floor(world.random() * 60_000);
  life.judge.record(`${ms} ms pass`);
  life.clock.advance(ms);
}

function writeBack(world: World, life: Life): void {
  const { dirtyPaths } = life.files;
  const slot = Math.floor(world.random() * dirtyPaths.length);
  const share = world.random() < 0.6 ? 1 : world.random();
  if (dirtyPaths.length === 0) return;
  life.judge.record(`the system writes ${dirtyPaths[slot]} back (${share.toFixed(2)} of it)`);
  life.weather.isBackground = true;
  life.files.writeSomeBack(slot, share);
  life.weather.isBackground = false;
}

function changeWeather(_: World, life: Life): void {
  life.weather.isBad = !life.weather.isBad;
  life.judge.record(life.weather.isBad ? "bad weather" : "calm weather");
}

function removeTopic(world: World, life: Life): void {
  const topics = world.topics.there;
  const topic = topics[Math.floor(world.random() * topics.length)];
  if (topic === undefined) return;
  topic.outcome = "unsure";
  life.begin(`remove topic ${topic.name}`, async () => {
    life.judge.record(`remove topic ${topic.name}`);
    try {
      await life.broker!.topics.remove(topic.name, topic.id);
      if (life.isOver) return;
      topic.outcome = "removed";
      life.judge.record(`topic ${topic.name} is removed`);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      if (!life.isOver) life.judge.record(`topic ${topic.name} is not removed: ${thrown.message}`);
    }
  });
}

function endThread(_: World, life: Life): void {
  if (life.thread?.isAttached !== true) return;
  life.judge.record("the sync thread dies");
  void life.thread.die();
}

/** One of the partitions there are; the first one mostly in a busy run. */
function withPartition(
  world: World,
  life: Life,
  work: (life: Life, partition: Partition, oracle: PartitionOracle) => void,
): void {
  const { random, profile } = world;
  const all = world.topics.there.flatMap(({ id, partitions }) =>
    partitions.map((oracle, index) => ({ id, index, oracle })),
  );
  const isFirst = profile.isBusy && random() < 0.85;
  const chosen = all[isFirst ? 0 : Math.floor(random() * all.length)];
  if (chosen === undefined) return;
  const partition = life.broker!.topics.byId(chosen.id)?.partitions[chosen.index];
  if (partition !== undefined) work(life, partition, chosen.oracle);
}
