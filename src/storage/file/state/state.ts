/**
 * The state store of the file engine: `meta.db`, one SQLite table through Bun's SQL client.
 *
 *     state(key TEXT PRIMARY KEY, value TEXT, version INTEGER, crc INTEGER)   crc: CRC-32C of key, value and version
 *
 *   "topic/NAME"                    {id, partitions, configs, createdAtMs}
 *   "offset/GROUP/TOPIC/PARTITION"  {offset, leaderEpoch, metadata, committedAtMs}; GROUP and TOPIC percent-encoded
 *   "producer-id"                   {next}
 *   "import/TOPIC", "import-consumer/NAME"   progress of the Go import (go-import.ts)
 *
 * Durability. SQLite runs in this thread, and a commit that syncs by itself blocks it: measured 0.27 ms when the disk is idle,
 * many times that when it writes. So the commit only writes to the write-ahead log (WAL mode, synchronous=NORMAL: 0.02 ms), and
 * then the log's descriptor is synced in the thread pool, as everywhere else. `change` resolves behind that sync, which is what
 * synchronous=FULL promises. SQLite itself still syncs around checkpoints, so the file is consistent after any power cut.
 * A worker would cost another 10 MB and a second module in the executable for the same result.
 *
 * Group commit. While one transaction is synced the next calls gather; they share a transaction, each with its own verdict about
 * expected versions, judged in the order of arrival. Versions count on over all entries; the row "last-version" keeps the last one
 * where a removal would take it away. A failed sync is never repeated: the store then refuses all work.
 */

import type { SQL } from "bun";
import { fail } from "../../../base/assert.ts";
import { errnoOf, ObeliskError, toObeliskError } from "../../../base/errors.ts";
import type { Files } from "../../../base/files.ts";
import { Ring } from "../../../base/ring.ts";
import { MiB } from "../../../base/units.ts";
import type { StateChange, StateEntry, StateStore } from "../../contract.ts";
import { planChanges, type StatePlan } from "./state-plan.ts";
import { LAST_VERSION_KEY, rowChecksum, STATE_FILE, type StateRow, WAL_SUFFIX } from "./state-row.ts";

/** Calls that may wait. More means that the disk has stalled for seconds; waiting longer would only hide it. */
const WAITING_CALLS_MAX = 16_384;
/** What one transaction may carry: a few milliseconds of this thread. A single larger call goes alone. */
const TRANSACTION_CHANGES_MAX = 1024;
const TRANSACTION_BYTES_MAX = 1 * MiB;
/** Rows in one statement: 1.4 us a row here, 50 us when sent one by one. */
const STATEMENT_ROWS_MAX = 64;

interface WaitingCall {
  changes: readonly StateChange[];
  bytes: number;
  resolve(isApplied: boolean): void;
  reject(error: unknown): void;
}

export class SqliteState implements StateStore {
  readonly #files: Files;
  readonly #sql: SQL;
  /** Of the write-ahead log. SQLite holds its locks elsewhere, so closing this descriptor frees none of them. */
  readonly #walDescriptor: number;
  readonly #waiting = new Ring<WaitingCall>(WAITING_CALLS_MAX);
  #reads = 0;
  #isCommitting = false;
  #committing: Promise<void> = Promise.resolve();
  #connection: Promise<unknown> = Promise.resolve();
  #failure: ObeliskError | null = null;
  #isClosed = false;
  /** No entry had a later one, also none that was removed. */
  #lastVersion: number;

  /** `sql` is a connection that `openStateFile` checked; `SqliteState` owns it from here. `lastVersion`: the largest of all rows. */
  constructor(files: Files, directory: string, sql: SQL, lastVersion: number) {
    this.#files = files;
    this.#sql = sql;
    this.#lastVersion = lastVersion;
    this.#walDescriptor = files.open(`${directory}/${STATE_FILE}${WAL_SUFFIX}`, "update");
    files.syncDirectory(directory);
  }

  get refusal(): string | null {
    return this.#failure?.message ?? null;
  }

  async get(key: string): Promise<StateEntry | null> {
    const rows = await this.#select("SELECT key, value, version, crc FROM state WHERE key = ?", [key]);
    return rows[0] ?? null;
  }

