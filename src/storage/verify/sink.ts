/** Where a verification reports what it finds and how far it has come. */

import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { systemReason } from "../../base/system-error.ts";
import type { Finding, FindingKind } from "../contract.ts";
import { DANGLING_LINK } from "../layout.ts";

const EPOCH_BYTES = 4;

export interface VerifySummary {
  topics: number;
  partitions: number;
  segments: number;
  batches: number;
  records: number;
  /** Read and checked, all files together. */
  bytes: number;
  /** Damage that recovery has copied to quarantine and recorded before: not a finding any more. */
  holes: number;
  holeBytes: number;
  stateEntries: number;
  /** Messages in files of a Go Obelisk that were not imported yet. */
  goMessages: number;
  findings: number;
  /** What is worth knowing and no damage: what a client sent so, and what the next start does by itself. */
  notes: number;
  /** A server owned the directory: what it was just writing was not judged. */
  isServerRunning: boolean;
}

export interface VerifyListener {
  onFinding: (finding: Finding) => void;
  /** What is no damage, and never to be repaired. */
  onNote?: (note: Finding) => void;
  /** Bytes checked so far; called often. */
  onProgress?: (bytes: number) => void;
  /** Beside each finding "wrong-epoch": what the four bytes at the place should be. */
  onWrongEpoch?: (file: string, position: number, epoch: number) => void;
}

/** The summary before anything was looked at. */
export const NOTHING_CHECKED: Readonly<VerifySummary> = {
  topics: 0,
  partitions: 0,
  segments: 0,
  batches: 0,
  records: 0,
  bytes: 0,
  holes: 0,
  holeBytes: 0,
  stateEntries: 0,
  goMessages: 0,
  findings: 0,
  notes: 0,
  isServerRunning: false,
};

export class VerifySink {
  readonly summary: VerifySummary = { ...NOTHING_CHECKED };
  readonly #listener: VerifyListener;

  constructor(listener: VerifyListener) {
    this.#listener = listener;
  }

  report(file: string, position: number, bytes: number, kind: FindingKind, detail: string): void {
    this.pass({ file, position, bytes, kind, detail });
  }

  pass(finding: Finding): void {
    this.summary.findings += 1;
    this.#listener.onFinding(finding);
  }

  reportNote(file: string, position: number, bytes: number, kind: FindingKind, detail: string): void {
    this.summary.notes += 1;
    this.#listener.onNote?.({ file, position, bytes, kind, detail });
  }

  /** What `work` returns, or null when the system refuses, which is a finding. A file that is gone meanwhile is none. */
  tolerating<Result>(files: Files, root: string, file: string, work: () => Result): Result | null {
    try {
      return work();
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === undefined || thrown instanceof ObeliskError || !(thrown instanceof Error)) throw thrown;
      const isGone = errno === "ENOENT" && !files.isLink(`${root}/${file}`);
      if (!isGone)
        this.report(file, 0, 0, "unreadable", errno === "ENOENT" ? DANGLING_LINK : systemReason(thrown));
      return null;
    }
  }

  reportEpoch(file: string, position: number, epoch: number, expected: number): void {
    const detail = `the batch has leader epoch ${epoch} where ${expected} was in force`;
    this.report(file, position, EPOCH_BYTES, "wrong-epoch", detail);
    this.#listener.onWrongEpoch?.(file, position, expected);
  }

  advance(bytes: number): void {
    this.summary.bytes += bytes;
    this.#listener.onProgress?.(this.summary.bytes);
  }
}
