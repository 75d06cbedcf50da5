/**
 * One of the two servers during a run: makes the topics of the cases, sends steps, decodes what comes back and makes it
 * comparable. Connections are kept from step to step and made anew after one was closed.
 */

import { ObeliskError } from "../../src/base/errors.ts";
import { apiVersionsResponseVersion } from "../../src/protocol/kafka/apis/api-versions.ts";
import { createTopicsApi } from "../../src/protocol/kafka/apis/create-topics.ts";
import { findCoordinatorApi } from "../../src/protocol/kafka/apis/find-coordinator.ts";
import { initProducerIdApi } from "../../src/protocol/kafka/apis/init-producer-id.ts";
import { listOffsetsApi } from "../../src/protocol/kafka/apis/list-offsets.ts";
import type { Address } from "../bench/load.ts";
import { ask, type Case, type Memory, type Step, type TopicPlan } from "./case.ts";
import { type Facts, normalise } from "./normalise.ts";
import { type Outcome, Wire } from "./wire.ts";

/** What one server said to one step. */
export interface Reply {
  /** `response`, `response, then closed`, `closed`, `silence`, `waiting`, `undecodable`. */
  readonly outcome: string;
  /** Normalised; null without a response. */
  readonly response: unknown;
  readonly request: Buffer;
}

/** A response that takes longer is "waiting": the longest wait that cases request is half a second. */
const RESPONSE_MS = 4000;
/** How long topics and the coordinator may take to appear. */
const QUIET_MS = 60_000;
const QUIET_PAUSE_MS = 20;
const REPEATS_MAX = 100;
const CREATED_AT_ONCE = 100;
const UNKNOWN_PARTITION = 3;
/** Records keep the times that they were given, whatever year it is. */
const TOPIC_CONFIGS: Readonly<Record<string, string>> = { "retention.ms": "-1" };

export class Side {
  readonly name: string;
  readonly #address: Address;
  readonly #startedAtMs = Date.now();
  readonly #idByTopic = new Map<string, string>();
  readonly #topicById = new Map<string, string>();
  readonly #wires: Wire[] = [];

  constructor(name: string, address: Address) {
    this.name = name;
    this.#address = address;
  }

  /** Makes topics, and waits until all of them are served. */
  async prepare(topics: readonly TopicPlan[]): Promise<void> {
    await this.#untilCoordinating();
    for (let start = 0; start < topics.length; start += CREATED_AT_ONCE) {
      const some = topics.slice(start, start + CREATED_AT_ONCE);
      const response = await this.#value(
        ask(createTopicsApi, 7, { topics: some.map(orderOf), timeoutMs: QUIET_MS }),
      );
      const created = (response as { topics: { name: string; topicId: string; errorCode: number }[] }).topics;
      for (const { name, topicId, errorCode } of created) {
        if (errorCode !== 0)
          throw new Error(`${this.name} refuses to make the topic ${name}: error ${errorCode}`);
        this.#learn(name, topicId);
      }
    }
    for (let start = 0; start < topics.length; start += CREATED_AT_ONCE) {
      await this.#untilServed(
        topics.slice(start, start + CREATED_AT_ONCE).map(({ name }) => name),
        true,
      );
    }
  }

  /** Begins a case; its steps are then run one after the other. */
  begin(whole: Case, fixtures: ReadonlySet<string>): CaseRun {
    return new CaseRun(this, whole, fixtures);
  }

  /** Sends a frame on a connection that is alive. */
  async exchange(frame: Buffer, isRaw: boolean): Promise<Outcome> {
    const wire = await this.#wire();
    const outcome = isRaw
      ? await wire.exchangeRaw(frame, RESPONSE_MS)
      : await wire.exchange(frame, RESPONSE_MS);
    if (!wire.isClosed) this.#wires.push(wire);
    return outcome;
  }

  facts(isOwnTopic: (name: string) => boolean, producerIds: ReadonlySet<string>): Facts {
    const startedAtMs = this.#startedAtMs;
    return { address: this.#address, topicNames: this.#topicById, producerIds, isOwnTopic, startedAtMs };
  }

  topicId(name: string): string {
    const id = this.#idByTopic.get(name);
    if (id === undefined) throw new Error(`${this.name} has not made a topic ${name}`);
    return id;
  }

  /** Records ids that a response carries, wherever a name and an id stand together. */
  learnFrom(value: unknown): void {
    if (Array.isArray(value)) for (const entry of value) this.learnFrom(entry);
    else if (typeof value === "object" && value !== null && !Buffer.isBuffer(value)) {
      const { name, topicId, errorCode } = value as Record<string, unknown>;
      if (typeof name === "string" && typeof topicId === "string" && errorCode === 0)
        this.#learn(name, topicId);
      for (const inner of Object.values(value)) this.learnFrom(inner);
    }
  }

  async complete(wanted: Readonly<Record<string, boolean>>): Promise<void> {
    for (const [topic, isServed] of Object.entries(wanted)) await this.#untilServed([topic], isServed);
  }

  close(): void {
    for (const wire of this.#wires) wire.close();
  }

  #learn(name: string, id: string): void {
    if (/^[0-]+$/.test(id)) return;
    this.#idByTopic.set(name, id);
    this.#topicById.set(id, name);
  }

  async #wire(): Promise<Wire> {
    for (let wire = this.#wires.pop(); wire !== undefined; wire = this.#wires.pop()) {
      if (!wire.isClosed) return wire;
    }
    return await Wire.connect(this.#address);
  }

  async #untilServed(names: readonly string[], isServed: boolean): Promise<void> {
    const query = ask(listOffsetsApi, 7, {
      topics: names.map((name) => ({
        name,
        partitions: [0, 1].map((partitionIndex) => ({ partitionIndex, timestamp: -1 })),
      })),
    });
    await this.#until(`${names[0]} to be ${isServed ? "served" : "gone"}`, query, (value) => {
      const { topics } = value as {
        topics: { partitions: { partitionIndex: number; errorCode: number }[] }[];
      };
      return topics.every(({ partitions }) => isState(partitions, isServed));
    });
  }

  /** Kafka makes its topics of offsets and transactions, and takes producer ids, when they are first requested. */
  async #untilCoordinating(): Promise<void> {
    const isGiven = (value: unknown) => (value as { errorCode: number }).errorCode === 0;
    for (const keyType of [0, 1]) {
      await this.#until("a coordinator", ask(findCoordinatorApi, 2, { key: "first", keyType }), isGiven);
    }
    const query = ask(initProducerIdApi, 1, { transactionTimeoutMs: 60_000 });
    await this.#until("a producer id", query, isGiven);
  }

  async #until(what: string, query: Step, isReached: (value: unknown) => boolean): Promise<void> {
    const deadline = performance.now() + QUIET_MS;
    while (!isReached(await this.#value(query))) {
      if (performance.now() > deadline) throw new Error(`${this.name}: waited in vain for ${what}`);
      await Bun.sleep(QUIET_PAUSE_MS);
    }
  }

  async #value({ api, version, frame }: Step): Promise<unknown> {
    const outcome = await this.exchange(
      frame({ responses: [], topicId: (name) => this.topicId(name) }),
      false,
    );
    if (outcome.kind !== "response")
      throw new Error(`${this.name}: ${outcome.kind} instead of a response to ${api.name}`);
    return api.decodeResponse(version, outcome.frame, 0, outcome.frame.length);
  }
}

