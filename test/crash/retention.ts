/**
 * Retention under full load: bun test/crash/retention.ts [--seconds 60] [--topics 1000] [--bytes 4194304] [--ms 60000] [--kills 0]
 * [--beside]. Needs ./scripts/build first; writes some GB a minute below the temporary directory, and deletes them.
 *
 *   topics     nine of ten are written to at full speed, so that retention.bytes acts; one of ten a batch a second, so that retention.ms does
 *   sampled    each second: what each topic's log files take, against retention.bytes; the age of the first record of slow ones, but
 *              for the first seconds after a kill: nobody deletes while the server is down
 *   beside     a client that produces one small batch after another to a topic of its own: its latency
 *   --kills    kill -9 at moments spread over the run; each time `verify` must find nothing, and the load goes on
 *   --beside   first the same for up to a minute without retention, for the ratio of the latencies
 *
 * Ends with 1 when a log was above 1.2 times its bound, or a `verify` found something.
 */

import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { formatBytes, KiB, MiB, SECOND_MS } from "../../src/base/units.ts";
import { createTopicsApi } from "../../src/protocol/kafka/apis/create-topics.ts";
import { batchOf } from "../support/batches.ts";
import { compiled, runObelisk, startObelisk } from "../support/obelisk-command.ts";
import { fetchOnce, Gone, listOffset, produceBatch, Wire } from "./wire.ts";

const RATIO_MAX = 1.2;
const WRITERS = 4;
const IN_FLIGHT = 4;
const BATCH_VALUES = 32;
const VALUE_BYTES = 2 * KiB;
const SLOW_OF = 10;
const WITHOUT_SECONDS_MAX = 60;
/** Of a start after a kill, whose ages do not count: old records leave in turns. */
const FIRST_SECONDS = 5;
/** Slow topics whose first record is looked at each second. */
const AGES_SAMPLED = 5;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    topics: { type: "string", default: "1000" },
    bytes: { type: "string", default: String(4 * MiB) },
    ms: { type: "string", default: String(60 * SECOND_MS) },
    kills: { type: "string", default: "0" },
    beside: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const topics = Number(values.topics);
const retentionBytes = Number(values.bytes);
const retentionMs = Number(values.ms);
const kills = Number(values.kills);

/** What a run has seen. */
interface Seen {
  latencies: number[];
  writtenBytes: number;
  /** The largest of a topic's log against its bound, and the largest age against its. */
  bytesRatio: number;
  ageRatio: number;
  samples: number;
  verified: number;
}

class Run {
  readonly seen: Seen = {
    latencies: [],
    writtenBytes: 0,
    bytesRatio: 0,
    ageRatio: 0,
    samples: 0,
    verified: 0,
  };
  readonly #directory = mkdtempSync(join(tmpdir(), "obelisk-retention-"));
  readonly #isBound: boolean;
  readonly #endAt: number;
  #server!: ReturnType<typeof startObelisk>;
  #port = 0;
  #batch = newBatch();
  #isOver = false;
  #agesFrom = 0;

  constructor(isBound: boolean, lengthSeconds: number) {
    this.#isBound = isBound;
    this.#endAt = performance.now() + lengthSeconds * SECOND_MS;
  }

