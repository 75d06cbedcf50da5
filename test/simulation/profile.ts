/** What a seed decides before anything happens: how the broker is set up, what is done to it, and which faults its disk has. */

import { KiB, MINUTE_MS, MiB } from "../../src/base/units.ts";
import { randomOf } from "../support/random.ts";

/** How likely each fault is where it can happen, in bad weather. 0: this run does not have it. */
export interface FaultRates {
  /** A sync of a file fails, what the system writes back by itself, the sync of a directory. */
  readonly writeBack: number;
  readonly background: number;
  readonly directorySync: number;
  /** A read fails and would succeed the next time. */
  readonly read: number;
  /** The process has no descriptor left. */
  readonly descriptors: number;
  /** The disk is full. */
  readonly space: number;
  /** Something is not permitted. */
  readonly access: number;
  /** The state store refuses a change. */
  readonly state: number;
}

export interface Profile {
  readonly seed: number;
  /** Acknowledged when it is written, and synced some time later; else acknowledged when it is synced. */
  readonly isSyncedLater: boolean;
  readonly hasSyncAll: boolean;
  readonly hasSyncThread: boolean;
  readonly canSyncInPlace: boolean;
  readonly segmentBytesMax: number;
  readonly segmentAgeMsMax: number;
  readonly fileIdleMs: number;
  readonly indexIntervalBytes: number;
  readonly openFilesMax: number;
  readonly recentBytesMax: number;
  readonly topics: number;
  readonly partitionsMin: number;
  readonly partitionsMax: number;
  /** Large batches to one partition most of the time, so that the sync thread takes it on. */
  readonly isBusy: boolean;
  /** How many batches are sent at most in one step. */
  readonly burst: number;
  /** Whether a start may meet bad weather. */
  readonly hasBadStarts: boolean;
  /** Whether a process may be killed; else a life ends with a graceful shutdown or a power cut. */
  readonly hasKills: boolean;
  readonly lives: number;
  readonly stepsPerLife: number;
  readonly faults: FaultRates;
}

const NO_FAULTS: FaultRates = {
  writeBack: 0,
  background: 0,
  directorySync: 0,
  read: 0,
  descriptors: 0,
  space: 0,
  access: 0,
  state: 0,
};

export function profileOf(seed: number): Profile {
  const random = randomOf(seed ^ 0x51_0b_e1);
  const dice = random();
  const profile = anyProfile(seed, random);
  if (dice < 0.2) return threadProfile(profile);
  if (dice < 0.35) return groupProfile(profile);
  return dice < 0.45 ? { ...profile, isSyncedLater: dice < 0.4, faults: NO_FAULTS } : profile;
}

/** The sync thread has one busy log most of the time, others come between, and nothing fails but what is written back. */
function threadProfile(profile: Profile): Profile {
  return {
    ...profile,
    isBusy: true,
    hasSyncThread: true,
    hasBadStarts: false,
    hasKills: false,
    segmentBytesMax: 500 * KiB,
    lives: 4,
    topics: 1,
    partitionsMax: 2,
    faults: { ...NO_FAULTS, writeBack: 0.05, background: 0.1 },
  };
}

/** Many partitions are written to at once, so that one syncfs is for all, and nothing fails but what is written back. */
function groupProfile(profile: Profile): Profile {
  return {
    ...profile,
    isBusy: false,
    hasSyncAll: true,
    hasBadStarts: false,
    hasKills: false,
    openFilesMax: 4,
    topics: 4,
    partitionsMin: 6,
    partitionsMax: 8,
    burst: 10,
    faults: { ...NO_FAULTS, writeBack: 0.005, background: 0.3 },
  };
}

function anyProfile(seed: number, random: () => number): Profile {
  const isBusy = random() < 0.5;
  const rate = (share: number, value: number) => (random() < share ? value : 0);
  return {
    seed,
    isSyncedLater: false,
    hasSyncAll: random() < 0.6,
    hasSyncThread: isBusy ? random() < 0.85 : random() < 0.3,
    canSyncInPlace: random() < 0.4,
    segmentBytesMax: isBusy ? (random() < 0.3 ? 160 : 500) * KiB : random() < 0.5 ? 1500 : 6000,
    segmentAgeMsMax: random() < 0.3 ? 20_000 : 10 * MINUTE_MS,
    fileIdleMs: random() < 0.3 ? 20_000 : 10 * MINUTE_MS,
    indexIntervalBytes: random() < 0.5 ? 256 : 4 * KiB,
    openFilesMax: random() < 0.3 ? 4 : 1024,
    recentBytesMax: random() < 0.6 ? 0 : random() < 0.5 ? 4 * KiB : MiB,
    topics: 1 + Math.floor(random() * 3),
    partitionsMin: 1,
    partitionsMax: 1 + Math.floor(random() * 3),
    isBusy,
    burst: random() < 0.3 ? 5 : 1,
    hasBadStarts: random() < 0.7,
    hasKills: random() < 0.6,
    lives: 2 + Math.floor(random() * 3),
    stepsPerLife: 60 + Math.floor(random() * 160),
    faults: {
      writeBack: rate(0.6, random() < 0.5 ? 0.03 : 0.1),
      background: rate(0.5, 0.1),
      directorySync: rate(0.15, 0.08),
      read: rate(0.3, 0.05),
      descriptors: rate(0.3, 0.08),
      space: rate(0.3, 0.05),
      access: rate(0.2, 0.03),
      state: rate(0.2, 0.1),
    },
  };
}
