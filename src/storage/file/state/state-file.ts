/**
 * Opens `meta.db` so that it can be trusted, or replaces it: start-up never fails because of a damaged state file.
 *
 *   whole                      integrity_check says ok, every row's checksum matches
 *   the write-ahead log is     SQLite stops before the damage; what lies after it is copied to quarantine first
 *   damaged in its middle
 *   a row's checksum mismatch  the row goes into quarantine as text, the others stay
 *   the file is corrupt        rows that can still be read, and whose checksum matches, are saved into a new file; the old one is
 *                              moved into quarantine. Topics that were lost are found again in the directories (broker).
 *
 * A read error is no damage, and may have passed at the next start: then the file is not opened, and nothing is quarantined. SQLite's
 * own check reports a read error as a fault of the file (`readErrorIn`).
 *
 * A replacement survives a crash at any step, because only complete files get a name that counts:
 *
 *     meta.db-building  ->  meta.db-rebuilt  ->  (old meta.db into quarantine)  ->  meta.db
 *
 * Only the owner of the data directory may call this. Readers use `copyStateFile` (state-copy.ts).
 */

import { SQL } from "bun";
import { errnoOf, ObeliskError } from "../../../base/errors.ts";
import type { Files } from "../../../base/files.ts";
import { systemReason } from "../../../base/system-error.ts";
import { KiB, MiB } from "../../../base/units.ts";
import type { Finding } from "../../contract.ts";
import { readLayout } from "../../layout.ts";
import { QUARANTINE, quarantineBytes, quarantineFile } from "../quarantine.ts";
import { SqliteState, truncateLog } from "./state.ts";
import { findLogDamage } from "./state-log.ts";
import { isStateLost, lostStateDetail } from "./state-loss.ts";
import { rowChecksum, SHM_SUFFIX, STATE_FILE, type StateRow, WAL_SUFFIX } from "./state-row.ts";

const BUILDING = `${STATE_FILE}-building`;
const REBUILT = `${STATE_FILE}-rebuilt`;

/**
 * For a new file; an older one keeps its own (4 KiB). A row of more than a quarter of a page takes a page for itself: metadata of 1,000
 * characters with 9,000 offsets took 42 MB, now 11.
 */
const PAGE_BYTES = 8 * KiB;
/** How long SQLite waits for another program that has the file open. Blocks, so it is short. */
const BUSY_TIMEOUT_MS = 1000;
/** Rows read at once while checking: bounds memory, not time. */
const ROWS_AT_ONCE = 1000;

/** SQLite's code for a system call that failed; the higher bits say which one. */
const SQLITE_IOERR = 10;
const SQLITE_CODE_MASK = 0xff;
/** The file is read in pieces of this size. */
const PIECE_BYTES = MiB;

/** What SQLite's log and index take at first. */
const OPENING_BYTES = 64 * KiB;

const TABLE =
  "CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID";

export interface OpenedState {
  state: SqliteState;
  findings: Finding[];
}

/**
 * `wasClean`: the last shutdown was clean.
 * @throws ObeliskError STATE_UNUSABLE (no permission, not a file), DISK_FULL
 */
export async function openStateFile(files: Files, directory: string, wasClean = false): Promise<OpenedState> {
  const findings: Finding[] = [];
  finishReplacement(files, directory);
  const path = `${directory}/${STATE_FILE}`;
  let connection: SQL | null = null;
  try {
    tellLoss(files, directory, wasClean, findings);
    readThrough(files, path);
    quarantineLog(files, directory, findings);
    connection = await connect(path);
    const fault = await checkFile(connection);
    if (fault === null) {
      // A truncated log has no old frames after its end, which could not be told from damage.
      await truncateLog(connection);
      const lastVersion = await checkRows(files, directory, connection, findings);
      return { state: new SqliteState(files, directory, connection, lastVersion), findings };
    }
    const lastVersion = await replaceFile(files, directory, connection, fault, findings);
    connection = await connect(path);
    return { state: new SqliteState(files, directory, connection, lastVersion), findings };
  } catch (error) {
    await connection?.close();
    throw explained(files, directory, error);
  }
}

