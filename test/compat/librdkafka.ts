/**
 * librdkafka's own tests as a judge, against any broker that runs already:
 *
 *     bun test/compat/librdkafka.ts --build DIR --brokers HOST:PORT [--protocol consumer] [--scenario noautocreate]
 *                                   [--kafka-home DIR] [--only 0019,0081] [--at-once 3] [--logs DIR] [--no-list]
 *
 * `--build` is a built tree of librdkafka, which is no part of this project (docs/testing.md says how to build one). Each number of
 * a test that needs a broker is a process of its own, several at a time, with a limit; what failed runs once more alone, because
 * the tests measure time. 0055, 0061, 0081 (every admin call), 0113 and 0137 run once for each of their parts, as a part that fails ends them. Tests
 * that call Kafka's scripts get them from the jars in `--kafka-home`. The scenario `noautocreate` holds the tests that want a broker that creates no topic by itself.
 *
 * What must pass stands in `librdkafka.json`, a list for each protocol of consumer groups and each scenario; the lists only grow,
 * and why the other tests cannot pass stands in FINDINGS.md. The exit code is 1 when something of the list did not pass.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** Longer than the longest test takes: 0113's u_multiple_subscription_changes, six minutes. */
const TEST_MS_MAX = 600_000;
/** The version that decides which tests run: of the Kafka that we compare with. */
const KAFKA_VERSION = "4.3.0";

interface Outcome {
  readonly name: string;
  readonly state: "PASSED" | "FAILED" | "SKIPPED";
  readonly seconds: number;
  readonly reason: string;
}

const { values } = parseArgs({
  options: {
    build: { type: "string" },
    brokers: { type: "string" },
    protocol: { type: "string", default: "classic" },
    scenario: { type: "string", default: "default" },
    only: { type: "string" },
    "at-once": { type: "string", default: "3" },
    logs: { type: "string" },
    "kafka-home": { type: "string" },
    "no-list": { type: "boolean", default: false },
  },
});
if (values.build === undefined || values.brokers === undefined) {
  console.error("librdkafka: needs --build DIR and --brokers HOST:PORT");
  process.exit(64);
}
const tests = join(values.build, "tests");
const logs = values.logs ?? mkdtempSync(join(tmpdir(), "obelisk-librdkafka-"));
mkdirSync(logs, { recursive: true });
const settings = join(logs, "test.conf");
writeFileSync(settings, `bootstrap.servers=${values.brokers}\n`);
if (values["kafka-home"] !== undefined) writeScripts(values["kafka-home"]);

const parts: Record<string, readonly string[]> = {
  "0055": [
    "standard settings",
    "low linger.ms",
    "microsecond linger.ms",
    "high linger.ms",
    "linger.ms < 1000",
    "no acks",
    "idempotence",
    "transactions",
  ],
  "0061": ["without transactions", "with transactions"],
  "0081": partsOf("0081-admin.c", "do_test_apis"),
  "0113": partsOf("0113-cooperative_rebalance.cpp", "main_0113_cooperative_rebalance"),
  "0137": partsOf("0137-barrier_batch_consume.c", "main_0137_barrier_batch_consume"),
};
const numbers =
  values.only?.split(",") ?? numbersOf(readFileSync(join(tests, "test.c"), "utf8"), values.scenario);
const runs = numbers.flatMap((number) => parts[number]?.map((part) => `${number} ${part}`) ?? [number]);
const outcomes = await runAll(runs, Number(values["at-once"]));
const again = [...outcomes]
  .filter(([, each]) => each.some(({ state }) => state === "FAILED"))
  .map(([run]) => run);
if (Number(values["at-once"]) > 1 && again.length > 0) {
  console.log(`once more, alone: ${again.join(", ")}`);
  for (const [run, each] of await runAll(again, 1)) outcomes.set(run, each);
}
process.exitCode = judge([...outcomes.values()].flat());
if (values.logs === undefined && process.exitCode === 0) rmSync(logs, { recursive: true });

/** The numbers of the tests that need a broker, from the table in the runner's source; those of share groups are left out. */
function numbersOf(source: string, scenario: string): string[] {
  const entries = source.split(/^ {4}_TEST\((?=\d{4}_)/m).slice(1);
  const wanted = entries.filter((entry) => {
    if (/^\d{4}_share_consumer/.test(entry)) return false;
    const scenarios = /\.scenario = "([^"]*)"/.exec(entry)?.[1] ?? "default";
    return !/TEST_F_LOCAL|TEST_F_MANUAL/.test(entry) && scenarios.split(",").includes(scenario);
  });
  return [...new Set(wanted.map((entry) => entry.slice(0, 4)))];
}

