/**
 * Writes a plan (state-plan.ts) into the open transaction, statement by statement. However large, it yields to the event loop every few
 * milliseconds; the connection must not be used otherwise until the transaction has ended.
 *
 * The commit is one piece of work in any case: SQLite has moved most pages to its log by then, but goes through all of them again (some
 * 3 ms for each MB of the log).
 */

import type { SQL } from "bun";
import { TurnShare } from "../../../base/loop/turn-share.ts";
import { KiB } from "../../../base/units.ts";
import type { StateChange, StateUpdate } from "../../contract.ts";
import type { StatePlan } from "./state-plan.ts";
import { LAST_VERSION_KEY, rowChecksum, type StateRow } from "./state-row.ts";

/** What one statement may carry, about 1 ms: 1.4 us a row in one of many, 50 us when sent one by one. */
const STATEMENT_ROWS_MAX = 64;
const STATEMENT_BYTES_MAX = 32 * KiB;
/** Rows that are written in one turn, however fast. */
const TURN_ROWS_MAX = 512;
/** After so many statements the commit has a turn to itself. */
const SHORT_STATEMENTS_MAX = 4;

export class StateWriter {
  readonly #sql: SQL;
  readonly #share = new TurnShare();
  #statements = 0;
  #turnRows = 0;
  /** What was written. */
  rows = 0;
  bytes = 0;

  constructor(sql: SQL) {
    this.#sql = sql;
  }

  /** Of the entries whose version a call expects. */
  async versionsOf(calls: readonly (readonly StateChange[])[]): Promise<Map<string, number>> {
    const keys = new Set<string>();
    for (const changes of calls)
      for (const { key, expectedVersion } of changes) if (expectedVersion !== undefined) keys.add(key);
    const versions = new Map<string, number>();
    for (const chunk of chunks([...keys], () => 0)) {
      const statement = `SELECT key, version FROM state WHERE key IN (${places(chunk, "?")})`;
      const rows: StateRow[] = await this.#run(statement, chunk.length, chunk);
      for (const { key, version } of rows) versions.set(key, version);
    }
    return versions;
  }

  async write({ writes, lastVersion }: StatePlan): Promise<void> {
    const removed = writes.filter(({ value }) => value === null);
    for (const chunk of chunks(removed, () => 0)) {
      const keys = chunk.map(({ key }) => key);
      await this.#run(`DELETE FROM state WHERE key IN (${places(chunk, "?")})`, chunk.length, keys);
      this.rows += chunk.length;
    }
    const stored = writes.filter(({ value }) => value !== null);
    if (removed.length > 0) stored.push({ key: LAST_VERSION_KEY, value: "null", version: lastVersion });
    for (const chunk of chunks(stored, valueBytes)) {
      await this.#run(
        `INSERT OR REPLACE INTO state (key, value, version, crc) VALUES ${places(chunk, "(?,?,?,?)")}`,
        chunk.length,
        chunk.flatMap(({ key, value, version }) => [
          key,
          value,
          version,
          rowChecksum(key, value ?? "", version),
        ]),
      );
      this.rows += chunk.length;
      for (const write of chunk) this.bytes += valueBytes(write);
    }
  }

  /** The whole plan is written. */
  async commit(): Promise<void> {
    if (this.#statements > SHORT_STATEMENTS_MAX) await this.#share.rest();
    await this.#sql.unsafe("COMMIT");
  }

  async #run(statement: string, rows: number, values: unknown[]): Promise<StateRow[]> {
    if (this.#share.isUsedUp || this.#turnRows + rows > TURN_ROWS_MAX) {
      await this.#share.rest();
      this.#turnRows = 0;
    }
    this.#turnRows += rows;
    this.#statements += 1;
    return await this.#sql.unsafe(statement, values);
  }
}

function valueBytes({ value }: StateUpdate): number {
  return value?.length ?? 0;
}

/** In order, each as large as a statement may be, or of one. */
function* chunks<T>(values: readonly T[], bytesOf: (value: T) => number): Generator<T[]> {
  let chunk: T[] = [];
  let bytes = 0;
  for (const value of values) {
    const valueBytes = bytesOf(value);
    const isFull = chunk.length === STATEMENT_ROWS_MAX || bytes + valueBytes > STATEMENT_BYTES_MAX;
    if (chunk.length > 0 && isFull) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(value);
    bytes += valueBytes;
  }
  if (chunk.length > 0) yield chunk;
}

function places(chunk: readonly unknown[], place: string): string {
  return chunk.map(() => place).join(",");
}