  async run(): Promise<Seen> {
    await this.#start();
    try {
      await this.#createTopics();
      const timer = setInterval(() => {
        this.#batch = newBatch();
      }, SECOND_MS / 2);
      const loads = [
        ...Array.from({ length: WRITERS }, (_, writer) => this.#load(() => this.#writeFast(writer))),
        this.#load(() => this.#writeSlow()),
        this.#load(() => this.#probe()),
      ];
      await this.#sampleAndKill();
      this.#isOver = true;
      await Promise.all(loads);
      clearInterval(timer);
      await this.#killAndVerify();
      return this.seen;
    } finally {
      this.#server.kill("SIGKILL");
      await this.#server.exited;
      rmSync(this.#directory, { recursive: true, force: true });
    }
  }

  get #data(): string {
    return join(this.#directory, "data");
  }

  async #start(): Promise<void> {
    const ports = ["--kafka-port", "0", "--native-port", "0", "--http-port", "0"];
    const limits = ["--topics-max", "20000", "--log-level", "warn"];
    this.#server = startObelisk(["serve", "--json", "--data", this.#data, ...ports, ...limits], {
      program: compiled,
    });
    const reader = (this.#server.stdout as ReadableStream<Uint8Array>).getReader();
    let line = "";
    while (!line.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the server did not start: ${line}`);
      line += new TextDecoder().decode(value);
    }
    this.#port = (JSON.parse(line) as { kafka: { port: number } }).kafka.port;
    void drain((this.#server.stderr as ReadableStream<Uint8Array>).getReader(), true);
    void drain(reader);
  }

  async #createTopics(): Promise<void> {
    const wire = await Wire.kafka(this.#port);
    const bounds = this.#isBound ? [String(retentionBytes), String(retentionMs)] : ["-1", "-1"];
    const configs = [
      { name: "retention.bytes", value: bounds[0]! },
      { name: "retention.ms", value: bounds[1]! },
    ];
    const topicOf = (name: string) => ({
      name,
      numPartitions: 1,
      replicationFactor: 1,
      assignments: [],
      configs,
    });
    for (let first = 0; first < topics; first += 100) {
      const count = Math.min(100, topics - first);
      const wanted = Array.from({ length: count }, (_, index) => topicOf(nameOf(first + index)));
      const encoded = createTopicsApi.encodeRequest(5, 1, "retention", { topics: wanted, timeoutMs: 60_000 });
      await wire.call(Buffer.concat(encoded.parts));
    }
    wire.close();
  }

  /** Again and again, as the server comes and goes. */
  async #load(work: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      try {
        await work();
      } catch (thrown) {
        const isGone = thrown instanceof Gone || (thrown as { code?: string }).code === "ECONNREFUSED";
        if (!isGone) throw thrown;
        await Bun.sleep(50);
      }
    }
  }

  async #writeFast(writer: number): Promise<void> {
    const wire = await Wire.kafka(this.#port);
    const lanes = Array.from({ length: IN_FLIGHT }, async (_, lane) => {
      for (let turn = writer * IN_FLIGHT + lane; !this.#isOver; turn += WRITERS * IN_FLIGHT) {
        const index = turn % topics;
        if (isSlow(index)) continue;
        const batch = this.#batch;
        await produceBatch(wire, nameOf(index), batch);
        this.seen.writtenBytes += batch.length;
      }
    });
    await Promise.all(lanes);
    wire.close();
  }

  async #writeSlow(): Promise<void> {
    const wire = await Wire.kafka(this.#port);
    while (!this.#isOver) {
      for (let index = 0; index < topics && !this.#isOver; index += 1)
        if (isSlow(index)) await produceBatch(wire, nameOf(index), batchOf(["slow"], {}, Date.now()));
      await Bun.sleep(SECOND_MS);
    }
    wire.close();
  }

  async #probe(): Promise<void> {
    const wire = await Wire.kafka(this.#port);
    while (!this.#isOver) {
      const startedAt = performance.now();
      await produceBatch(wire, "probe", batchOf(["x".repeat(100)], {}, Date.now()));
      this.seen.latencies.push(performance.now() - startedAt);
      await Bun.sleep(5);
    }
    wire.close();
  }

  async #sampleAndKill(): Promise<void> {
    const startedAt = performance.now();
    const span = this.#endAt - startedAt;
    let killed = 0;
    while (performance.now() < this.#endAt) {
      await Bun.sleep(SECOND_MS);
      if (this.#isBound) await this.#sample();
      const killAt = startedAt + (span * (killed + 1)) / (kills + 1);
      if (!this.#isBound || killed === kills || performance.now() < killAt) continue;
      killed += 1;
      await this.#killAndVerify();
      await this.#start();
      this.#agesFrom = performance.now() + FIRST_SECONDS * SECOND_MS;
    }
  }

  async #sample(): Promise<void> {
    this.seen.samples += 1;
    for (let index = 0; index < topics; index += 1) {
      const bytes = logBytes(join(this.#data, "topics", nameOf(index), "0"));
      this.seen.bytesRatio = Math.max(this.seen.bytesRatio, bytes / retentionBytes);
      if (index % 100 === 99) await Bun.sleep(0);
    }
    if (performance.now() < this.#agesFrom) return;
    const wire = await Wire.kafka(this.#port);
    for (let count = 0; count < AGES_SAMPLED; count += 1) {
      const name = nameOf(((this.seen.samples * AGES_SAMPLED + count) * SLOW_OF) % topics);
      const { offset } = await listOffset(wire, name, -2);
      const { records } = await fetchOnce(wire, name, offset);
      if (records === null || records.length === 0) continue;
      const ageMs = Date.now() - Number(records.readBigInt64BE(27));
      this.seen.ageRatio = Math.max(this.seen.ageRatio, ageMs / retentionMs);
    }
    wire.close();
  }

  async #killAndVerify(): Promise<void> {
    this.#server.kill("SIGKILL");
    await this.#server.exited;
    const { exitCode, stdout, stderr } = await runObelisk(["verify", this.#data], { program: compiled });
    if (exitCode !== 0) throw new Error(`verify ended with ${exitCode}:\n${stdout}${stderr}`);
    this.seen.verified += 1;
  }
}

function nameOf(index: number): string {
  return `topic-${index}`;
}

function isSlow(index: number): boolean {
  return index % SLOW_OF === 0;
}

function newBatch(): Buffer {
  const value = Buffer.from(crypto.getRandomValues(new Uint8Array(VALUE_BYTES / 2))).toString("hex");
  return batchOf(
    Array.from({ length: BATCH_VALUES }, () => value),
    {},
    Date.now(),
  );
}

/** What is deleted meanwhile does not count. */
function logBytes(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory)) {
    if (!name.endsWith(".log")) continue;
    bytes += statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>, isTold = false): Promise<void> {
  for (let read = await reader.read(); !read.done; read = await reader.read())
    if (isTold) process.stderr.write(read.value);
}

function percentile(latencies: number[], part: number): number {
  latencies.sort((left, right) => left - right);
  return latencies[Math.min(Math.floor(latencies.length * part), latencies.length - 1)] ?? Number.NaN;
}

function tell(title: string, seen: Seen, lengthSeconds: number): number {
  const [p50, p99] = [percentile(seen.latencies, 0.5), percentile(seen.latencies, 0.99)];
  const rate = formatBytes(Math.round(seen.writtenBytes / lengthSeconds));
  console.log(
    `${title}: ${rate}/s; beside it ${seen.latencies.length} batches, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
  );
  return p99;
}

const withoutSeconds = Math.min(seconds, WITHOUT_SECONDS_MAX);
let without = Number.NaN;
if (values.beside)
  without = tell("without retention", await new Run(false, withoutSeconds).run(), withoutSeconds);
const seen = await new Run(true, seconds).run();
const p99 = tell("with retention", seen, seconds);
if (values.beside) console.log(`p99 with retention / without: ${(p99 / without).toFixed(2)}`);
const { bytesRatio, ageRatio, samples, verified } = seen;
console.log(
  `${samples} samples of ${topics} topics: bytes up to ${bytesRatio.toFixed(3)} of the bound, ages up to ${ageRatio.toFixed(3)}; ${verified} kills, each verified`,
);
process.exit(bytesRatio <= RATIO_MAX && ageRatio <= RATIO_MAX ? 0 : 1);