  async list(prefix: string): Promise<StateEntry[]> {
    return await this.#range(prefix, "", Number.MAX_SAFE_INTEGER);
  }

  async page(prefix: string, after: string, countMax: number): Promise<StateEntry[]> {
    return await this.#range(prefix, after, countMax);
  }

  async #range(prefix: string, after: string, countMax: number): Promise<StateEntry[]> {
    const end = endOfPrefix(prefix);
    // One lower bound only: of two, SQLite seeks by the first and then reads its way to the second.
    const [isAbove, start] = after === "" ? ["key >= ?", prefix] : ["key > ?", after];
    const isBelow = end === null ? "" : "AND key < ?";
    return await this.#select(
      `SELECT key, value, version, crc FROM state WHERE ${isAbove} ${isBelow} AND key <> ? ORDER BY key LIMIT ?`,
      [start, ...(end === null ? [] : [end]), LAST_VERSION_KEY, countMax],
    );
  }

  change(changes: readonly StateChange[]): Promise<boolean> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    let bytes = 0;
    for (const { key, value } of changes) bytes += key.length + (value?.length ?? 0);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, bytes, resolve, reject });
      if (this.#isCommitting) return;
      this.#isCommitting = true;
      // Starts behind the current turn's other calls, so that they share the first transaction.
      this.#committing = Promise.resolve().then(() => this.#commitWaiting());
    });
  }

  /** Waits for what is under way, then folds the write-ahead log into the file. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#committing;
    await this.#connection;
    try {
      if (this.#failure === null) await foldLog(this.#sql);
    } finally {
      await this.#sql.close();
      this.#files.close(this.#walDescriptor);
    }
  }

  #refusal(): ObeliskError | null {
    if (this.#isClosed) return new ObeliskError("STATE_UNUSABLE", { detail: "the state file is closed" });
    if (this.#failure !== null) return this.#failure;
    if (this.#waiting.count + this.#reads < WAITING_CALLS_MAX) return null;
    return new ObeliskError("KAFKA_STORAGE_ERROR", {
      detail: "too many state changes wait for the disk",
      limit: WAITING_CALLS_MAX,
    });
  }

  async #commitWaiting(): Promise<void> {
    while (this.#waiting.count > 0) {
      const calls = this.#takeCalls();
      try {
        if (this.#failure !== null) throw this.#failure;
        const verdicts = await this.#exclusively(() => this.#transact(calls));
        await this.#syncLog();
        for (const [index, call] of calls.entries())
          call.resolve(verdicts[index] ?? fail("a state change has no verdict"));
      } catch (error) {
        const cause = stateError(error);
        for (const call of calls) call.reject(cause);
      }
    }
    this.#isCommitting = false;
  }

  #takeCalls(): WaitingCall[] {
    const calls: WaitingCall[] = [];
    let changeCount = 0;
    let bytes = 0;
    for (let call = this.#waiting.peek(); call !== undefined; call = this.#waiting.peek()) {
      changeCount += call.changes.length;
      bytes += call.bytes;
      if (calls.length > 0 && (changeCount > TRANSACTION_CHANGES_MAX || bytes > TRANSACTION_BYTES_MAX)) break;
      calls.push(call);
      this.#waiting.shift();
    }
    return calls;
  }

  async #transact(calls: readonly WaitingCall[]): Promise<boolean[]> {
    await this.#sql.unsafe("BEGIN IMMEDIATE");
    try {
      const versions = await this.#versionsOf(calls);
      const plan = planChanges(
        calls.map((call) => call.changes),
        versions,
        this.#lastVersion,
      );
      await this.#write(plan);
      await this.#sql.unsafe("COMMIT");
      this.#lastVersion = plan.lastVersion;
      return plan.verdicts;
    } catch (error) {
      await this.#rollBack();
      throw error;
    }
  }

  async #rollBack(): Promise<void> {
    try {
      await this.#sql.unsafe("ROLLBACK");
    } catch (error) {
      // After some errors (a full disk among them) SQLite has rolled back by itself.
      if (!(error instanceof Error) || !error.message.includes("no transaction is active")) throw error;
    }
  }

  async #versionsOf(calls: readonly WaitingCall[]): Promise<Map<string, number>> {
    const keys = new Set<string>();
    for (const call of calls) for (const { key } of call.changes) keys.add(key);
    const versions = new Map<string, number>();
    for (const chunk of chunks([...keys], STATEMENT_ROWS_MAX)) {
      const places = chunk.map(() => "?").join(",");
      const rows: StateRow[] = await this.#sql.unsafe(
        `SELECT key, version FROM state WHERE key IN (${places})`,
        chunk,
      );
      for (const { key, version } of rows) versions.set(key, version);
    }
    return versions;
  }

  async #write({ writes, lastVersion }: StatePlan): Promise<void> {
    const removed = writes.filter(({ value }) => value === null);
    for (const chunk of chunks(removed, STATEMENT_ROWS_MAX)) {
      const places = chunk.map(() => "?").join(",");
      await this.#sql.unsafe(
        `DELETE FROM state WHERE key IN (${places})`,
        chunk.map(({ key }) => key),
      );
    }
    const stored = writes.filter(({ value }) => value !== null);
    if (removed.length > 0) stored.push({ key: LAST_VERSION_KEY, value: "null", version: lastVersion });
    for (const chunk of chunks(stored, STATEMENT_ROWS_MAX)) {
      const places = chunk.map(() => "(?,?,?,?)").join(",");
      const values = chunk.flatMap(({ key, value, version }) => [
        key,
        value,
        version,
        rowChecksum(key, value ?? "", version),
      ]);
      await this.#sql.unsafe(
        `INSERT OR REPLACE INTO state (key, value, version, crc) VALUES ${places}`,
        values,
      );
    }
  }

  async #syncLog(): Promise<void> {
    try {
      await this.#files.sync(this.#walDescriptor);
    } catch (error) {
      // The kernel may have dropped the pages: a second sync would succeed and prove nothing.
      this.#failure = new ObeliskError(
        "STATE_UNUSABLE",
        { detail: "the state file could not be synced", remedy: "check the disk, then restart" },
        error,
      );
      throw this.#failure;
    }
  }

  async #select(query: string, values: (string | number)[]): Promise<StateEntry[]> {
    const refusal = this.#refusal();
    if (refusal !== null) throw refusal;
    this.#reads += 1;
    try {
      const rows: StateRow[] = await this.#exclusively(() => this.#sql.unsafe(query, values));
      return rows.map(checkedEntry);
    } catch (error) {
      throw stateError(error);
    } finally {
      this.#reads -= 1;
    }
  }

  /** One after the other on the one connection: nobody reads in the middle of a transaction. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#connection.then(work);
    this.#connection = turn.catch(() => undefined);
    return turn;
  }
}

/** Moves the write-ahead log into the file. On a full disk the log stays as it is, as durable as before. */
export async function foldLog(connection: SQL): Promise<void> {
  try {
    await connection.unsafe("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (error) {
    if (errnoOf(error) !== "SQLITE_FULL") throw stateError(error);
  }
}

function checkedEntry({ key, value, version, crc }: StateRow): StateEntry {
  if (rowChecksum(key, value, version) !== crc) {
    throw new ObeliskError("DAMAGED_DATA", {
      detail: `the checksum of the state entry ${key} does not hold`,
      file: STATE_FILE,
    });
  }
  return { key, value, version };
}

/** The first text behind every text that starts with `prefix`; null when there is none. */
function endOfPrefix(prefix: string): string | null {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const next = last.codePointAt(0)! + 1;
    if (next > 0x10ffff) continue;
    // Surrogates are no characters of their own in UTF-8.
    return points.join("") + String.fromCodePoint(next === 0xd800 ? 0xe000 : next);
  }
  return null;
}

function* chunks<T>(values: readonly T[], countMax: number): Generator<T[]> {
  for (let start = 0; start < values.length; start += countMax) yield values.slice(start, start + countMax);
}

function stateError(error: unknown): ObeliskError {
  if (error instanceof ObeliskError) return error;
  if (!(error instanceof Error) || !("code" in error)) return toObeliskError(error);
  if (error.code === "SQLITE_FULL") return new ObeliskError("DISK_FULL", { file: STATE_FILE }, error);
  return new ObeliskError("STATE_UNUSABLE", { file: STATE_FILE }, error);
}
