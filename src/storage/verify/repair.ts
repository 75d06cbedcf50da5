/**
 * `obelisk verify --repair`: repairs what `verify` finds, with the code that recovery uses, so that a second `verify` finds nothing.
 * It owns the directory meanwhile, and refuses while a server does.
 *
 *   finding                           what is done
 *   obelisk.json, meta.db             as at a start: moved to quarantine and replaced (data-directory.ts, state-file.ts)
 *   torn tail, log short of its       as at a start (recovery.ts): cut off, new leader epoch
 *   checkpoint, damaged snapshot
 *   leader epoch wrong                written in place: it lies outside the CRC
 *   index wrong or missing            removed and rebuilt from the log
 *   damage in snapshots.journal       what is valid goes to its partitions, the file to quarantine
 *   damage in the middle of a log     copied to quarantine and recorded as a hole in the snapshot, which readers skip and
 *                                     `verify` knows; the log itself is not rewritten, its other batches keep their places
 *   offsets missing                   recorded in the snapshot as a hole of zero bytes
 *   Go Obelisk's files                imported as at a start; what is damaged in them is left out
 *   a partition that is not there     created, empty
 *   a file that belongs to nothing    moved to quarantine
 *
 * What was taken out stays in quarantine/. What the system refuses to read, or to copy there, is left as it is and remains a finding,
 * with what to do (advice.ts); so does a link, or what lies behind one, that belongs to nothing: no link is ever moved. Notes are no
 * findings: nothing is done.
 */

import type { Clock } from "../../base/clock.ts";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import type { Log } from "../../base/log.ts";
import { systemReason } from "../../base/system-error.ts";
import type { Finding, PartitionLog, RecoveryListener } from "../contract.ts";
import { DataDirectory } from "../file/data-directory.ts";
import { FileEngine } from "../file/engine.ts";
import { decodeIdentity, IDENTITY_FILE } from "../file/identity.ts";
import { importGoDirectory } from "../file/import/go-directory.ts";
import { quarantineFile } from "../file/quarantine.ts";
import { parseSegmentName, segmentName } from "../file/segment.ts";
import { SNAPSHOT_JOURNAL } from "../file/snapshot-journal-format.ts";
import type { SqliteState } from "../file/state/state.ts";
import { openStateFile } from "../file/state/state-file.ts";
import { readLayout } from "../layout.ts";
import { RecoveredLogs } from "../recovered-logs.ts";
import { isOwned, type VerifyOptions, verifyDirectory } from "../verify.ts";
import { withAdvice } from "./advice.ts";
import { addHoles, copyToQuarantine, findHoles } from "./repair-holes.ts";
import { settleSnapshots } from "./settle-snapshots.ts";
import type { VerifySummary } from "./sink.ts";

export interface RepairOptions extends VerifyOptions {
  clock: Clock;
  log: Log;
  /** For the lock file. */
  pid: number;
  newClusterId: () => string;
  /** For topics that come from a Go Obelisk. */
  newTopicId: () => string;
  /** What was done and what was lost, one sentence each, with its place. */
  onRepair: (repair: Finding) => void;
}

export interface RepairSummary {
  /** Before; its findings went to `onFinding`. */
  before: VerifySummary;
  /** Afterwards; what could not be repaired. */
  remaining: Finding[];
  after: VerifySummary;
}

/** What a directory without a readable identity gets: the default node id. */
const NODE_ID_DEFAULT = 1;
const EPOCH_BYTES = 4;
const NO_LISTENER: RecoveryListener = {
  restore: () => undefined,
  replay: () => undefined,
  lost: () => undefined,
};

/**
 * Repairs the data directory `root`. Without findings nothing is touched.
 * @throws ObeliskError DATA_DIRECTORY_LOCKED, DATA_DIRECTORY_UNUSABLE, STATE_UNUSABLE, DISK_FULL
 */
export async function repairDirectory(
  files: Files,
  root: string,
  options: RepairOptions,
): Promise<RepairSummary> {
  if (isOwned(files, root)) own(files, root, options).close(); // refuses, and says whose it is
  const found: Finding[] = [];
  const epochs: WrongEpoch[] = [];
  const before = await verifyDirectory(files, root, {
    ...options,
    onWrongEpoch: (file, position, epoch) => epochs.push({ file, position, epoch }),
    onFinding: (finding) => {
      found.push(finding);
      options.onFinding(finding);
    },
  });
  if (found.length === 0) return { before, remaining: [], after: before };
  const directory = own(files, root, options);
  try {
    return { before, ...(await new Repair(files, directory, { found, epochs }, options).run()) };
  } finally {
    directory.close();
  }
}

function own(files: Files, root: string, options: RepairOptions): DataDirectory {
  const file = `${root}/${IDENTITY_FILE}`;
  let nodeId = NODE_ID_DEFAULT;
  if (files.exists(file)) nodeId = nodeIdIn(files, file);
  const { pid, clock, newClusterId } = options;
  const directory = DataDirectory.open(files, root, { nodeId, pid, clock, newClusterId });
  for (const finding of directory.findings) options.onRepair(finding);
  return directory;
}

