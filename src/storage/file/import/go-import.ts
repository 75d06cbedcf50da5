/**
 * Takes over what a Go Obelisk left in the data directory, at start, before anything else opens the topics.
 *
 *   topics/TOPIC.log     ->  partition 0 of TOPIC, offsets from 0       then renamed to TOPIC.log.imported (.idx too)
 *   consumers/NAME.json  ->  committed offsets of group NAME            then renamed to NAME.json.imported
 *
 * Order for each topic, so that a crash at any point repeats work and never doubles or loses a message:
 *
 *     1. "import/TOPIC" {step: "copying"}      a partition found in this step is deleted and copied again
 *     2. records appended, all of them synced
 *     3. in one transaction: "topic/TOPIC", the groups' offsets, "import/TOPIC" {step: "stored"}
 *     4. files renamed, the entry removed       found "stored": only this step is left
 *
 * Choices: an empty key becomes a null key, because a Go client without a key sends an empty one; an empty value stays empty.
 * Damaged frames are left out and named, and saved offsets still point to the message that they meant (go-offset-map.ts). An
 * offset after the log's end becomes its end. Offsets of topics without a log are taken over as they are.
 *
 * Left alone, with a finding: a topic that exists here already (two histories are never mixed), a topic name that Kafka's
 * rules do not allow, a file that cannot be read. What fails (a full disk) is undone for that topic and tried again at the next start.
 */

import type { Clock } from "../../../base/clock.ts";
import { errnoOf, ObeliskError, toObeliskError } from "../../../base/errors.ts";
import type { Files } from "../../../base/files.ts";
import type { Log } from "../../../base/log.ts";
import { systemReason } from "../../../base/system-error.ts";
import { MiB } from "../../../base/units.ts";
import type { Finding, RecoveryListener, StateChange, StorageEngine } from "../../contract.ts";
import { isTopicName } from "../../names.ts";
import { PartitionCopy } from "./go-copy.ts";
import { type GoOffsets, readGoOffsets, scanGoLog } from "./go-files.ts";
import { GoOffsetMap } from "./go-offset-map.ts";

/** How much may wait for a sync; also how often other work of the process gets a turn. */
const SYNC_BYTES = 16 * MiB;
const IMPORTED_SUFFIX = ".imported";

export interface ImportOptions {
  clock: Clock;
  /** A fresh uuid as the broker gives its topics. */
  newId: () => string;
}

export interface ImportedTopic {
  topic: string;
  messages: number;
  /** Bytes of the Go log that were no message. */
  damagedBytes: number;
}

export interface ImportedOffset {
  group: string;
  topic: string;
  /** As the Go Obelisk saved it, and as it is now. */
  saved: number;
  offset: number;
}

export interface ImportReport {
  topics: ImportedTopic[];
  offsets: ImportedOffset[];
  /** Damage that was passed over, and files that were left alone. */
  findings: Finding[];
}

/** Whether `importGoData` has anything to do; cheap. */
export function hasGoData(files: Files, directory: string): boolean {
  return listTopics(files, directory).length > 0 || listConsumers(files, directory).length > 0;
}

/**
 * Imports everything. The engine must not have been used for these topics before; close it and open a fresh one afterwards, so
 * that the broker recovers the partitions itself.
 * @throws ObeliskError STATE_UNUSABLE, and what the engine throws when it cannot take back a copy that failed
 */
export async function importGoData(
  files: Files,
  directory: string,
  engine: StorageEngine,
  log: Log,
  options: ImportOptions,
): Promise<ImportReport> {
  return await new GoImport(files, directory, engine, log, options).run();
}

interface SavedOffset {
  group: string;
  number: number;
}

class GoImport {
  readonly #files: Files;
  readonly #directory: string;
  readonly #engine: StorageEngine;
  readonly #log: Log;
  readonly #options: ImportOptions;
  readonly #report: ImportReport = { topics: [], offsets: [], findings: [] };
  /** Topics whose Go files stay, and topics whose offsets are imported. */
  readonly #leftAlone = new Set<string>();
  readonly #completed = new Set<string>();

  constructor(files: Files, directory: string, engine: StorageEngine, log: Log, options: ImportOptions) {
    this.#files = files;
    this.#directory = directory;
    this.#engine = engine;
    this.#log = log;
    this.#options = options;
  }

