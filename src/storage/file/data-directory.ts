/**
 * The data directory as a whole: it exists, one process owns it, and it tells how the last owner left it.
 *
 *     DIR/obelisk.json   identity and clean-shutdown flag (identity.ts)
 *     DIR/lock           exclusive lock of the owning process, which dies with it; holds the pid for the message
 *     DIR/meta.db        state (state.ts)
 *     DIR/topics/        record batches
 *     DIR/quarantine/    what was quarantined (quarantine.ts)
 *
 * One process owns a directory from `open` to `close`. What cannot be used is refused with one line and a remedy:
 * DATA_DIRECTORY_LOCKED, or DATA_DIRECTORY_UNUSABLE for no permission, not a directory, a newer format, another node.
 * A damaged obelisk.json loses nothing but itself: it is quarantined, and a new one is made with the old cluster id where that
 * can still be read. Clients notice at most a changed cluster id; every record and all state live elsewhere.
 */

import type { Clock } from "../../base/clock.ts";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { systemReason } from "../../base/system-error.ts";
import type { Finding } from "../contract.ts";
import { decodeIdentity, encodeIdentity, FORMAT_VERSION, IDENTITY_FILE, type Identity } from "./identity.ts";
import { quarantineFile } from "./quarantine.ts";

export const LOCK_FILE = "lock";

/** A pid has at most seven digits on Linux; more in a lock file is not printed. */
const LOCK_TEXT_BYTES_MAX = 32;

export interface DataDirectoryOptions {
  /** This server's number; a directory that belongs to another one is refused. */
  nodeId: number;
  /** Written into the lock file, for the message that a second process prints. */
  pid: number;
  clock: Clock;
  /** A fresh uuid as 22 letters of base64url (`randomClusterId`). */
  newClusterId: () => string;
}

export class DataDirectory {
  readonly path: string;
  readonly findings: readonly Finding[];
  readonly #files: Files;
  #lock: number;
  #identity: Identity;

  private constructor(files: Files, path: string, lock: number, identity: Identity, findings: Finding[]) {
    this.#files = files;
    this.path = path;
    this.#lock = lock;
    this.#identity = identity;
    this.findings = findings;
  }

  /**
   * Makes the directory when it is missing, takes its lock and reads its identity.
   * @throws ObeliskError DATA_DIRECTORY_LOCKED, DATA_DIRECTORY_UNUSABLE, DISK_FULL
   */
  static open(files: Files, path: string, options: DataDirectoryOptions): DataDirectory {
    return explained(path, () => {
      makeDirectory(files, path);
      const lock = takeLock(files, path, options.pid);
      try {
        const findings: Finding[] = [];
        const identity = loadIdentity(files, path, options, findings);
        return new DataDirectory(files, path, lock, identity, findings);
      } catch (error) {
        files.close(lock);
        throw error;
      }
    });
  }

  get clusterId(): string {
    return this.#identity.clusterId;
  }

  get nodeId(): number {
    return this.#identity.nodeId;
  }

  get createdAt(): string {
    return this.#identity.createdAt;
  }

  /** The last shutdown was clean, and the directory was not marked dirty since. */
  get isClean(): boolean {
    return this.#identity.cleanShutdown;
  }

  /** Durable before it returns. Call before the first write. */
  markDirty(): void {
    this.#setCleanShutdown(false);
  }

  /** Durable before it returns. Call after everything else is. */
  markClean(): void {
    this.#setCleanShutdown(true);
  }

