/** Where a verification tells what it finds and how far it has come. */

import type { Finding, FindingKind } from "../contract.ts";

const EPOCH_BYTES = 4;

export interface VerifySummary {
  topics: number;
  partitions: number;
  segments: number;
  batches: number;
  records: number;
  /** Read and checked, all files together. */
  bytes: number;
  /** Damage that recovery has set aside before and noted: not a finding any more. */
  holes: number;
  holeBytes: number;
  stateEntries: number;
  /** Messages in files of a Go Obelisk that were not imported yet. */
  goMessages: number;
  findings: number;
  /** A server owned the directory: what it was just writing was not judged. */
  isServerRunning: boolean;
}

export interface VerifyListener {
  onFinding: (finding: Finding) => void;
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