  async run(): Promise<ImportReport> {
    const consumers = this.#readConsumers();
    await this.#finishRenames();
    for (const topic of listTopics(this.#files, this.#directory)) {
      const file = `topics/${topic}.log`;
      const obstacle = await this.#obstacle(topic);
      if (obstacle === null) await this.#importTopic(topic, file, savedFor(consumers, topic));
      else this.#leaveAlone(topic, file, obstacle);
    }
    await this.#importRemainingOffsets(consumers);
    this.#renameConsumers(consumers);
    return this.#report;
  }

  #readConsumers(): Map<string, Map<string, number>> {
    const consumers = new Map<string, Map<string, number>>();
    for (const name of listConsumers(this.#files, this.#directory)) {
      const file = `consumers/${name}.json`;
      const read = this.#readOffsets(file);
      if (read === null) continue;
      if ("offsets" in read) consumers.set(name, read.offsets);
      else this.#find(file, this.#files.fileSize(`${this.#directory}/${file}`), "damaged-state", read.fault);
    }
    return consumers;
  }

  /** Null on a read error: its offsets are imported by a start that can read them. */
  #readOffsets(file: string): GoOffsets | null {
    try {
      return readGoOffsets(this.#files, `${this.#directory}/${file}`);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined || !(thrown instanceof Error)) throw thrown;
      this.#find(file, 0, "unreadable", `${systemReason(thrown)}; the next start tries again`);
      return null;
    }
  }

  /** Step 4 of topics that a crash interrupted there. */
  async #finishRenames(): Promise<void> {
    for (const { key, value } of await this.#engine.state.list("import/")) {
      if (stepOf(value) === "stored") await this.#retire(key.slice("import/".length));
    }
  }

  async #obstacle(topic: string): Promise<string | null> {
    if (!isTopicName(topic)) return "its name is not a legal topic name, so it is not imported";
    const { state } = this.#engine;
    const progress = await state.get(`import/${topic}`);
    const isKnown = (await state.get(`topic/${topic}`)) !== null;
    const isStored = this.#engine.stored().some((stored) => stored.topic === topic);
    if (!isKnown && (!isStored || progress !== null)) return null;
    if (progress !== null) await state.change([{ key: progress.key, value: null }]);
    return "a topic of this name exists already, so it is not imported";
  }

  async #importTopic(topic: string, file: string, saved: readonly SavedOffset[]): Promise<void> {
    try {
      await this.#discardCopy(topic);
      await this.#engine.state.change([
        { key: `import/${topic}`, value: JSON.stringify({ step: "copying" }) },
      ]);
      const { map, damagedBytes } = await this.#copy(topic, file);
      await this.#publish(topic, map, saved);
      this.#report.topics.push({ topic, messages: map.count, damagedBytes });
      this.#log.info("imported a topic of the Go Obelisk", { topic, messages: map.count, damagedBytes });
    } catch (error) {
      // Whether "topic/TOPIC" is durable is unknown then: the copy must stay until the next start has checked.
      if (!isRefusal(error) || (error instanceof ObeliskError && error.code === "STATE_UNUSABLE"))
        throw error;
      await this.#discardCopy(topic);
      const reason = toObeliskError(error).message;
      this.#leaveAlone(topic, file, `it could not be imported: ${reason}; the next start tries again`);
      return;
    }
    this.#completed.add(topic);
    await this.#retire(topic);
  }

  /** Only ever called while "topic/TOPIC" does not exist: what is stored then is a copy that was not finished. */
  async #discardCopy(topic: string): Promise<void> {
    if (!this.#engine.stored().some((stored) => stored.topic === topic)) return;
    await this.#engine.detach(topic);
    await this.#engine.discard(topic);
    await this.#engine.release(topic);
  }

  async #copy(topic: string, file: string): Promise<{ map: GoOffsetMap; damagedBytes: number }> {
    const target = new PartitionCopy(this.#engine, await this.#engine.open(topic, 0, NO_LISTENER));
    const map = new GoOffsetMap();
    let damagedBytes = 0;
    for (const { frame, finding } of scanGoLog(this.#files, `${this.#directory}/${file}`, file, topic)) {
      if (finding !== null) {
        this.#report.findings.push(finding);
        if (finding.file === file) damagedBytes += finding.bytes;
        continue;
      }
      map.record(frame.number);
      target.add(frame);
      if (target.unsyncedBytes >= SYNC_BYTES) await target.sync();
    }
    await target.finish(map.count);
    return { map, damagedBytes };
  }

  async #publish(topic: string, map: GoOffsetMap, saved: readonly SavedOffset[]): Promise<void> {
    const { clock, newId } = this.#options;
    const configs = { "retention.ms": "-1" }; // what a Go Obelisk kept is old, and nobody has asked for its end
    const topicState = { id: newId(), partitions: 1, configs, createdAtMs: clock.nowMs() };
    const changes: StateChange[] = [
      { key: `topic/${topic}`, value: JSON.stringify(topicState) },
      { key: `import/${topic}`, value: JSON.stringify({ step: "stored" }) },
    ];
    const imported: ImportedOffset[] = [];
    for (const { group, number } of saved) {
      const offset = map.offsetOf(number);
      changes.push(this.#offsetChange(group, topic, offset));
      imported.push({ group, topic, saved: number, offset });
    }
    await this.#engine.state.change(changes);
    this.#report.offsets.push(...imported);
  }

  async #retire(topic: string): Promise<void> {
    for (const suffix of [".log", ".idx"])
      retireFile(this.#files, `${this.#directory}/topics/${topic}${suffix}`);
    this.#files.syncDirectory(`${this.#directory}/topics`);
    await this.#engine.state.change([{ key: `import/${topic}`, value: null }]);
  }

  /** Of topics that have no log here (any more). An offset that a group has already is never set back. */
  async #importRemainingOffsets(consumers: ReadonlyMap<string, ReadonlyMap<string, number>>): Promise<void> {
    for (const [group, offsets] of consumers) {
      for (const [topic, offset] of offsets) {
        if (this.#completed.has(topic) || this.#leftAlone.has(topic)) continue;
        const change = this.#offsetChange(group, topic, offset);
        const isNew = await this.#engine.state.change([{ ...change, expectedVersion: 0 }]);
        if (isNew) this.#report.offsets.push({ group, topic, saved: offset, offset });
      }
    }
  }

  #offsetChange(group: string, topic: string, offset: number): StateChange {
    const value = { offset, leaderEpoch: -1, metadata: "", committedAtMs: this.#options.clock.nowMs() };
    const key = `offset/${encodeURIComponent(group)}/${encodeURIComponent(topic)}/0`;
    return { key, value: JSON.stringify(value) };
  }

  #renameConsumers(consumers: ReadonlyMap<string, ReadonlyMap<string, number>>): void {
    let hasRenamed = false;
    for (const [group, offsets] of consumers) {
      const file = `consumers/${group}.json`;
      const waiting = [...offsets.keys()].find((topic) => this.#leftAlone.has(topic));
      if (waiting !== undefined) {
        const bytes = this.#files.fileSize(`${this.#directory}/${file}`);
        this.#find(file, bytes, "unknown-file", `it stays, because topic ${waiting} was not imported`);
        continue;
      }
      retireFile(this.#files, `${this.#directory}/${file}`);
      hasRenamed = true;
    }
    if (hasRenamed) this.#files.syncDirectory(`${this.#directory}/consumers`);
    const { offsets } = this.#report;
    if (offsets.length > 0)
      this.#log.info("imported saved offsets of the Go Obelisk", { offsets: offsets.length });
  }

  #leaveAlone(topic: string, file: string, reason: string): void {
    this.#leftAlone.add(topic);
    this.#find(file, this.#files.fileSize(`${this.#directory}/${file}`), "unknown-file", reason);
  }

  #find(file: string, bytes: number, kind: Finding["kind"], detail: string): void {
    this.#report.findings.push({ file, position: 0, bytes, kind, detail });
    this.#log.warn("a file of the Go Obelisk was left alone", { file, reason: detail });
  }
}