/** What is wrong with the file as a whole; null when nothing is. Rows are not checked here. */
export async function checkFile(connection: SQL): Promise<string | null> {
  try {
    const rows: { integrity_check: string }[] = await connection.unsafe("PRAGMA integrity_check(1)");
    const verdict = rows[0]?.integrity_check ?? "no result";
    const readError = readErrorIn(verdict);
    if (readError !== null)
      throw new ObeliskError("STATE_UNUSABLE", {
        detail: readError,
        remedy: "check the disk; nothing was changed",
      });
    if (verdict !== "ok") return `integrity_check: ${verdict.replaceAll("\n", " ")}`;
    await connection.unsafe(TABLE);
    await connection.unsafe("SELECT key, value, version, crc FROM state LIMIT 1");
    return null;
  } catch (error) {
    if (isDamage(error)) return error.message;
    throw error;
  }
}

/** Describes the read error when SQLite's verdict is one, and not about what it read; else null. */
export function readErrorIn(verdict: string): string | null {
  const code = Number(/error code=(\d+)/.exec(verdict)?.[1] ?? 0);
  return (code & SQLITE_CODE_MASK) === SQLITE_IOERR
    ? `a page of ${STATE_FILE} cannot be read (SQLite error ${code})`
    : null;
}

/** Rows in the order of their keys, a bounded number at a time. */
export async function* readRows(connection: SQL): AsyncGenerator<StateRow> {
  let after: string | null = null;
  for (;;) {
    const rows: StateRow[] =
      after === null
        ? await connection.unsafe("SELECT key, value, version, crc FROM state ORDER BY key LIMIT ?", [
            ROWS_AT_ONCE,
          ])
        : await connection.unsafe(
            "SELECT key, value, version, crc FROM state WHERE key > ? ORDER BY key LIMIT ?",
            [after, ROWS_AT_ONCE],
          );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_AT_ONCE) return;
    after = last.key;
  }
}

export function isWholeRow({ key, value, version, crc }: StateRow): boolean {
  return typeof value === "string" && rowChecksum(key, value, version) === crc;
}

/**
 * In exclusive locking mode, since this process has the lock of the directory: so SQLite keeps the index of its log in memory, and maps
 * no `-shm` file, whose truncation would end the process (SIGBUS).
 */
async function connect(path: string): Promise<SQL> {
  const connection = new SQL({ adapter: "sqlite", filename: path });
  try {
    await connection.unsafe(`PRAGMA busy_timeout=${BUSY_TIMEOUT_MS}`);
    await connection.unsafe(`PRAGMA page_size=${PAGE_BYTES}`);
    await connection.unsafe("PRAGMA locking_mode=EXCLUSIVE");
    await connection.unsafe("PRAGMA journal_mode=WAL");
    await connection.unsafe("PRAGMA synchronous=NORMAL");
    await connection.unsafe("PRAGMA wal_autocheckpoint=0");
    await connection.unsafe(TABLE);
  } catch (error) {
    if (!isDamage(error)) {
      await connection.close();
      throw error;
    }
  }
  return connection;
}

/** Meets read errors before SQLite does, with the system's error. SQLite's check then finds the bytes in the page cache. */
function readThrough(files: Files, path: string): void {
  if (!files.exists(path)) return;
  const descriptor = files.open(path, "read");
  try {
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    let position = 0;
    for (let bytes = PIECE_BYTES; bytes === PIECE_BYTES; position += bytes)
      bytes = files.read(descriptor, piece, 0, PIECE_BYTES, position);
  } finally {
    files.close(descriptor);
  }
}

