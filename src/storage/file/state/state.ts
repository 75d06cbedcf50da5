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
 * then the log's descriptor is synced in the thread pool, as everywhere else. `change` resolves after that sync, which is what
 * synchronous=FULL promises. The log is checkpointed into the file between two transactions (state-checkpoint.ts).
 * A worker would cost another 10 MB and a second module in the executable for the same result.
 *
 * Turns. A large transaction yields to the event loop every few milliseconds (state-writer.ts). The connection is not used otherwise
 * until it has ended.
 *
 * Group commit. While one transaction is synced the next calls gather; they share a transaction, each with its own verdict about
 * expected versions, in the order of arrival. Versions ascend over all entries; the row "last-version" keeps the last one
 * where a removal would take it away. A failed sync is never retried: the store then refuses all work.
 */

import type { SQL } from "bun";
import { fail } from "../../../base/assert.ts";
import { errnoOf, ObeliskError, toObeliskError } from "../../../base/errors.ts";
import type { Files } from "../../../base/files.ts";
import { loopTurns } from "../../../base/loop/loop-turns.ts";
import { nextTurn } from "../../../base/loop/turns.ts";
import { Ring } from "../../../base/ring.ts";
import { MiB } from "../../../base/units.ts";
import type { StateChange, StateEntry, StateListener, StateStore, StateWatch } from "../../contract.ts";
import { StateWatches } from "../../state-watches.ts";
import { StateCheckpoint } from "./state-checkpoint.ts";
import { planChanges, type StatePlan } from "./state-plan.ts";
import { LAST_VERSION_KEY, rowChecksum, STATE_FILE, type StateRow, WAL_SUFFIX } from "./state-row.ts";
import { StateWriter } from "./state-writer.ts";

