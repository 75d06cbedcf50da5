/**
 * Runs one seed from its first life to its last, and returns what was broken.
 *
 *     life: start (calm or not) -> steps -> graceful shutdown, kill or power cut      as often as the profile says
 *     end:  calm weather -> all requests complete -> stop -> power cut or kill -> start -> everything owed is read -> stop
 *
 * Nothing here knows real time.
 */

import { errnoOf, ObeliskError } from "../../src/base/errors.ts";
import { SECOND_MS } from "../../src/base/units.ts";
import { logOf } from "../support/partitions.ts";
import type { Life } from "./life.ts";
import { createTopic, step } from "./operations.ts";
import { profileOf } from "./profile.ts";
import { readAll } from "./reads.ts";
import { World } from "./world.ts";

/** Steps in which something that only waits for the disk must come to its end. Far more than the longest takes. */
const PATIENCE = 4000;
/** A start that bad weather refuses is tried again; then the weather is calm. */
const STARTS_IN_BAD_WEATHER = 3;
const STARTS_TO_COME_BACK = 3;

export interface Verdict {
  readonly seed: number;
  /** What was broken, or null. */
  readonly broken: string | null;
  readonly history: readonly string[];
}

export interface RunOptions {
  /** Plants a fault in each life, once it has its engine. */
  plant?: (life: Life) => void;
  /** How many of the last steps are printed. */
  stepsMax?: number;
}

export async function runSeed(seed: number, options: RunOptions = {}): Promise<Verdict> {
  const world = new World(profileOf(seed), options.stepsMax, options.plant);
  const unhandled = (thrown: unknown) => world.life.threw("something that nobody waits for", thrown);
  process.on("unhandledRejection", unhandled);
  try {
    await runLives(world);
    if (world.judge.verdict === null) await runEnd(world);
  } catch (thrown) {
    world.life.threw("the run", thrown);
  } finally {
    world.life.isOver = true;
    await world.life.scheduler.finish();
    process.off("unhandledRejection", unhandled);
  }
  return { seed, broken: world.judge.verdict, history: world.judge.history };
}

async function runLives(world: World): Promise<void> {
  const { profile, random, judge } = world;
  prepare(world);
  for (let count = 0; count < profile.lives && judge.verdict === null; count += 1) {
    if (count > 0) await world.nextLife();
    await startInAnyWeather(world, profile.hasBadStarts && random() < 0.7);
    const { life } = world;
    if (!profile.hasBadStarts) life.weather.isBad = random() < 0.7;
    if (count === 0) for (let topics = 0; topics < profile.topics; topics += 1) createTopic(world, life);
    planEnd(world, random() < 0.4 ? Math.floor(random() * profile.stepsPerLife * 6) : -1);
    for (let steps = 0; steps < profile.stepsPerLife && !life.isOver; steps += 1) {
      step(world, life);
      await complete(world);
      if (judge.verdict !== null) return;
    }
    await endLife(world);
  }
}

/** The directories that every data directory has, on the disk already. */
function prepare(world: World): void {
  world.disk.makeDirectory("/data");
  world.disk.syncDirectory("/");
}

function anEnd(world: World): "crash" | "kill" {
  return world.random() < 0.5 && world.profile.hasKills ? "kill" : "crash";
}

/** Lets the life end by itself before an operation of the disk. */
function planEnd(world: World, operations: number): void {
  if (operations < 1) return;
  const how = anEnd(world);
  world.life.weather.endBefore(operations, () => world.endLife(how));
}

async function startInAnyWeather(world: World, isBad: boolean): Promise<void> {
  for (let tries = 0; world.judge.verdict === null; tries += 1) {
    const { life } = world;
    life.weather.isBad = isBad && tries < STARTS_IN_BAD_WEATHER;
    if (tries < STARTS_IN_BAD_WEATHER && world.random() < 0.15)
      planEnd(world, 1 + Math.floor(world.random() * 60));
    if (await start(world, life)) return;
    world.endLife(anEnd(world));
    await world.nextLife();
  }
}

/** True when the broker serves. */
async function start(world: World, life: Life): Promise<boolean> {
  world.judge.record(`start, in ${life.weather.isBad ? "bad" : "calm"} weather`);
  let refusal: string | null = null;
  life.begin("the start", async () => {
    try {
      await life.start(world);
    } catch (thrown) {
      if (!(thrown instanceof Error) || errnoOf(thrown) === undefined) throw thrown;
      refusal = thrown.message;
    }
  });
  await until(world, "the start", () => life.tasks.size === 0);
  if (refusal !== null) world.judge.record(`the start is refused: ${refusal}`);
  if (life.broker === null || life.isOver) return false;
  const topics = life.broker.topics.all();
  world.topics.found(topics);
  for (const { partitions } of topics) {
    for (const log of partitions.map(logOf)) {
      if (!log.isOffline) continue;
      world.judge.record(`${log.topic}-${log.partition} is offline from the start`);
    }
  }
  observe(world);
  return true;
}