/** SQLite silently initializes an empty file, and drops the write-ahead log beside it. */
function tellLoss(files: Files, directory: string, wasClean: boolean, findings: Finding[]): void {
  const path = `${directory}/${STATE_FILE}`;
  const isThere = files.exists(path);
  if (isThere && files.fileSize(path) > 0) return;
  if (!isStateLost(wasClean, readLayout(files, directory).topics.length > 0)) return;
  const log = STATE_FILE + WAL_SUFFIX;
  const isLogThere = files.exists(`${directory}/${log}`) && files.fileSize(`${directory}/${log}`) > 0;
  const detail = lostStateDetail(isThere);
  const outcome = isLogThere ? `; its log was moved to ${quarantineFile(files, directory, log, detail)}` : "";
  findings.push(stateFinding(0, `${detail}; topics are found again by their directories${outcome}`));
}

function quarantineLog(files: Files, directory: string, findings: Finding[]): void {
  const file = STATE_FILE + WAL_SUFFIX;
  const path = `${directory}/${file}`;
  if (!files.exists(path) || !files.exists(`${directory}/${STATE_FILE}`)) return;
  const damage = findLogDamage(files, path);
  if (damage === null) return;
  const target = quarantineBytes(files, directory, file, damage.detail, files.readFile(path));
  const { position, bytes, detail } = damage;
  findings.push({ file, position, bytes, kind: "damaged-state", detail: `${detail}; copied to ${target}` });
}

/** Moves rows with a checksum mismatch to quarantine; returns the largest version of the others. */
async function checkRows(
  files: Files,
  directory: string,
  connection: SQL,
  findings: Finding[],
): Promise<number> {
  const damaged: StateRow[] = [];
  let lastVersion = 0;
  for await (const row of readRows(connection)) {
    if (isWholeRow(row)) lastVersion = Math.max(lastVersion, row.version);
    else damaged.push(row);
  }
  for (const row of damaged) {
    const text = Buffer.from(`${JSON.stringify(row)}\n`);
    const target = quarantineBytes(
      files,
      directory,
      STATE_FILE,
      `checksum mismatch in the entry ${row.key}`,
      text,
    );
    await connection.unsafe("DELETE FROM state WHERE key = ?", [row.key]);
    findings.push(stateFinding(text.length, `checksum mismatch in the entry ${row.key}; moved to ${target}`));
  }
  return lastVersion;
}

/** Returns the largest version of the rows that were saved. */
async function replaceFile(
  files: Files,
  directory: string,
  damaged: SQL,
  fault: string,
  findings: Finding[],
): Promise<number> {
  const saved = await salvageRows(damaged);
  await damaged.close();
  await buildFile(files, directory, saved);
  const bytes = files.fileSize(`${directory}/${STATE_FILE}`);
  const target = quarantineFile(files, directory, STATE_FILE, fault);
  finishReplacement(files, directory);
  findings.push(
    stateFinding(bytes, `${fault}; moved to ${target}, ${saved.length} entries were saved into a new file`),
  );
  return saved.reduce((last, { version }) => Math.max(last, version), 0);
}

/** From the front until the first error, then from the back until the next; a row counts when its checksum matches. */
async function salvageRows(damaged: SQL): Promise<StateRow[]> {
  const saved = new Map<string, StateRow>();
  for (const [comparison, order] of [
    [">", "ASC"],
    ["<", "DESC"],
  ] as const) {
    let last: string | null = null;
    for (;;) {
      const row = await salvageRow(damaged, comparison, order, last);
      if (row === null || saved.has(row.key)) break;
      last = row.key;
      if (isWholeRow(row)) saved.set(row.key, row);
    }
  }
  return [...saved.values()];
}

async function salvageRow(
  damaged: SQL,
  comparison: ">" | "<",
  order: "ASC" | "DESC",
  last: string | null,
): Promise<StateRow | null> {
  const where = last === null ? "" : `WHERE key ${comparison} ?`;
  try {
    const rows: StateRow[] = await damaged.unsafe(
      `SELECT key, value, version, crc FROM state ${where} ORDER BY key ${order} LIMIT 1`,
      last === null ? [] : [last],
    );
    const row = rows[0];
    // Damaged pages can lead back to the same row: only progress counts.
    if (row === undefined || typeof row.key !== "string" || (last !== null && row.key === last)) return null;
    return row;
  } catch (error) {
    const code = errnoOf(error);
    if (code?.startsWith("SQLITE_") && !code.startsWith("SQLITE_IOERR")) return null;
    throw error;
  }
}

