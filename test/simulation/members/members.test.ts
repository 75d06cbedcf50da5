/** Fixed seeds of groups with members of both protocols, and faults that are planted in the coordinators: they are found. */

import { expect, test } from "bun:test";
import { type Plant, runMemberSeed } from "./run.ts";

const SEEDS = 80;
const AT_ONCE = 20;
const PLANTED_SEEDS_MAX = 60;

for (let first = 1; first <= SEEDS; first += AT_ONCE) {
  test(`seeds ${first} to ${first + AT_ONCE - 1} break no promise of members`, async () => {
    for (let seed = first; seed < first + AT_ONCE; seed += 1) await runClean(seed);
  }, 30_000);
}

const PLANTED: readonly { readonly what: string; readonly plant: Plant; readonly broken: RegExp }[] = [
  {
    what: "a change that is acknowledged before it is stored",
    plant: ({ state }) => {
      const change = state.change.bind(state);
      state.change = async (changes) => {
        change(changes).catch(() => {});
        return true;
      };
    },
    broken: /comes back at|acknowledged is|is told epoch/,
  },
  {
    what: "rows of a consumer group that stay when a classic one takes its name",
    plant: ({ heartbeatGroups }) => {
      const release = heartbeatGroups.release.bind(heartbeatGroups);
      heartbeatGroups.release = (name) => {
        release(name);
        return [];
      };
    },
    broken: /comes back as a group of both kinds/,
  },
  {
    what: "a commit that is taken from whoever makes it",
    plant: ({ groups }) => {
      groups.commitFault = () => null;
    },
    broken: /takes a commit of|goes back to/,
  },
  {
    what: "a removal without a deadline",
    plant: ({ groups, heartbeatGroups }) => {
      const heartbeat = groups.heartbeat.bind(groups);
      let count = 0;
      groups.heartbeat = (name, memberId, instanceId, generationId) => {
        count += 1;
        if (count % 9 === 0 && heartbeatGroups.get(name) !== undefined)
          void groups.leave(name, [{ memberId, groupInstanceId: instanceId }]);
        return heartbeat(name, memberId, instanceId, generationId);
      };
    },
    broken: /is told to have it|does not come to rest/,
  },
];

for (const { what, plant, broken } of PLANTED) {
  test(`${what} is found`, async () => {
    let found: string | null = null;
    for (let seed = 1; seed <= PLANTED_SEEDS_MAX && found === null; seed += 1)
      found = (await runMemberSeed(seed, plant)).broken;
    expect(found).toMatch(broken);
  }, 30_000);
}

async function runClean(seed: number): Promise<void> {
  const { broken, history } = await runMemberSeed(seed);
  const told = broken === null ? "" : [...history, broken, `scripts/sim --groups --seed ${seed}`].join("\n");
  expect(told).toBe("");
}
