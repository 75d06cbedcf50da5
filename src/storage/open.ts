/**
 * Opens a storage engine by its address:
 *
 *     file:DIR or DIR     a data directory: lock, identity, state, then the Go Obelisk's files are imported, then the engine;
 *                         on a full disk the reserve makes way for all this
 *     memory:             nothing is kept
 *
 * The engine owns what was opened for it: its `close` closes the state and gives up the directory. When a part cannot be
 * opened, those before it are closed again.
 */

import type { Clock } from "../base/clock.ts";
import type { FileBounds } from "../base/descriptors/descriptor-budget.ts";
import { errnoOf, ObeliskError } from "../base/errors.ts";
import type { Files } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import type { Finding, FindingListener, StorageEngine } from "./contract.ts";
import { DataDirectory, randomClusterId } from "./file/data-directory.ts";
import { FileEngine } from "./file/engine.ts";
import { importGoDirectory } from "./file/import/go-directory.ts";
import type { ImportReport } from "./file/import/go-import.ts";
import { Reserve } from "./file/reserve.ts";
import { openStateFile } from "./file/state/state-file.ts";
import { MemoryEngine } from "./memory/engine.ts";

export interface StorageOptions {
  files: Files;
  clock: Clock;
  log: Log;
  /** This server's node id; a data directory of another one is refused. */
  nodeId: number;
  pid: number;
  /** A fresh uuid as the broker gives its topics. */
  newId: () => string;
  segmentBytesMax?: number;
  segmentAgeMsMax?: number;
  indexIntervalBytes?: number;
  /** How many segment files may be open. */
  fileBounds?: FileBounds;
  fileIdleMs?: number;
  canSyncInPlace?: boolean;
  canSyncContinuously?: boolean;
  /** Called for each finding of the engine when it is made: at the start, and when a reader meets damage later. */
  onFinding?: FindingListener;
  /** The limit of `memory:`. */
  memoryBytesMax?: number;
}

export interface OpenedStorage {
  engine: StorageEngine;
  clusterId: string;
  /** What opening found before there was an engine to tell: identity, state, the Go Obelisk's files. */
  findings: readonly Finding[];
  /** What was taken over from a Go Obelisk; null when there was nothing. */
  imported: ImportReport | null;
}

const FILE_SCHEME = "file:";
const MEMORY_ADDRESS = "memory:";

/**
 * @throws ObeliskError INVALID_SETTING for an address that is none, DATA_DIRECTORY_LOCKED, DATA_DIRECTORY_UNUSABLE,
 * STATE_UNUSABLE, DISK_FULL
 */
export async function openStorage(address: string, options: StorageOptions): Promise<OpenedStorage> {
  if (address === MEMORY_ADDRESS) return openMemory(options);
  const path = parseFileAddress(address);
  const directory = DataDirectory.open(options.files, path, { ...options, newClusterId: randomClusterId });
  try {
    return await openInto(directory, options);
  } catch (thrown) {
    directory.close();
    if (errnoOf(thrown) === undefined) throw thrown;
    throw new ObeliskError("DATA_DIRECTORY_UNUSABLE", { file: path }, thrown);
  }
}

function openMemory(options: StorageOptions): OpenedStorage {
  const { memoryBytesMax } = options;
  const engine = new MemoryEngine(memoryBytesMax === undefined ? {} : { bytesMax: memoryBytesMax });
  return { engine, clusterId: randomClusterId(), findings: [], imported: null };
}

/** The directory of an address; an unknown scheme is an error, not a directory of that name. */
function parseFileAddress(address: string): string {
  const path = address.startsWith(FILE_SCHEME) ? address.slice(FILE_SCHEME.length) : address;
  const isOther = !address.startsWith(FILE_SCHEME) && /^[a-z][a-z0-9+]+:/i.test(address);
  if (path !== "" && !isOther) return path.length > 1 ? path.replace(/\/+$/, "") || "/" : path;
  throw new ObeliskError("INVALID_SETTING", {
    detail: `there is no storage at ${JSON.stringify(address)}`,
    remedy: "name a directory, file:DIRECTORY or memory:",
  });
}

async function openInto(directory: DataDirectory, options: StorageOptions): Promise<OpenedStorage> {
  const { files, log } = options;
  const reserve = new Reserve(files, directory.path);
  reserve.release();
  const { state, findings } = await openStateFile(files, directory.path, directory.isClean);
  try {
    const imported = await importGoDirectory(files, directory, state, log, options);
    const engine = new FileEngine({ ...options, directory, state, reserve });
    reserve.fill();
    const found = [...directory.findings, ...findings, ...(imported?.findings ?? [])];
    return { engine, clusterId: directory.clusterId, findings: found, imported };
  } catch (thrown) {
    await state.close();
    throw thrown;
  }
}