const NO_LISTENER: RecoveryListener = {
  restore: () => undefined,
  replay: () => undefined,
  lost: () => undefined,
};

function listTopics(files: Files, directory: string): string[] {
  return listStems(files, `${directory}/topics`, ".log");
}

function listConsumers(files: Files, directory: string): string[] {
  return listStems(files, `${directory}/consumers`, ".json");
}

function listStems(files: Files, directory: string, suffix: string): string[] {
  if (!files.exists(directory)) return [];
  const names = files.list(directory).filter((name) => name.endsWith(suffix) && name.length > suffix.length);
  return names.map((name) => name.slice(0, -suffix.length));
}

function savedFor(consumers: ReadonlyMap<string, ReadonlyMap<string, number>>, topic: string): SavedOffset[] {
  const saved: SavedOffset[] = [];
  for (const [group, offsets] of consumers) {
    const number = offsets.get(topic);
    if (number !== undefined) saved.push({ group, number });
  }
  return saved;
}

function stepOf(value: string): unknown {
  const progress: unknown = JSON.parse(value);
  return typeof progress === "object" && progress !== null && "step" in progress ? progress.step : undefined;
}

/** Whether the error is of the system or the disk, as opposed to a bug of ours. */
function isRefusal(error: unknown): boolean {
  return error instanceof ObeliskError || errnoOf(error) !== undefined;
}

/** Gives an imported file its new name; an older one of that name is not overwritten. */
function retireFile(files: Files, path: string): void {
  if (!files.exists(path)) return;
  let target = path + IMPORTED_SUFFIX;
  for (let number = 2; files.exists(target); number += 1) target = `${path}${IMPORTED_SUFFIX}-${number}`;
  files.rename(path, target);
}
