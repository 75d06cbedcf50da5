/**
 * The three scenarios of the Go Obelisk's test client, over the native protocol:
 *
 *   size        150 messages at once, 50 for each of topic-0, topic-1, topic-2
 *   time        5 messages, 2 seconds apart
 *   realistic   50 messages, with delays that grow from 50 to 540 ms
 *
 * Each response is shown with its latency, then a summary. A message that was not stored makes the exit code 2.
 */

import { type Clock, sleep } from "../src/base/clock.ts";
import { NativeProducer, type NativeResponse } from "../src/client/native-producer.ts";
import { EXIT, type Output } from "./output.ts";
import type { Scenario } from "./produce-options.ts";

const TOPICS = 3;

export interface ScenarioMessage {
  readonly topic: string;
  readonly key: string;
  readonly value: string;
  /** Before it is sent. */
  readonly delayMs: number;
}

export interface ScenarioOptions {
  readonly scenario: Scenario;
  readonly native: string;
  readonly isJson: boolean;
  readonly clock: Clock;
  readonly output: Output;
  /** Aborted: send no more. */
  readonly signal: AbortSignal;
}

interface Outcome {
  readonly message: ScenarioMessage;
  readonly number: number;
  readonly response: NativeResponse;
}

/** What a scenario sends, in order. */
export function scenarioMessages(scenario: Scenario): ScenarioMessage[] {
  const count = { size: 150, time: 5, realistic: 50 }[scenario];
  return Array.from({ length: count }, (_, index) => ({
    topic: `topic-${index % TOPICS}`,
    key: `key-${index}`,
    value: `${scenario} test message ${index}`,
    delayMs: scenarioDelayMs(scenario, index),
  }));
}

/** Runs a scenario; the exit code. */
export async function runScenario(options: ScenarioOptions): Promise<number> {
  const producer = await NativeProducer.connect({ native: options.native, clock: options.clock });
  try {
    const startedAtMs = options.clock.monotonicMs();
    const outcomes = await sendAll(producer, options);
    report(outcomes, options.clock.monotonicMs() - startedAtMs, options);
    return outcomes.every(({ response }) => response.isStored) ? EXIT.yes : EXIT.failed;
  } finally {
    producer.close();
  }
}

/** The value below which `part` of the sorted values lie; 0 for none. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}

function scenarioDelayMs(scenario: Scenario, index: number): number {
  if (scenario === "size") return 0;
  if (scenario === "time") return index === 0 ? 0 : 2000;
  return 50 + index * 10;
}

async function sendAll(producer: NativeProducer, options: ScenarioOptions): Promise<Outcome[]> {
  const pending: Promise<Outcome>[] = [];
  for (const [index, message] of scenarioMessages(options.scenario).entries()) {
    if (message.delayMs > 0) await sleep(options.clock, message.delayMs);
    if (options.signal.aborted) break;
    const sent = producer.send(message).then((response) => {
      const outcome = { message, number: index + 1, response };
      show(outcome, options);
      return outcome;
    });
    if (message.delayMs > 0) await sent;
    pending.push(sent);
  }
  return await Promise.all(pending);
}

function show({ message, number, response }: Outcome, { isJson, output }: ScenarioOptions): void {
  const { isStored, reason, latencyMs } = response;
  if (isJson) {
    output.json({
      event: "answer",
      number,
      topic: message.topic,
      stored: isStored,
      reason,
      ms: round(latencyMs),
    });
    return;
  }
  const text = isStored ? "OK" : `NACK:${reason}`;
  output.line(`${`${number}`.padStart(3)}  ${message.topic}  ${text}  ${latencyMs.toFixed(2)} ms`);
}

function report(
  outcomes: readonly Outcome[],
  elapsedMs: number,
  { scenario, isJson, output }: ScenarioOptions,
): void {
  const latencies = outcomes.map(({ response }) => response.latencyMs).sort((a, b) => a - b);
  const stored = outcomes.filter(({ response }) => response.isStored).length;
  const [p50, p99, max] = [percentile(latencies, 0.5), percentile(latencies, 0.99), latencies.at(-1) ?? 0];
  if (isJson) {
    const figures = { p50Ms: round(p50), p99Ms: round(p99), maxMs: round(max), ms: round(elapsedMs) };
    output.json({ event: "scenario", scenario, messages: outcomes.length, stored, ...figures });
    return;
  }
  output.line(
    `${scenario}: ${stored} of ${outcomes.length} messages stored in ${elapsedMs.toFixed(0)} ms; ` +
      `latency p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, max ${max.toFixed(2)} ms`,
  );
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