/** Calls that may wait. More means that the disk has stalled for seconds; waiting longer would only hide it. */
const WAITING_CALLS_MAX = 16_384;
/** What they may hold together, with so much for each change: a few of the largest calls. */
const WAITING_BYTES_MAX = 128 * MiB;
const CHANGE_BYTES = 128;
/** What one transaction may carry: a few milliseconds of this thread. A single larger call goes alone. */
const TRANSACTION_CHANGES_MAX = 1024;
const TRANSACTION_BYTES_MAX = 1 * MiB;

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
  readonly #checkpoint: StateCheckpoint;
  readonly #watches = new StateWatches();
  readonly #waiting = new Ring<WaitingCall>(WAITING_CALLS_MAX);
  #waitingBytes = 0;
  #reads = 0;
  #isCommitting = false;
  #committing: Promise<void> = Promise.resolve();
  #connection: Promise<unknown> = Promise.resolve();
  #failure: ObeliskError | null = null;
  #isClosed = false;
  /** The last version assigned, removed entries included. */
  #lastVersion: number;

  /** `sql` is a connection that `openStateFile` checked; `SqliteState` owns it from here. `lastVersion`: the largest of all rows. */
  constructor(files: Files, directory: string, sql: SQL, lastVersion: number) {
    this.#files = files;
    this.#sql = sql;
    this.#lastVersion = lastVersion;
    this.#walDescriptor = files.open(`${directory}/${STATE_FILE}${WAL_SUFFIX}`, "update");
    this.#checkpoint = new StateCheckpoint(files, `${directory}/${STATE_FILE}`, sql);
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
    for (const { key, value } of changes) bytes += key.length + (value?.length ?? 0) + CHANGE_BYTES;
    if (this.#waiting.count > 0 && bytes > WAITING_BYTES_MAX - this.#waitingBytes)
      return Promise.reject(tooMuchWaits(WAITING_BYTES_MAX));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, bytes, resolve, reject });
      this.#waitingBytes += bytes;
      if (this.#isCommitting) return;
      this.#isCommitting = true;
      // Starts after the current turn's other calls, so that they share the first transaction.
      this.#committing = Promise.resolve().then(() => this.#commitWaiting());
    });
  }

  watch(prefix: string, listener: StateListener): StateWatch {
    return this.#watches.watch(prefix, listener);
  }

  /** Waits for what is in flight, then checkpoints the write-ahead log into the file. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#committing;
    await this.#connection;
    this.#watches.close();
    // SQLite would delete the log as it closes.
    if (this.#checkpoint.hasFailed) return;
    try {
      if (this.#failure === null) await truncateLog(this.#sql);
    } finally {
      await this.#sql.close();
      this.#files.close(this.#walDescriptor);
      this.#checkpoint.close();
    }
  }

  #refusal(): ObeliskError | null {
    if (this.#isClosed) return new ObeliskError("STATE_UNUSABLE", { detail: "the state file is closed" });
    if (this.#failure !== null) return this.#failure;
    if (this.#waiting.count + this.#reads < WAITING_CALLS_MAX) return null;
    return tooMuchWaits(WAITING_CALLS_MAX);
  }

  async #commitWaiting(): Promise<void> {
    while (this.#waiting.count > 0) {
      loopTurns.enter("state");
      const calls = this.#takeCalls();
      try {
        if (this.#failure !== null) throw this.#failure;
        const { verdicts, writes } = await this.#exclusively(() => this.#transact(calls));
        await this.#sync(() => this.#files.sync(this.#walDescriptor));
        loopTurns.enter("state");
        for (const [index, call] of calls.entries())
          call.resolve(verdicts[index] ?? fail("a state change has no verdict"));
        this.#watches.tell(writes);
      } catch (error) {
        const cause = stateError(error);
        for (const call of calls) call.reject(cause);
      }
      if (this.#checkpoint.isDue && this.#failure === null) await this.#checkpointLog();
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
      this.#waitingBytes -= call.bytes;
    }
    if (this.#waiting.count === 0 && this.#waitingBytes !== 0)
      fail("the count of waiting state changes is wrong");
    return calls;
  }

  async #transact(calls: readonly WaitingCall[]): Promise<StatePlan> {
    await this.#sql.unsafe("BEGIN IMMEDIATE");
    try {
      const changes = calls.map((call) => call.changes);
      const writer = new StateWriter(this.#sql);
      const plan = planChanges(changes, await writer.versionsOf(changes), this.#lastVersion);
      await writer.write(plan);
      await writer.commit();
      this.#checkpoint.recordChanges(writer.rows, writer.bytes);
      this.#lastVersion = plan.lastVersion;
      return plan;
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

  async #sync(work: () => Promise<void>): Promise<void> {
    try {
      await work();
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

  /** Nothing is written meanwhile: calls of `change` wait until it has ended. A log that cannot be moved keeps growing. */
  async #checkpointLog(): Promise<void> {
    await nextTurn();
    loopTurns.enter("state");
    try {
      if (await this.#exclusively(() => this.#checkpoint.copy()))
        await this.#sync(() => this.#checkpoint.sync());
    } catch (error) {
      if (this.#failure === null) throw error;
    }
  }

  /** One after the other on the one connection: no read comes in the middle of a transaction. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#connection.then(work);
    this.#connection = turn.catch(() => undefined);
    return turn;
  }
}

/** Checkpoints the write-ahead log into the file, and truncates it. On a full disk the log stays as it is, as durable as before. */
export async function truncateLog(connection: SQL): Promise<void> {
  try {
    await connection.unsafe("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (error) {
    if (errnoOf(error) !== "SQLITE_FULL") throw stateError(error);
  }
}

function checkedEntry({ key, value, version, crc }: StateRow): StateEntry {
  if (rowChecksum(key, value, version) !== crc) {
    throw new ObeliskError("DAMAGED_DATA", {
      detail: `checksum mismatch in the state entry ${key}`,
      file: STATE_FILE,
    });
  }
  return { key, value, version };
}

/** The first text after every text that starts with `prefix`; null when there is none. */
function endOfPrefix(prefix: string): string | null {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const next = last.codePointAt(0)! + 1;
    if (next > 0x10ffff) continue;
    // Surrogates are not characters of their own in UTF-8.
    return points.join("") + String.fromCodePoint(next === 0xd800 ? 0xe000 : next);
  }
  return null;
}

function tooMuchWaits(limit: number): ObeliskError {
  return new ObeliskError("KAFKA_STORAGE_ERROR", {
    detail: "too many state changes wait for the disk",
    limit,
  });
}

function stateError(error: unknown): ObeliskError {
  if (error instanceof ObeliskError) return error;
  if (!(error instanceof Error) || !("code" in error)) return toObeliskError(error);
  if (error.code === "SQLITE_FULL") return new ObeliskError("DISK_FULL", { file: STATE_FILE }, error);
  return new ObeliskError("STATE_UNUSABLE", { file: STATE_FILE }, error);
}