/** What cannot be read here refuses the directory a moment later, in words. */
function nodeIdIn(files: Files, file: string): number {
  try {
    const decoded = decodeIdentity(files.readFile(file));
    if (decoded.kind === "valid") return decoded.identity.nodeId;
    if (decoded.kind === "damaged") return decoded.nodeId ?? NODE_ID_DEFAULT;
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
  }
  return NODE_ID_DEFAULT;
}

interface WrongEpoch {
  file: string;
  position: number;
  epoch: number;
}

interface Before {
  found: readonly Finding[];
  epochs: readonly WrongEpoch[];
}

class Repair {
  readonly #files: Files;
  readonly #root: string;
  readonly #directory: DataDirectory;
  readonly #found: readonly Finding[];
  readonly #epochs: readonly WrongEpoch[];
  readonly #options: RepairOptions;
  /** Why something was left as it is, by file and position. */
  readonly #refusals = new Map<string, string>();

  constructor(files: Files, directory: DataDirectory, before: Before, options: RepairOptions) {
    this.#files = files;
    this.#root = directory.path;
    this.#directory = directory;
    this.#found = before.found;
    this.#epochs = before.epochs;
    this.#options = options;
  }

  async run(): Promise<{ remaining: Finding[]; after: VerifySummary }> {
    const files = this.#files;
    this.#settleSnapshots();
    this.#moveUnknownFiles();
    for (const wrong of this.#epochs) this.#writeEpoch(wrong);
    const { state, findings } = await openStateFile(files, this.#root, this.#directory.isClean);
    for (const finding of findings) this.#options.onRepair(finding);
    try {
      await this.#importGo(state);
      await this.#recover(state);
    } finally {
      await state.close();
    }
    await this.#recordHoles();
    const remaining: Finding[] = [];
    const after = await verifyDirectory(files, this.#root, {
      ...this.#options,
      isOwner: true,
      onNote: () => undefined, // reported before
      onFinding: (finding) => remaining.push(this.#explained(finding)),
    });
    return { remaining, after };
  }

  #explained(finding: Finding): Finding {
    const refusal = this.#refusals.get(placeOf(finding));
    return refusal === undefined
      ? withAdvice(finding)
      : { ...finding, detail: `${finding.detail}; left as it is: ${refusal}` };
  }

  /** False when the system refuses; the finding then remains, with the reason. */
  #attempt(finding: Finding, what: string, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (thrown) {
      if (errnoOf(thrown) === undefined || !(thrown instanceof Error)) throw thrown;
      this.#refusals.set(placeOf(finding), `${what}: ${systemReason(thrown)}`);
      return false;
    }
  }

  #writeEpoch({ file, position, epoch }: WrongEpoch): void {
    const bytes = Buffer.alloc(EPOCH_BYTES);
    bytes.writeInt32BE(epoch, 0);
    const descriptor = this.#files.open(`${this.#root}/${file}`, "update");
    try {
      this.#files.write(descriptor, bytes, 0, EPOCH_BYTES, position);
      this.#files.syncNow(descriptor);
    } finally {
      this.#files.close(descriptor);
    }
    const detail = `the leader epoch is ${epoch} again; nothing was lost`;
    this.#options.onRepair({ file, position, bytes: EPOCH_BYTES, kind: "wrong-epoch", detail });
  }

  #settleSnapshots(): void {
    const target = settleSnapshots(this.#files, this.#root);
    if (target === null) return;
    const detail = `its valid snapshots are in the files of their partitions; moved to ${target}`;
    this.#options.onRepair({
      file: SNAPSHOT_JOURNAL,
      position: 0,
      bytes: 0,
      kind: "damaged-snapshot",
      detail,
    });
  }

  #moveUnknownFiles(): void {
    for (const finding of this.#found) {
      const { file, kind, position, bytes, detail } = finding;
      const isConsumer = kind === "damaged-state" && file.startsWith("consumers/");
      if (kind !== "unknown-file" && !isConsumer) continue;
      const path = file.endsWith("/") ? file.slice(0, -1) : file;
      if (this.#isThroughLink(path)) continue;
      this.#attempt(finding, "it could not be moved to quarantine", () => {
        const target = quarantineFile(this.#files, this.#root, path, detail);
        this.#options.onRepair({ file, position, bytes, kind, detail: `moved to ${target}` });
      });
    }
  }

  /** Whether the path, or a directory on the way to it, is a link: what lies behind one is its owner's to move. */
  #isThroughLink(path: string): boolean {
    const names = path.split("/");
    return names.some((_, depth) =>
      this.#files.isLink(`${this.#root}/${names.slice(0, depth + 1).join("/")}`),
    );
  }

  async #importGo(state: SqliteState): Promise<void> {
    const isDamaged = this.#found.some(({ file }) => /^topics\/[^/]+\.(log|idx)$/.test(file));
    if (!isDamaged) return;
    const { clock, log, newTopicId, onRepair } = this.#options;
    const report = await importGoDirectory(this.#files, this.#directory, state, log, {
      clock,
      newId: newTopicId,
    });
    for (const finding of report?.findings ?? []) {
      onRepair({ ...finding, detail: `${finding.detail}; left out of the imported topic` });
    }
    for (const { topic, messages } of report?.topics ?? []) {
      const detail = `imported with ${messages} messages`;
      onRepair({ file: `topics/${topic}.log`, position: 0, bytes: 0, kind: "damaged-frame", detail });
    }
  }

  /** Opens every partition, which recovers it, and reads from the segments whose indexes were taken away. */
  async #recover(state: SqliteState): Promise<void> {
    const rebuilds = this.#removeIndexes();
    const engine = new FileEngine({
      files: this.#files,
      clock: this.#options.clock,
      state,
      directory: {
        path: this.#root,
        isClean: this.#directory.isClean,
        markDirty: () => this.#directory.markDirty(),
        markClean: () => this.#directory.markClean(),
        lossReason: () => this.#directory.lossReason(),
        // `repairDirectory` closes it, when the second verification is done.
        close: () => undefined,
      },
    });
    const recovered = new RecoveredLogs(engine);
    for (const { topic, partition } of this.#partitions()) {
      const log = await engine.open(topic, partition, NO_LISTENER);
      await recovered.add(log);
      if (log.isOffline) continue;
      for (const baseOffset of rebuilds.get(`topics/${topic}/${partition}`) ?? []) {
        const offset = Math.max(baseOffset, log.startOffset);
        if (offset < log.endOffset) await readIfPossible(log, offset);
      }
    }
    await engine.close();
    // What is offline was not repaired: the places are reported afterwards.
    for (const finding of engine.findings) {
      const { kind } = finding;
      if (kind !== "unreadable" && kind !== "missing-index") this.#options.onRepair(finding);
    }
  }

  /** Removes damaged index files, and the other one of the same segment; returns the segments by partition directory. */
  #removeIndexes(): Map<string, Set<number>> {
    const rebuilds = new Map<string, Set<number>>();
    for (const { file, kind, bytes } of this.#found) {
      if (kind !== "damaged-index" && kind !== "missing-index") continue;
      const slash = file.lastIndexOf("/");
      const segment = parseSegmentName(file.slice(slash + 1));
      if (segment === null) continue;
      const directory = file.slice(0, slash);
      if (this.#isUnreadable(`${directory}/${segmentName(segment.baseOffset)}.`)) continue;
      this.#options.onRepair({ file, position: 0, bytes, kind, detail: "rebuilt from the log" });
      rebuilds.set(directory, (rebuilds.get(directory) ?? new Set()).add(segment.baseOffset));
      for (const suffix of ["index", "timeindex"]) {
        const path = `${this.#root}/${directory}/${segmentName(segment.baseOffset)}.${suffix}`;
        if (this.#files.exists(path)) this.#files.removeFile(path);
      }
    }
    return rebuilds;
  }

  /** Without the whole log no index can be built, and one that cannot be read may be right. */
  #isUnreadable(stem: string): boolean {
    return this.#found.some(({ file, kind }) => kind === "unreadable" && file.startsWith(stem));
  }

  /** What recovery does not look at (it trusts what was synced before the checkpoint) becomes a known hole here. */
  async #recordHoles(): Promise<void> {
    for (const [directory, found] of await findHoles(this.#files, this.#root, this.#options)) {
      const kept = found.filter(({ finding }) => this.#keepHole(finding));
      addHoles(
        this.#files,
        `${this.#root}/${directory}`,
        kept.map(({ hole }) => hole),
      );
    }
  }

  /** False when its bytes could not be copied: then it is no hole. */
  #keepHole(finding: Finding): boolean {
    return this.#attempt(finding, "it could not be copied to quarantine", () => {
      const targets = finding.bytes > 0 ? copyToQuarantine(this.#files, this.#root, finding) : [];
      const outcome =
        finding.bytes > 0 ? `copied to ${targets[0]}, readers skip it` : "recorded in the snapshot";
      this.#options.onRepair({ ...finding, detail: `${finding.detail}; ${outcome}` });
    });
  }

  /** Those that are there, and those that are missing: opening one makes it, empty. */
  #partitions(): { topic: string; partition: number }[] {
    const present = readLayout(this.#files, this.#root).topics.flatMap(({ partitions }) => partitions);
    const places = present.map(({ topic, partition }) => ({ topic, partition }));
    for (const { file, kind, position, bytes, detail } of this.#found) {
      const match = kind === "missing-partition" ? /^topics\/([^/]+)\/(\d+)$/.exec(file) : null;
      if (match === null) continue;
      places.push({ topic: match[1]!, partition: Number(match[2]) });
      this.#options.onRepair({ file, position, bytes, kind, detail: `${detail}; it begins anew, empty` });
    }
    return places;
  }
}

function placeOf({ file, position }: Finding): string {
  return `${file}@${position}`;
}

/** Builds the segment's index, as any reader's search does. What the disk refuses remains a finding. */
async function readIfPossible(log: PartitionLog, offset: number): Promise<void> {
  try {
    await log.span(offset, log.endOffset, 1, true);
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError && thrown.retriable)) throw thrown;
  }
}
