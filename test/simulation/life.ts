/**
 * One life of the broker: from the start of a process to its end, graceful or not.
 *
 *     start -> steps ... -> stop          graceful shutdown
 *                       \-> end           killed, or without power: between two steps or two operations of the disk
 *
 * The real `DataDirectory`, `FileEngine` and `Broker` over the simulated disk. Once it is over nothing that it reports counts any
 * more: whatever it still waits for never comes.
 */

import { silentLog } from "../../src/base/log.ts";
import { DAY_MS, KiB, MiB } from "../../src/base/units.ts";
import { Broker } from "../../src/broker/broker.ts";
import { DataDirectory } from "../../src/storage/file/data-directory.ts";
import { FileEngine } from "../../src/storage/file/engine.ts";
import { boundsOf } from "../../src/storage/file/pool.ts";
import { topicDefaults } from "../support/broker.ts";
import { ManualClock } from "../support/manual-clock.ts";
import type { SimulatedFiles } from "../support/simulated-files.ts";
import { SimulatedSyncThread } from "../support/simulated-sync-thread.ts";
import { DiskWeather } from "./disk-weather.ts";
import type { Judge } from "./judge.ts";
import { Messages } from "./messages.ts";
import type { Profile } from "./profile.ts";
import { Scheduler } from "./scheduler.ts";
import { SimulatedState } from "./simulated-state.ts";
import type { World } from "./world.ts";

const DATA = "/data";
const CLUSTER_ID = "simulation000000000000";

export class Life {
  readonly files: SimulatedFiles;
  readonly scheduler: Scheduler;
  readonly weather: DiskWeather;
  readonly clock: ManualClock;
  readonly profile: Profile;
  readonly judge: Judge;
  readonly random: () => number;
  /** There from the end of the start on. */
  broker: Broker | null = null;
  engine: FileEngine | null = null;
  thread: SimulatedSyncThread | null = null;
  readonly messages = new Messages();
  /** Listeners that wait for an outcome, by what they wait for. */
  readonly waiters = new Set<string>();
  /** What was begun and has not ended. */
  readonly tasks = new Set<string>();
  isOver = false;
  #taskCount = 0;

  constructor(world: World) {
    const { profile, random, judge } = world;
    this.files = world.disk;
    this.profile = profile;
    this.judge = judge;
    this.random = random;
    this.scheduler = new Scheduler(random);
    this.weather = new DiskWeather(random, profile.faults, this.scheduler, (what) => {
      if (!this.isOver) judge.record(`  ${what}`);
    });
    this.files.weather = this.weather;
    this.clock = new ManualClock(world.timeMs);
    if (!profile.hasSyncThread) return;
    this.files.openSyncThread = () => {
      const deliver = () => this.scheduler.wait("report of the sync thread");
      this.thread = new SimulatedSyncThread(this.files, false, deliver);
      return this.thread;
    };
  }

  /** @throws ObeliskError when the disk does not permit it */
  async start(world: World): Promise<void> {
    const { files, clock, profile, scheduler } = this;
    const options = { nodeId: 1, pid: 1, clock, newClusterId: () => CLUSTER_ID };
    const directory = DataDirectory.open(files, DATA, options);
    const state = new SimulatedState(world.state, {
      delay: (label) => scheduler.wait(label),
      refusal: () => {
        if (this.isOver) return "the process is gone";
        return this.weather.isBad && this.random() < profile.faults.state ? "the state is full" : null;
      },
    });
    this.engine = new FileEngine({
      files,
      clock,
      directory,
      state,
      segmentBytesMax: profile.segmentBytesMax,
      segmentAgeMsMax: profile.segmentAgeMsMax,
      fileIdleMs: profile.fileIdleMs,
      indexIntervalBytes: profile.indexIntervalBytes,
      fileBounds: boundsOf(profile.openFilesMax),
      canSyncInPlace: profile.canSyncInPlace,
      onFinding: ({ kind, file, detail }) => {
        if (!this.isOver) this.judge.record(`  finding ${kind} in ${file}: ${detail}`);
      },
    });
    world.plant(this);
    const broker = await Broker.open(optionsOf(profile), {
      engine: this.engine,
      clock,
      log: silentLog,
      newId: () => world.newId(),
    });
    await broker.topics.finishRemovals();
    if (!this.isOver) this.broker = broker;
  }

  /** As the server stops. @throws ObeliskError when the disk does not permit it */
  async stop(): Promise<void> {
    await this.broker!.close();
    await this.engine!.close();
  }

  /** Begins something that takes a while. What the disk refuses is an outcome; anything else that is thrown is a fault. */
  begin(what: string, work: () => Promise<void>): void {
    this.#taskCount += 1;
    const name = `${what} (${this.#taskCount})`;
    this.tasks.add(name);
    const end = () => {
      this.tasks.delete(name);
    };
    work().then(end, (thrown) => {
      end();
      this.threw(what, thrown);
    });
  }

  threw(what: string, thrown: unknown): void {
    if (this.isOver) return;
    const text =
      thrown instanceof Error ? `${thrown.name}: ${thrown.message}\n${thrown.stack}` : String(thrown);
    this.judge.broken(`${what} threw ${text}`);
  }
}

function optionsOf(profile: Profile): Broker["options"] {
  return {
    clusterId: CLUSTER_ID,
    nodeId: 1,
    durability: profile.isSyncedLater ? { mode: "interval", intervalMs: 50 } : { mode: "fsync" },
    isAutoCreating: false,
    partitionsDefault: 1,
    topicsMax: 100,
    partitionsMax: 100,
    topicDefaults: topicDefaults({ "max.message.bytes": String(MiB) }),
    messageBytesLimit: MiB,
    batchCountMax: 16,
    batchBytesMax: 4 * KiB,
    lingerMs: 5,
    recentBytesMax: profile.recentBytesMax,
    producerIdExpirationMs: DAY_MS,
    healthWindow: 100,
  };
}
