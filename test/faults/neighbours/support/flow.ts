/**
 * Honest records from a producer to a consumer that waits for them: one record in each batch, numbered, each read back at the offset
 * that was acknowledged. The latency of the consumer is from when the record was due to be sent.
 */

import { readRecords } from "../../../../src/protocol/record/records.ts";
import { createTopic, fetchOnce, Gone, produceBatch, Wire } from "../../../crash/wire.ts";
import { batchOf } from "../../../support/batches.ts";
import { Strand, type StrandReport, summary } from "./strand.ts";

export interface FlowOptions {
  readonly name: string;
  readonly kafkaPort: number;
  readonly bytes: number;
  readonly periodMs: number;
  readonly inFlightMax: number;
}

export class Flow {
  readonly strand: Strand;
  /** What readers got wrong. */
  readonly wrong: string[] = [];
  isReaderCut = false;
  readonly #topic: string;
  readonly #reader: Wire;
  readonly #dueAt: number[] = [];
  /** Numbers of records, by the offset that was acknowledged, and by the offset where they were read. */
  readonly #acked = new Map<number, number>();
  readonly #read = new Map<number, number>();
  #arrivals: number[] = [];
  #beganAt = 0;
  #isEnded = false;

  private constructor(options: FlowOptions, writer: Wire, reader: Wire) {
    this.#topic = `honest-${options.name}`;
    this.#reader = reader;
    this.strand = new Strand({
      name: options.name,
      periodMs: options.periodMs,
      inFlightMax: options.inFlightMax,
      call: async (n, dueAt) => {
        this.#dueAt[n] = dueAt;
        const batch = batchOf([`${n} `.padEnd(options.bytes, "x")]);
        const { errorCode, baseOffset } = await produceBatch(writer, this.#topic, batch);
        if (errorCode !== 0) throw new Error(`record ${n} was refused with error ${errorCode}`);
        this.#acked.set(baseOffset, n);
      },
    });
  }

  static async open(options: FlowOptions): Promise<Flow> {
    const writer = await Wire.kafka(options.kafkaPort);
    const reader = await Wire.kafka(options.kafkaPort);
    await createTopic(writer, `honest-${options.name}`);
    const flow = new Flow(options, writer, reader);
    void flow.#consume();
    return flow;
  }

  /** Whether all that was acknowledged was read. */
  get isDrained(): boolean {
    return this.strand.isIdle && this.#missing().length === 0;
  }

  begin(now: number): void {
    this.strand.begin(now);
    this.#beganAt = now;
    this.#arrivals = [];
  }

  /** Nothing more is read. */
  end(): void {
    this.#isEnded = true;
    const missing = this.#missing();
    if (missing.length > 0)
      this.wrong.push(
        `${this.strand.name}: ${missing.length} acknowledged records were not read, ${missing[0]} first`,
      );
  }

  arrivals(): StrandReport {
    return summary(this.#arrivals, this.#missing().length);
  }

  #missing(): number[] {
    return [...this.#acked].filter(([offset, n]) => this.#read.get(offset) !== n).map(([, n]) => n);
  }

  async #consume(): Promise<void> {
    try {
      for (let offset = 0; !this.#isEnded; ) {
        const { errorCode, records } = await fetchOnce(this.#reader, this.#topic, offset);
        if (errorCode !== 0)
          this.wrong.push(`${this.strand.name}: a fetch was refused with error ${errorCode}`);
        if (this.wrong.length > 4) return;
        offset = this.#take(records ?? Buffer.alloc(0), offset);
      }
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
      this.isReaderCut = !this.#isEnded;
    }
  }

  #take(batches: Buffer, offset: number): number {
    const now = performance.now();
    let next = offset;
    for (let position = 0; position + 12 <= batches.length; ) {
      const end = position + 12 + batches.readInt32BE(position + 8);
      if (end > batches.length) break;
      for (const record of readRecords(batches.subarray(position, end))) {
        if (record.offset < next) continue;
        const n = Number.parseInt(record.value!.toString("latin1", 0, 12), 10);
        this.#read.set(record.offset, n);
        if (this.#dueAt[n]! >= this.#beganAt) this.#arrivals.push(now - this.#dueAt[n]!);
        next = record.offset + 1;
      }
      position = end;
    }
    return next;
  }
}