  /**
   * Why this process has lost the directory: it was moved, removed or replaced, or its lock file was, so that another process may own
   * what lies at the path now. Null while it has not. Two system calls, some 3 us.
   */
  lossReason(): string | null {
    const file = `${this.path}/${LOCK_FILE}`;
    let there: string | null;
    try {
      there = this.#files.identity(file);
      if (there !== null && there === this.#files.identityOf(this.#lock)) return null;
      if (!this.#files.exists(this.path)) return `the data directory ${this.path} was moved or removed`;
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      return null; // Unknown: it may be there and unreadable for us.
    }
    if (there === null) return `the lock file ${file} was removed`;
    return `the lock file ${file} is not the one that was locked: the directory was replaced, or another server took it`;
  }

  /** Releases the lock. */
  close(): void {
    if (this.#lock < 0) return;
    this.#files.close(this.#lock);
    this.#lock = -1;
  }

  #setCleanShutdown(cleanShutdown: boolean): void {
    if (this.#identity.cleanShutdown === cleanShutdown) return;
    const identity = { ...this.#identity, cleanShutdown };
    explained(this.path, () =>
      this.#files.replace(`${this.path}/${IDENTITY_FILE}`, encodeIdentity(identity)),
    );
    this.#identity = identity;
  }
}

/** 16 random bytes as a version 4 uuid in base64url, as Kafka names clusters and topics. */
export function randomClusterId(): string {
  return Buffer.from(crypto.randomUUID().replaceAll("-", ""), "hex").toString("base64url");
}

/** The pid in the lock file, or null when there is none; its process need not be alive. */
export function lockOwner(files: Files, path: string): string | null {
  const file = `${path}/${LOCK_FILE}`;
  if (!files.exists(file) || files.fileSize(file) > LOCK_TEXT_BYTES_MAX) return null;
  const text = files.readFile(file).toString("latin1").trim();
  return /^\d+$/.test(text) ? text : null;
}

/** Durable with all directory entries: everything that is ever acknowledged lies below them. */
function makeDirectory(files: Files, path: string): void {
  const made: string[] = [];
  for (let at = path; !files.exists(at); at = parentOf(at)) made.unshift(at);
  if (made.length > 0) files.makeDirectory(path);
  // An earlier start may have made it, and ended before it wrote the identity.
  else if (!files.exists(`${path}/${IDENTITY_FILE}`)) made.push(path);
  for (const directory of made) syncIfAllowed(files, parentOf(directory));
  files.list(path); // ENOTDIR or EACCES now, rather than in the middle of something
}

/** A process that may write in a directory need not be allowed to open it. */
function syncIfAllowed(files: Files, directory: string): void {
  try {
    files.syncDirectory(directory);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno !== "EACCES" && errno !== "EPERM") throw thrown;
  }
}

function parentOf(path: string): string {
  const end = path.lastIndexOf("/");
  if (end > 0) return path.slice(0, end);
  return end === 0 ? "/" : ".";
}

function takeLock(files: Files, path: string, pid: number): number {
  const descriptor = openLock(files, `${path}/${LOCK_FILE}`);
  if (!files.lock(descriptor)) {
    files.close(descriptor);
    const owner = lockOwner(files, path);
    throw new ObeliskError("DATA_DIRECTORY_LOCKED", {
      detail: `the data directory ${path} belongs to a running server${owner === null ? "" : ` (pid ${owner})`}`,
      remedy: "stop it first, or use another directory with --data",
    });
  }
  try {
    const text = Buffer.from(`${pid}\n`);
    files.truncate(descriptor, 0);
    files.write(descriptor, text, 0, text.length, 0);
    return descriptor;
  } catch (error) {
    files.close(descriptor);
    throw error;
  }
}

function openLock(files: Files, file: string): number {
  if (files.exists(file)) return files.open(file, "update");
  try {
    return files.open(file, "create");
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    return files.open(file, "update"); // another process was a moment faster; the lock decides
  }
}

function loadIdentity(
  files: Files,
  path: string,
  options: DataDirectoryOptions,
  findings: Finding[],
): Identity {
  const file = `${path}/${IDENTITY_FILE}`;
  if (!files.exists(file)) return createIdentity(files, path, options, null);
  const decoded = decodeIdentity(files.readFile(file));
  if (decoded.kind === "newer") {
    throw new ObeliskError("DATA_DIRECTORY_UNUSABLE", {
      detail: `the data directory ${path} has format ${decoded.formatVersion}, and this Obelisk knows formats up to ${FORMAT_VERSION}`,
      remedy: "use the newer Obelisk that wrote it",
    });
  }
  if (decoded.kind === "damaged") return replaceIdentity(files, path, options, decoded, findings);
  if (decoded.identity.nodeId !== options.nodeId) {
    throw new ObeliskError("DATA_DIRECTORY_UNUSABLE", {
      detail: `the data directory ${path} belongs to node ${decoded.identity.nodeId}, and this is node ${options.nodeId}`,
      remedy: "set the node id back, or use another directory with --data",
    });
  }
  return decoded.identity;
}

function replaceIdentity(
  files: Files,
  path: string,
  options: DataDirectoryOptions,
  damage: { reason: string; clusterId: string | null },
  findings: Finding[],
): Identity {
  const bytes = files.fileSize(`${path}/${IDENTITY_FILE}`);
  const target = quarantineFile(files, path, IDENTITY_FILE, damage.reason);
  const outcome = damage.clusterId === null ? "a new cluster id was made" : "the cluster id was kept";
  findings.push({
    file: IDENTITY_FILE,
    position: 0,
    bytes,
    kind: "damaged-state",
    detail: `${damage.reason}; moved to ${target}, ${outcome}`,
  });
  return createIdentity(files, path, options, damage.clusterId);
}

/** Not clean: what lies beside it has not been recovered yet. */
function createIdentity(
  files: Files,
  path: string,
  options: DataDirectoryOptions,
  clusterId: string | null,
): Identity {
  const identity: Identity = {
    formatVersion: FORMAT_VERSION,
    clusterId: clusterId ?? options.newClusterId(),
    nodeId: options.nodeId,
    cleanShutdown: false,
    createdAt: new Date(options.clock.nowMs()).toISOString(),
  };
  files.replace(`${path}/${IDENTITY_FILE}`, encodeIdentity(identity));
  return identity;
}

/** Turns system errors into one clear line. */
function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ObeliskError) throw error;
    const errno = errnoOf(error);
    if (errno === "ENOSPC" || errno === "EDQUOT") throw new ObeliskError("DISK_FULL", { file: path }, error);
    const [detail, remedy] = explain(path, errno, error);
    throw new ObeliskError("DATA_DIRECTORY_UNUSABLE", { detail, remedy }, error);
  }
}

function explain(path: string, errno: string | undefined, error: unknown): [string, string] {
  const other = "or use another directory with --data";
  if (errno === "EACCES" || errno === "EPERM") {
    return [
      `no permission to write to the data directory ${path}`,
      `give this user the right to write there, ${other}`,
    ];
  }
  if (errno === "EROFS")
    return [`the data directory ${path} is on a read-only file system`, `mount it writable, ${other}`];
  if (errno === "ENOTDIR" || errno === "EEXIST")
    return [`${path} is not a directory`, `move that file away, ${other}`];
  const reason = error instanceof Error ? systemReason(error) : String(error);
  return [`the data directory ${path} cannot be used: ${reason}`, `make it usable, ${other}`];
}
