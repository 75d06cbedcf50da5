/**
 * Consumers over HTTP that come, stall past their leases, leave, and commit late, by chance, while messages come: every message is handed out
 * and committed by somebody, and what is committed never goes back. A seed makes a run the same as far as the network lets it.
 */

import { expect, test } from "bun:test";
import { batchOf } from "../../support/batches.ts";
import { startHttp } from "../../support/http.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { appendTo } from "../../support/partitions.ts";
import { randomOf } from "../../support/random.ts";

const PARTITIONS = 3;
const MEMBERS = 4;
const STEPS = 150;
const LEASE_MS = 3000;

interface Polled {
  readonly member: string;
  readonly messages: readonly { readonly value: string }[];
  readonly offsets: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
  }[];
}

for (const seed of [1, 2, 3]) {
  test(`nothing is lost and nothing goes back, whatever consumers do: seed ${seed}`, async () => {
    const random = randomOf(seed);
    const chance = (share: number) => random() < share;
    const clock = new ManualClock();
    await using http = await startHttp({ clock });
    const { partitions } = await http.broker.topics.create("t", { partitions: PARTITIONS, configs: {} });
    const post = async (path: string, body: object): Promise<[number, Polled]> =>
      (await http.ask(path, { method: "POST", body: JSON.stringify(body) })) as [number, Polled];
    const produced: string[] = [];
    const done = new Set<string>();
    const standing = new Map<number, number>();
    /** What each member was handed last and has not committed. */
    const handed = new Map<string, Polled>();

    const produce = async () => {
      const value = `m${produced.length}`;
      produced.push(value);
      await appendTo(partitions[Math.floor(random() * PARTITIONS)]!, batchOf([value])).done;
    };
    const poll = async (member: string) => {
      const body = { topics: ["t"], member, max: 1 + Math.floor(random() * 3), leaseMs: LEASE_MS };
      const [status, polled] = await post("/groups/g/poll", body);
      expect([status, polled]).toEqual([200, polled]);
      handed.set(member, polled);
    };
    const commit = async (member: string) => {
      const polled = handed.get(member);
      handed.delete(member);
      if (polled === undefined || polled.offsets.length === 0) return;
      const [status] = await post("/groups/g/commit", { member, offsets: polled.offsets });
      expect([200, 409]).toContain(status);
      if (status === 200) for (const { value } of polled.messages) done.add(value);
    };
    const check = () => {
      for (const { partition, committed } of http.parts.offsets.list("g")) {
        expect(committed.offset).toBeGreaterThanOrEqual(standing.get(partition) ?? 0);
        standing.set(partition, committed.offset);
      }
    };

    for (let step = 0; step < STEPS; step += 1) {
      const member = `member-${Math.floor(random() * MEMBERS)}`;
      if (chance(0.3)) await produce();
      if (chance(0.5)) await poll(member);
      if (chance(0.4)) await commit(member);
      if (chance(0.05)) await http.fetch(`/groups/g/members/${member}`, { method: "DELETE" });
      if (chance(0.3)) clock.advance(1000);
      if (chance(0.03)) for (let passedMs = 0; passedMs <= LEASE_MS; passedMs += 1000) clock.advance(1000);
      check();
    }
    // One is left, and ends the work.
    for (let rounds = 0; done.size < produced.length; rounds += 1) {
      if (rounds > 200) throw new Error(`${produced.length - done.size} messages were handed to nobody`);
      clock.advance(1000);
      await poll("member-0");
      await commit("member-0");
      check();
    }
    expect([...done].sort()).toEqual([...produced].sort());
  }, 60_000);
}
