/** kcat's balanced consumers (`-G`): three of them in one group, one is killed and one joins; every line comes to one of them. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { compiled } from "../support/obelisk-command.ts";
import { startCompiled, type TestServer } from "../support/server.ts";

const PARTITIONS = 6;
const LINES = 600;
const WAIT_MS_MAX = 30_000;
/** kcat does not hand over partitions one by one, so the cooperative one is not for it. */
const STRATEGIES = ["range", "roundrobin"];
const kcat = Bun.which("kcat");
const reason = kcat === null ? "kcat is not installed" : compiled.missing;

describe.skipIf(reason !== undefined)(`kcat in a group${reason ? ` (skipped: ${reason})` : ""}`, () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startCompiled([`--partitions=${PARTITIONS}`, "--group-min-session-timeout=1s"]);
  });
  afterAll(() => server.stop());

  for (const strategy of STRATEGIES) {
    test.concurrent(`three members with the strategy ${strategy}, one killed and one joining, get every line`, async () => {
      const topic = `group-${strategy}`;
      await produce(topic, 0, LINES);
      const start = () => new Member(server.kafka, topic, strategy);
      const members = [start(), start(), start()];
      try {
        await until("all lines", () => linesOf(members).size === LINES);
        await until("a share for each", () => shareOf(members, PARTITIONS));
        members[0]!.child.kill("SIGKILL");
        await until("shares of two", () => shareOf(members.slice(1), PARTITIONS));
        members.push(start());
        await until("shares of three", () => shareOf(members.slice(1), PARTITIONS));
        await produce(topic, LINES, LINES);
        await until("the second half", () => linesOf(members).size === 2 * LINES);
        expect([...linesOf(members)].sort((one, other) => one - other)).toEqual(
          Array.from({ length: 2 * LINES }, (_, index) => index),
        );
      } finally {
        for (const { child } of members) child.kill("SIGTERM");
        await Promise.all(members.map(({ child }) => child.exited));
      }
    }, 60_000);
  }

  async function produce(topic: string, first: number, count: number): Promise<void> {
    const lines = Array.from({ length: count }, (_, index) => `${first + index}:${first + index}`).join("\n");
    const child = Bun.spawn([kcat!, "-b", server.kafka, "-P", "-t", topic, "-K", ":"], {
      stdin: new TextEncoder().encode(`${lines}\n`),
      stdout: "ignore",
      stderr: "inherit",
    });
    expect(await child.exited).toBe(0);
  }
});

/** What it read, and how many partitions it owns by what it says on its standard error. */
class Member {
  readonly lines = new Set<number>();
  owned = 0;
  readonly child;

  constructor(brokers: string, topic: string, strategy: string) {
    const settings = ["session.timeout.ms=1500", "heartbeat.interval.ms=300", "auto.offset.reset=earliest"];
    const group = ["-G", topic, "-u", "-X", `partition.assignment.strategy=${strategy}`];
    const flags = settings.flatMap((each) => ["-X", each]);
    this.child = Bun.spawn([kcat!, "-b", brokers, ...flags, ...group, topic], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    void eachLine(this.child.stdout, (line) => this.lines.add(Number(line)));
    void eachLine(this.child.stderr, (line) => this.#rebalanced(line));
  }

  /** "% Group G rebalanced (memberid M): assigned: T [0], T [1]", and the same with "revoked". */
  #rebalanced(line: string): void {
    const told = /rebalanced .*?: (assigned|revoked): (.*)$/.exec(line);
    if (told === null) return;
    const count = [...told[2]!.matchAll(/\[\d+\]/g)].length;
    this.owned = told[1] === "assigned" ? count : 0;
  }
}

async function eachLine(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) take(line);
  }
}

function linesOf(members: readonly Member[]): Set<number> {
  return new Set(members.flatMap(({ lines }) => [...lines]));
}

function shareOf(members: readonly Member[], partitions: number): boolean {
  const sum = members.reduce((total, { owned }) => total + owned, 0);
  return sum === partitions && members.every(({ owned }) => owned > 0);
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}`);
    await Bun.sleep(5);
  }
}