async function buildFile(files: Files, directory: string, rows: readonly StateRow[]): Promise<void> {
  const path = `${directory}/${BUILDING}`;
  removeTriple(files, path);
  const connection = await connect(path);
  try {
    await connection.unsafe("BEGIN");
    for (const { key, value, version, crc } of rows) {
      await connection.unsafe("INSERT INTO state (key, value, version, crc) VALUES (?,?,?,?)", [
        key,
        value,
        version,
        crc,
      ]);
    }
    await connection.unsafe("COMMIT");
    await connection.unsafe("PRAGMA wal_checkpoint(TRUNCATE)");
  } finally {
    await connection.close();
  }
  const descriptor = files.open(path, "update");
  try {
    files.syncNow(descriptor);
  } finally {
    files.close(descriptor);
  }
  files.rename(path, `${directory}/${REBUILT}`);
  files.syncDirectory(directory);
}

/** Puts a complete new file in place once the damaged one is out of the way, also after a crash between the steps. */
function finishReplacement(files: Files, directory: string): void {
  removeTriple(files, `${directory}/${BUILDING}`);
  if (!files.exists(`${directory}/${REBUILT}`)) return;
  if (files.exists(`${directory}/${STATE_FILE}`)) {
    // The crash came before the damaged file was moved: it is found damaged again, and rebuilt again.
    files.removeFile(`${directory}/${REBUILT}`);
    return;
  }
  for (const suffix of [WAL_SUFFIX, SHM_SUFFIX]) {
    if (files.exists(`${directory}/${STATE_FILE}${suffix}`)) {
      quarantineFile(
        files,
        directory,
        `${STATE_FILE}${suffix}`,
        `belonged to the damaged ${STATE_FILE} in ${QUARANTINE}`,
      );
    }
  }
  files.rename(`${directory}/${REBUILT}`, `${directory}/${STATE_FILE}`);
  files.syncDirectory(directory);
}

function removeTriple(files: Files, path: string): void {
  for (const suffix of ["", WAL_SUFFIX, SHM_SUFFIX]) {
    if (files.exists(path + suffix)) files.removeFile(path + suffix);
  }
}

function isDamage(error: unknown): error is Error {
  const code = errnoOf(error);
  // A plain SQLITE_ERROR here is a foreign schema, or one that no longer parses.
  return code === "SQLITE_NOTADB" || code === "SQLITE_ERROR" || code?.startsWith("SQLITE_CORRUPT") === true;
}

/** SQLite reports a full disk as an I/O error when it creates its log and its index. */
function hasRoom(files: Files, directory: string): boolean {
  const { freeBytes, freeFiles } = files.space(directory);
  return freeBytes >= OPENING_BYTES && freeFiles > 0;
}

function stateFinding(bytes: number, detail: string): Finding {
  return { file: STATE_FILE, position: 0, bytes, kind: "damaged-state", detail };
}

function explained(files: Files, directory: string, error: unknown): ObeliskError {
  if (error instanceof ObeliskError) return error;
  const path = `${directory}/${STATE_FILE}`;
  if (errnoOf(error) === "SQLITE_FULL" || errnoOf(error) === "ENOSPC" || !hasRoom(files, directory)) {
    const remedy = "free space on that disk, then start again";
    return new ObeliskError("DISK_FULL", { file: path, remedy }, error);
  }
  const reason = error instanceof Error ? systemReason(error) : String(error);
  const detail = `the state file ${path} cannot be used: ${reason}`;
  return new ObeliskError("STATE_UNUSABLE", { detail, remedy: "check its permissions and the disk" }, error);
}
