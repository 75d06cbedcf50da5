/**
 * Sends the records of an input over the Kafka or the native protocol, and reports what was acknowledged.
 *
 * Whatever ends the work early (a record that is too large, a broker that is gone, Ctrl-C), what was given before is still waited
 * for and reported; then the error is thrown. An interrupt ends the waits for further attempts: what failed then is reported,
 * and the exit code is that of the interrupt.
 */

import { type Clock, systemClock } from "../src/base/clock.ts";
import { ObeliskError } from "../src/base/errors.ts";
import { NativeProducer } from "../src/client/native-producer.ts";
import { Producer, RECORD_BYTES_MAX } from "../src/client/producer.ts";
import { RetryInterrupted } from "../src/client/retry.ts";
import { NATIVE_MESSAGE_BYTES_MAX } from "../src/protocol/native/message.ts";
import { EXIT, note, type Output } from "./output.ts";
import { createProgress } from "./output-progress.ts";
import type { ProduceOptions } from "./produce-options.ts";
import { Pacer } from "./produce-rate.ts";
import { type InputRecord, openInput } from "./produce-records.ts";
import { ProduceSummary } from "./produce-summary.ts";
import { sayRetries } from "./retry-note.ts";

const EMPTY = Buffer.alloc(0);
/** As many messages may be outstanding as the native client keeps in flight, so that an endless input stays in bounds. */
const NATIVE_OPEN_MAX = 256;

/** A protocol as this command needs it. */
interface Target {
  readonly recordBytesMax: number;
  /** Gives a promise when the next record must wait. */
  add(record: InputRecord): Promise<void> | undefined;
  /** Waits for every response. @throws the first failure */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** The exit code. @throws what ended the work early */
export async function produceRecords(
  options: ProduceOptions,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  try {
    return await produce(options, output, signal);
  } catch (thrown) {
    if (!(thrown instanceof RetryInterrupted)) throw thrown;
    note(`obelisk: ${thrown.message}`);
    return EXIT.interrupted;
  }
}

async function produce(options: ProduceOptions, output: Output, signal: AbortSignal): Promise<number> {
  const summary = new ProduceSummary(options.topic);
  const clock = systemClock;
  const target =
    options.protocol === "kafka"
      ? await kafkaApi(options, summary, signal)
      : await nativeProtocol(options, summary);
  try {
    const startedAtMs = clock.monotonicMs();
    let failure = await firstFailure(() => sendInput(target, options, summary, signal, clock));
    failure = (await firstFailure(() => target.flush())) ?? failure;
    const elapsedMs = clock.monotonicMs() - startedAtMs;
    if (options.isJson) output.json(summary.json(elapsedMs));
    else for (const line of summary.lines(elapsedMs)) output.line(line);
    if (failure !== undefined) throw failure.thrown;
    return signal.aborted ? EXIT.interrupted : EXIT.yes;
  } finally {
    await target.close();
  }
}

async function sendInput(
  target: Target,
  options: ProduceOptions,
  summary: ProduceSummary,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  const input = await openInput(options, target.recordBytesMax, signal);
  const progress = createProgress({
    label: "producing",
    unit: "bytes",
    ...(input.bytesTotal > 0 ? { total: input.bytesTotal } : {}),
    isShown: !options.isJson && options.messages.length === 0 && process.stdin.isTTY !== true,
  });
  const pacer = new Pacer(options.rate, clock);
  try {
    for await (const records of input.records()) {
      for (const record of records) {
        const pause = pacer.next();
        if (pause !== undefined) await pause;
        if (signal.aborted) return;
        const full = target.add(record);
        if (full !== undefined) await full;
        summary.given += 1;
        summary.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
      }
      progress.update(input.bytesRead);
      if (summary.failedCount > 0) return; // The flush throws the reason; more would only fail too.
    }
  } finally {
    progress.finish();
  }
}

async function kafkaApi(
  options: ProduceOptions,
  summary: ProduceSummary,
  signal: AbortSignal,
): Promise<Target> {
  const producer = await Producer.connect({
    brokers: options.brokers,
    clientId: "obelisk-produce",
    acks: options.acks,
    codec: options.codec,
    listener: {
      delivered: (batch) => summary.delivered(batch),
      failed: (...outcome) => summary.failed(...outcome),
    },
    signal,
    onRetry: sayRetries(),
  });
  const { topic, headers } = options;
  const place = options.partition < 0 ? {} : { partition: options.partition };
  return {
    recordBytesMax: RECORD_BYTES_MAX,
    add: ({ key, value }) => producer.add(topic, { key, value, headers, ...place }),
    flush: () => producer.flush(),
    close: () => producer.close().catch(() => {}), // The flush before has reported every failure.
  };
}

async function nativeProtocol(options: ProduceOptions, summary: ProduceSummary): Promise<Target> {
  const producer = await NativeProducer.connect({ native: options.native });
  let open = 0;
  let failure: unknown;
  let wake: (() => void) | undefined;
  const room = async (openMax: number) => {
    while (open > openMax) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const send = async ({ key, value }: InputRecord) => {
    try {
      const response = await producer.send({
        topic: options.topic,
        key: key ?? EMPTY,
        value: value ?? EMPTY,
      });
      if (response.isStored) summary.acknowledged += 1;
      else throw refused(options.topic, response.reason);
    } catch (thrown) {
      summary.failedCount += 1;
      failure ??= thrown;
    }
    open -= 1;
    wake?.();
  };
  return {
    recordBytesMax: NATIVE_MESSAGE_BYTES_MAX,
    add: (record) => {
      open += 1;
      void send(record);
      return open >= NATIVE_OPEN_MAX ? room(NATIVE_OPEN_MAX / 2) : undefined;
    },
    flush: async () => {
      await room(0);
      if (failure !== undefined) throw failure;
    },
    close: async () => producer.close(),
  };
}

function refused(topic: string, reason: string): ObeliskError {
  const detail = `the server responded NACK:${reason}`;
  return new ObeliskError(reason === "PUBLISH_FAILED" ? "KAFKA_STORAGE_ERROR" : "PROTOCOL_ERROR", {
    detail,
    topic,
  });
}

async function firstFailure(work: () => Promise<void>): Promise<{ thrown: unknown } | undefined> {
  try {
    await work();
    return undefined;
  } catch (thrown) {
    return { thrown };
  }
}
