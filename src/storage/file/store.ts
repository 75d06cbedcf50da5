/** What all logs of one data directory share: the disk, its open files, the limits, and the list of findings. */

import type { Clock } from "../../base/clock.ts";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { nextTurn } from "../../base/loop/turns.ts";
import { systemReason } from "../../base/system-error.ts";
import { MiB } from "../../base/units.ts";
import type { Finding, FindingKind, FindingListener } from "../contract.ts";
import { DirectorySyncs } from "./directory-syncs.ts";
import { DroppedSegments } from "./dropped-segments.ts";
import type { DescriptorPool } from "./pool.ts";
import { QUARANTINE, quarantineBytes, takeBack } from "./quarantine.ts";
import { ReadPieces } from "./read-pieces.ts";
import { FileReplacer } from "./replacer.ts";
import { SnapshotJournal } from "./snapshot-journal.ts";
import { StoredSnapshots } from "./stored-snapshots.ts";

export const TOPICS_DIRECTORY = "topics";
/** A disk that fails everywhere must not fill the memory with findings. Later ones are logged and counted, not kept. */
export const FINDINGS_MAX = 10_000;
/** The walk from an index entry to the batch reads this much at once: one index interval and a header. */
export const LOOK_BYTES = 8 * 1024;
/** Damage is copied in pieces of this size, each a file of its own: what can be written and synced in one turn of the loop. */
const QUARANTINE_PIECE_BYTES = 4 * MiB;

export interface StoreLimits {
  /** A segment rolls before it grows beyond this. */
  segmentBytesMax: number;
  /** A segment that has batches rolls at this age. */
  segmentAgeMsMax: number;
  /** Bytes of log between two index entries. */
  indexIntervalBytes: number;
  /** A file that nobody used for so long is closed. */
  fileIdleMs: number;
}

/** What became of a copy of damaged bytes. */
export interface Quarantined {
  /** For people; appended to the reason. */
  outcome: string;
  /** Why they could not be copied, and the remedy: then they must stay where they are. Null when they were copied. */
  refusal: ObeliskError | null;
}

export class Store {
  readonly files: Files;
  readonly pool: DescriptorPool;
  /** For the small files of all partitions. */
  readonly replacer: FileReplacer;
  readonly directorySyncs: DirectorySyncs;
  readonly journal: SnapshotJournal;
  readonly snapshots: StoredSnapshots;
  /** Segments that have left their logs. */
  readonly dropped: DroppedSegments;
  /** What segments are read into. */
  readonly pieces: ReadPieces;
  readonly clock: Clock;
  readonly limits: StoreLimits;
  /** The data directory. Findings name files relative to it. */
  readonly root: string;
  readonly findings: Finding[] = [];
  /** For short reads of headers: filled and used before anything else can run, so all readers share it. */
  readonly lookBuffer = Buffer.allocUnsafeSlow(LOOK_BYTES);
  /** Frees a little space that was kept for such a case, where a deletion needs some itself; false when there is none. */
  releaseSpace: () => boolean = () => false;
  /** Findings beyond `FINDINGS_MAX`. */
  findingsDropped = 0;

  readonly #onFinding: FindingListener;

  constructor(
    files: Files,
    pool: DescriptorPool,
    clock: Clock,
    root: string,
    limits: StoreLimits,
    onFinding: FindingListener = () => {},
  ) {
    this.#onFinding = onFinding;
    this.files = files;
    this.pool = pool;
    this.replacer = new FileReplacer(files, pool);
    this.directorySyncs = new DirectorySyncs(files, pool);
    this.journal = new SnapshotJournal(files, pool, root);
    const topics = `${root}/${TOPICS_DIRECTORY}`;
    this.snapshots = new StoredSnapshots(this.journal, this.replacer, this.directorySyncs, topics);
    this.dropped = new DroppedSegments(files, pool, clock, (path, error) => {
      const detail = `deleted from its log, and the disk refuses to remove it; the next start tries again: ${systemReason(error)}`;
      this.report(path, 0, 0, "unreadable", detail);
    });
    this.pieces = new ReadPieces(files, pool);
    this.clock = clock;
    this.root = root;
    this.limits = limits;
  }

  report(path: string, position: number, bytes: number, kind: FindingKind, detail: string): void {
    const finding = { file: this.relative(path), position, bytes, kind, detail };
    const isKept = this.findings.length < FINDINGS_MAX;
    if (isKept) this.findings.push(finding);
    else this.findingsDropped += 1;
    this.#onFinding(finding, isKept);
  }

