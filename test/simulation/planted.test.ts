/** The simulation itself: faults that are planted in the parts that it drives are found within a few seeds, by the promise they break. */

import { expect, test } from "bun:test";
import type { PartitionLog } from "../../src/storage/contract.ts";
import type { Life } from "./life.ts";
import { runSeed } from "./run.ts";

const SEEDS_MAX = 30;

interface Planted {
  readonly what: string;
  readonly plant: (life: Life) => void;
  readonly broken: RegExp;
}

const PLANTED: readonly Planted[] = [
  {
    what: "a sync that is not done",
    plant: ({ files }) => {
      files.sync = async () => {};
    },
    broken: /the disk does not hold it/,
  },
  {
    what: "a directory's sync that is not done",
    plant: ({ files }) => {
      files.syncDirectory = () => {};
    },
    broken: /the disk does not hold it/,
  },
  {
    what: "a failed sync that is not reported",
    plant: ({ files }) => {
      const sync = files.sync.bind(files);
      files.sync = (descriptor) => sync(descriptor).catch(() => {});
    },
    broken: /the disk does not hold it/,
  },
  {
    what: "a high watermark at the log's end",
    plant: (life) => {
      const sync = life.engine!.sync.bind(life.engine!);
      life.engine!.sync = (logs) => {
        for (const log of logs) endIsDurable(log);
        return sync(logs);
      };
    },
    broken: /the disk does not hold it/,
  },
  {
    what: "a sync that never ends",
    plant: (life) => {
      const sync = life.engine!.sync.bind(life.engine!);
      let count = 0;
      life.engine!.sync = (logs) => {
        count += 1;
        return count === 5 ? new Promise(() => {}) : sync(logs);
      };
    },
    broken: /waits for ever/,
  },
  {
    what: "a file that is left open",
    plant: ({ files }) => {
      const close = files.close.bind(files);
      let count = 0;
      files.close = (descriptor) => {
        count += 1;
        if (count !== 3) close(descriptor);
      };
    },
    broken: /after the stop these are open/,
  },
  {
    what: "a write to the wrong place",
    plant: ({ files }) => {
      const write = files.write.bind(files);
      let count = 0;
      files.write = (descriptor, source, start, end, position) => {
        count += 1;
        write(descriptor, source, start, end, count === 12 && position > 0 ? position - 1 : position);
      };
    },
    broken: /./,
  },
];

for (const { what, plant, broken } of PLANTED) {
  test(`${what} is found`, async () => {
    let found: string | null = null;
    for (let seed = 1; seed <= SEEDS_MAX && found === null; seed += 1) {
      found = (await runSeed(seed, { plant })).broken;
    }
    expect(found).toMatch(broken);
  });
}

test("a seed tells the same story each time", async () => {
  const stories = [];
  for (const seed of [3, 4, 3, 4]) stories.push(await runSeed(seed, { stepsMax: Number.POSITIVE_INFINITY }));
  expect(stories.slice(2)).toEqual(stories.slice(0, 2));
  expect(stories[0]!.history.length).toBeGreaterThan(100);
});

function endIsDurable(log: PartitionLog): void {
  Object.defineProperty(log, "durableOffset", { get: () => log.endOffset, configurable: true });
}