async function endLife(world: World): Promise<void> {
  const { life, random } = world;
  if (life.isOver || world.judge.verdict !== null) return;
  if (random() < 0.35) await stop(world, life);
  await life.scheduler.quiet();
  world.endLife(anEnd(world));
}

/** Everything is requested to end, and must: first what is under way, as the listeners do it, then the broker. */
async function stop(world: World, life: Life): Promise<boolean> {
  world.judge.record("stop");
  await until(world, "what is under way at the stop", () => life.tasks.size === 0);
  let isDone = false;
  life.begin("the stop", async () => {
    try {
      await life.stop();
      isDone = true;
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      world.judge.record(`the stop is refused: ${thrown.message}`);
    }
  });
  await until(world, "the stop", () => life.tasks.size === 0);
  if (life.isOver || world.judge.verdict !== null) return false;
  if (life.waiters.size > 0) world.judge.broken(`the broker stopped without ${[...life.waiters].join(", ")}`);
  if (isDone && life.files.openCount > 0)
    world.judge.broken(`after the stop these are open: ${life.files.openPaths.join(", ")}`);
  return isDone;
}

async function runEnd(world: World): Promise<void> {
  await world.nextLife();
  world.life.weather.isBad = false;
  await startCalm(world);
  await readEverything(world);
  sendToAll(world);
  const { life } = world;
  await until(world, "an outcome", () => life.waiters.size === 0);
  await readEverything(world);
  if (world.judge.verdict === null) await stop(world, life);
  world.endLife(anEnd(world));
  await world.nextLife();
  await startCalm(world);
  await readEverything(world);
  if (world.judge.verdict === null) await stop(world, world.life);
}

/**
 * A start may get the error of what failed in a life before, and take a partition offline for it; it comes back with the next.
 */
async function startCalm(world: World): Promise<void> {
  for (let tries = 1; world.judge.verdict === null; tries += 1) {
    if (!(await start(world, world.life))) world.judge.broken("the broker does not start in calm weather");
    const offline = [...partitionsOf(world)].find(({ partition }) => partition.isUnavailable);
    if (offline === undefined) return;
    if (tries === STARTS_TO_COME_BACK)
      world.judge.broken(`${offline.oracle.name} is offline after ${tries} starts in calm weather`);
    world.endLife("kill");
    await world.nextLife();
  }
}

function sendToAll(world: World): void {
  if (world.judge.verdict !== null) return;
  for (const { topic, partition, oracle } of partitionsOf(world)) {
    if (topic.outcome !== "there") continue;
    for (const producer of world.producersOf(oracle)) producer.send(world.life, partition, 100);
  }
}

async function readEverything(world: World): Promise<void> {
  if (world.judge.verdict !== null) return;
  const { life } = world;
  for (const { partition, oracle } of partitionsOf(world)) {
    life.begin(`read all of ${oracle.name}`, async () => {
      const refusal = await readAll(life, partition, oracle);
      if (refusal !== null) world.judge.broken(`${oracle.name} cannot be read in calm weather: ${refusal}`);
    });
  }
  await until(world, "a read", () => life.tasks.size === 0);
}

/** Goes on until it is so; what waits for ever is a fault. */
async function until(world: World, what: string, isSo: () => boolean): Promise<void> {
  const { life } = world;
  for (let patience = PATIENCE; !isSo() && !life.isOver && world.judge.verdict === null; patience -= 1) {
    if (patience === 0) {
      const waiting = [...life.tasks, ...life.waiters].join(", ");
      world.judge.broken(
        `${what} waits for ever (${waiting}); the disk has to do: ${life.scheduler.labels.join(", ") || "nothing"}`,
      );
      return;
    }
    const label = life.scheduler.release();
    if (label !== null) world.judge.record(`ended: ${label}`);
    else if (patience < PATIENCE / 2) life.clock.advance(SECOND_MS);
    await complete(world);
  }
}

/** What a step has set in motion runs on; then what can be seen from outside is looked at. */
async function complete(world: World): Promise<void> {
  await world.life.scheduler.turns();
  observe(world);
}

function observe(world: World): void {
  if (world.life.isOver || world.life.broker === null) return;
  for (const { partition, oracle } of partitionsOf(world)) {
    if (partition.refusal === null) oracle.observe(partition.highWatermark, partition.leaderEpoch);
  }
}

function* partitionsOf(world: World) {
  const { broker } = world.life;
  if (broker === null) return;
  for (const topic of broker.topics.all()) {
    const oracle = world.topics.byId(topic.id);
    if (oracle === undefined) continue;
    for (const [index, partition] of topic.partitions.entries())
      yield { topic: oracle, partition, oracle: oracle.partitions[index]! };
  }
}