  relative(path: string): string {
    return path.startsWith(`${this.root}/`) ? path.slice(this.root.length + 1) : path;
  }

  /**
   * Copies bytes of a file into quarantine; `outcome` says where, or why not. Zeros are not kept: they are what the file system leaves
   * where a write never arrived. A copy that fails leaves nothing there.
   */
  quarantine(
    path: string,
    descriptor: () => number,
    position: number,
    bytes: number,
    reason: string,
  ): Quarantined {
    for (const pieces = this.#copy(path, descriptor, position, bytes, reason); ; ) {
      const piece = pieces.next();
      if (piece.done) return piece.value;
    }
  }

  /** The same, a piece in each turn of the loop. */
  async quarantineLater(
    path: string,
    descriptor: () => number,
    position: number,
    bytes: number,
    reason: string,
  ): Promise<Quarantined> {
    for (const pieces = this.#copy(path, descriptor, position, bytes, reason); ; ) {
      const piece = pieces.next();
      if (piece.done) return piece.value;
      await nextTurn();
    }
  }

  /** Yields after each piece. */
  *#copy(
    path: string,
    descriptor: () => number,
    position: number,
    bytes: number,
    reason: string,
  ): Generator<void, Quarantined> {
    const targets: string[] = [];
    try {
      for (let done = 0; done < bytes; done += QUARANTINE_PIECE_BYTES) {
        if (done > 0) yield;
        const piece = Buffer.allocUnsafeSlow(Math.min(QUARANTINE_PIECE_BYTES, bytes - done));
        const got = this.files.read(descriptor(), piece, 0, piece.length, position + done);
        const content = piece.subarray(0, got);
        if (isZero(content)) continue;
        const name = `${this.relative(path)}@${position + done}`;
        const write = () => quarantineBytes(this.files, this.root, name, reason, content);
        targets.push(this.pool.withRoom(path, write));
      }
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === undefined || !(thrown instanceof Error)) throw thrown;
      for (const target of targets) takeBack(this.files, this.root, target);
      const refusal = notCopied(this.relative(path), position, bytes, reason, thrown);
      return { outcome: `; it could not be copied to quarantine (${errno})`, refusal };
    }
    return {
      outcome: targets.length === 0 ? "; it holds zeros only" : `; copied to ${targets[0]}`,
      refusal: null,
    };
  }
}

/** By comparing it with itself, one byte on. */
function isZero(bytes: Buffer): boolean {
  return (
    bytes.length === 0 || (bytes[0] === 0 && bytes.compare(bytes, 1, bytes.length, 0, bytes.length - 1) === 0)
  );
}

function notCopied(
  file: string,
  position: number,
  bytes: number,
  reason: string,
  error: Error & { code?: unknown },
): ObeliskError {
  const isFull = error.code === "ENOSPC" || error.code === "EDQUOT";
  const what = `${bytes} bytes at ${position} of ${file} are no valid batch (${reason})`;
  const detail = `${what} and could not be copied to ${QUARANTINE}/: ${systemReason(error)}; they stay as they are`;
  const remedy = isFull ? "free space on that disk" : `check the disk and the rights on ${QUARANTINE}/`;
  return new ObeliskError("KAFKA_STORAGE_ERROR", { detail, remedy }, error);
}

/** A system error as one of our codes. */
export function storageError(
  thrown: unknown,
  facts: { topic?: string; partition?: number; file?: string },
): ObeliskError {
  if (thrown instanceof ObeliskError) return thrown;
  const errno = errnoOf(thrown);
  if (errno === undefined) throw thrown;
  const code = errno === "ENOSPC" || errno === "EDQUOT" ? "DISK_FULL" : "KAFKA_STORAGE_ERROR";
  return new ObeliskError(code, facts, thrown);
}

/** Shortages of this process, which pass; they have a log line of their own (descriptor-watch.ts), or none. */
const SHORTAGES = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/** The error when the disk failed to read, or to store a copy of damage; null when a read failed for another reason. */
export function readErrorOf(thrown: unknown): Error | null {
  if (thrown instanceof ObeliskError)
    return thrown.code === "KAFKA_STORAGE_ERROR" && thrown.cause ? thrown : null;
  const errno = errnoOf(thrown);
  return errno !== undefined && !SHORTAGES.has(errno) && thrown instanceof Error ? thrown : null;
}