export class CaseRun implements Memory {
  readonly responses: unknown[] = [];
  readonly #side: Side;
  readonly #producerIds = new Set<string>();
  readonly #topics: Set<string>;
  readonly #requests: Buffer[] = [];

  constructor(side: Side, { topics = [] }: Case, fixtures: ReadonlySet<string>) {
    this.#side = side;
    this.#topics = new Set([...fixtures, ...topics.map(({ name }) => name)]);
  }

  readonly topicId = (name: string): string => this.#side.topicId(name);

  async run(step: Step): Promise<Reply> {
    if (step.complete !== undefined) await this.#side.complete(step.complete);
    const request = step.frame(this);
    this.#requests.push(request);
    for (let round = 0; ; round += 1) {
      const reply = await this.#once(step, request);
      if (step.repeatWhile?.(this.responses.at(-1)) !== true || round >= REPEATS_MAX) return reply;
      this.responses.pop();
      await Bun.sleep(QUIET_PAUSE_MS);
    }
  }

  async #once({ api, version, isRaw }: Step, request: Buffer): Promise<Reply> {
    const outcome = await this.#side.exchange(request, isRaw ?? false);
    if (outcome.kind !== "response") {
      this.responses.push(null);
      return { outcome: outcome.kind, response: null, request };
    }
    const { frame, closesAfter } = outcome;
    const value = decode(api, version, frame);
    this.responses.push(value);
    if (value === null) return { outcome: "undecodable", response: frame.toString("hex"), request };
    this.#side.learnFrom(value);
    if (api.name === "InitProducerId") this.#learnProducer(value as { producerId: number });
    const facts = this.#side.facts((name) => this.#isOwn(name), this.#producerIds);
    return {
      outcome: closesAfter ? "response, then closed" : "response",
      response: normalise(api.name, value, facts),
      request,
    };
  }

  #learnProducer({ producerId }: { producerId: number }): void {
    if (producerId >= 0) this.#producerIds.add(String(producerId));
  }

  #isOwn(name: string): boolean {
    if (this.#topics.has(name)) return true;
    return this.#requests.some((request) => prefixed(name).some((text) => request.includes(text)));
  }
}

/** Whether a topic is there, its second partition too if it has one, or is gone. */
function isState(
  partitions: readonly { partitionIndex: number; errorCode: number }[],
  isServed: boolean,
): boolean {
  const [first, second] = [0, 1].map(
    (index) => partitions.find(({ partitionIndex }) => partitionIndex === index)?.errorCode,
  );
  return isServed ? first === 0 && (second === 0 || second === UNKNOWN_PARTITION) : first !== 0;
}

/** A name as it stands in a request: after a length of two bytes, or of one byte and one more. */
function prefixed(name: string): Buffer[] {
  const text = Buffer.from(name);
  const lengths =
    text.length < 0x7f ? [[0, text.length], [text.length + 1]] : [[text.length >> 8, text.length & 0xff], []];
  return lengths.map((length) => Buffer.concat([Buffer.from(length), text]));
}

/** Null when our codec refuses the response. */
function decode(api: Step["api"], version: number, frame: Buffer): unknown {
  try {
    const responded =
      api.name === "ApiVersions" ? apiVersionsResponseVersion(version, frame, 0, frame.length) : version;
    return api.decodeResponse(responded, frame, 0, frame.length);
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    return null;
  }
}

function orderOf({ name, partitions, configs = {} }: TopicPlan): unknown {
  return {
    name,
    numPartitions: partitions,
    replicationFactor: 1,
    configs: Object.entries({ ...TOPIC_CONFIGS, ...configs }).map(([config, value]) => ({
      name: config,
      value,
    })),
  };
}
