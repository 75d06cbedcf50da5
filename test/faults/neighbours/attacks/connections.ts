/** Many who do nothing. */

import { MiB } from "../../../../src/base/units.ts";
import type { Attack } from "../support/attack.ts";

const IDLE_BYTES_MAX = 110 * MiB;

const idle: Attack = {
  name: "connections-idle",
  what: "10,000 connections that say nothing",
  flags: ["--connections-max=11000"],
  /** Before the neighbours come, so that only the idle ones count. */
  prepare: async (stage) => {
    const count = stage.size({ full: 10_000, quick: 10_000, suite: 1000 });
    const before = stage.server.residentBytes();
    await stage.many(count, () => stage.kafka());
    const bytes = stage.server.residentBytes();
    stage.facts["idleMb"] = Math.round(bytes / 1e6);
    stage.facts["bytesEach"] = Math.round((bytes - before) / count);
    stage.expect(bytes < IDLE_BYTES_MAX, `${count} idle connections beside ${bytes} resident bytes`);
  },
  run: async (stage) => {
    await stage.wait(stage.size({ full: 5, quick: 2, suite: 0 }));
    const cut = stage.peers.filter(({ isClosed }) => isClosed).length;
    stage.expect(cut === 0, `${cut} idle connections were cut`);
  },
};

const storm: Attack = {
  name: "connections-storm",
  what: "10,000 connections that come while others work, and say nothing",
  flags: ["--connections-max=11000"],
  run: async (stage) => {
    const peers = await stage.many(stage.size({ full: 10_000, quick: 10_000, suite: 1000 }), () =>
      stage.kafka(),
    );
    const cut = peers.filter(({ isClosed }) => isClosed).length;
    stage.expect(cut === 0, `${cut} of those that came were cut`);
  },
};

export const connections: readonly Attack[] = [idle, storm];