/** The names of the subtests that a function of a source calls. */
function partsOf(file: string, caller: string): string[] {
  const source = readFileSync(join(tests, file), "utf8");
  const body = new RegExp(`^(?:static void|int) ${caller}\\(.*?^}`, "ms").exec(source)![0];
  return [...new Set([...body.matchAll(/ ((?:do_test|[a-z])_\w+)\(/g)].map(([, name]) => name!))].filter(
    (name) => name !== caller,
  );
}

/** What the tests call as $KAFKA_PATH/bin/NAME. */
function writeScripts(kafkaHome: string): void {
  mkdirSync(join(logs, "bin"), { recursive: true });
  const classes = { "kafka-topics.sh": "TopicCommand", "kafka-acls.sh": "AclCommand" };
  for (const [name, tool] of Object.entries(classes)) {
    const line = `exec java -Xmx128m -XX:TieredStopAtLevel=1 -cp '${kafkaHome}/libs/*' org.apache.kafka.tools.${tool} "$@"`;
    writeFileSync(join(logs, "bin", name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  }
}

/** What each run found, by its number or by "0081 PART". */
async function runAll(wanted: readonly string[], atOnce: number): Promise<Map<string, Outcome[]>> {
  const found = new Map<string, Outcome[]>();
  const waiting = [...wanted];
  const work = async () => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      const outcomes = await runOne(run);
      found.set(run, outcomes);
      for (const { name, state, seconds, reason } of outcomes) {
        console.log(`${state.padEnd(7)} ${name.padEnd(44)} ${seconds.toFixed(1).padStart(6)} s  ${reason}`);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return found;
}

/** A number may name several tests. */
async function runOne(run: string): Promise<Outcome[]> {
  const number = run.slice(0, 4);
  const part = run.length > 4 ? run.slice(5) : undefined;
  const log = join(logs, run.replaceAll(" ", "-"));
  const startedAt = performance.now();
  const child = Bun.spawn(["stdbuf", "-oL", "./test-runner", "-p1", "-L", "-s", values.scenario], {
    cwd: tests,
    env: {
      ...process.env,
      TESTS: number,
      ...(part === undefined ? {} : { SUBTESTS: part }),
      ...(values["kafka-home"] === undefined ? {} : { KAFKA_PATH: logs, BROKERS: values.brokers! }),
      TEST_LEVEL: "2",
      TEST_KAFKA_VERSION: KAFKA_VERSION,
      TEST_CONSUMER_GROUP_PROTOCOL: values.protocol,
      RDKAFKA_TEST_CONF: settings,
      LD_LIBRARY_PATH: "../src:../src-cpp",
    },
    stdin: "ignore",
    stdout: Bun.file(`${log}.log`),
    stderr: Bun.file(`${log}.err`),
    timeout: TEST_MS_MAX,
    killSignal: "SIGKILL",
  });
  await child.exited;
  const printed = Bun.stripANSI(readFileSync(`${log}.log`, "utf8"));
  const rows = printed.matchAll(/^\| (\d{4}_\S+) +\| +(\w+) \| +([\d.]+)s +\|(.*)$/gm);
  const found = [...rows].map(([, name, state, seconds, reason]) => ({
    name: part === undefined ? name! : `${name} ${part}`,
    state: stateOf(state!),
    seconds: Number(seconds),
    reason: reason!.trim(),
  }));
  if (found.length > 0) return found;
  const seconds = (performance.now() - startedAt) / 1000;
  return [
    { name: run, state: "FAILED", seconds, reason: `ended with ${child.signalCode ?? child.exitCode}` },
  ];
}

/** A test that was still running when its process ended has failed. */
function stateOf(printed: string): Outcome["state"] {
  return printed === "PASSED" || printed === "SKIPPED" ? printed : "FAILED";
}

function judge(found: readonly Outcome[]): number {
  const named = (state: Outcome["state"]) =>
    found.filter((each) => each.state === state).map(({ name }) => name);
  const passed = named("PASSED").sort();
  console.log(
    `${passed.length} passed, ${named("FAILED").length} failed, ${named("SKIPPED").length} skipped; logs in ${logs}`,
  );
  if (values["no-list"]) return 0;
  const lists = JSON.parse(readFileSync(join(import.meta.dir, "librdkafka.json"), "utf8")) as Record<
    string,
    string[]
  >;
  const list = lists[`${values.protocol} ${values.scenario}`] ?? [];
  const fallen = list.filter((name) => numbers.includes(name.slice(0, 4)) && !passed.includes(name));
  const fresh = passed.filter((name) => !list.includes(name));
  if (fresh.length > 0) console.log(`passed, not in the list yet: ${fresh.join(", ")}`);
  if (fallen.length > 0) console.log(`in the list, did not pass: ${fallen.join(", ")}`);
  return fallen.length === 0 ? 0 : 1;
}
