/**
 * Opens a storage engine by its URL, and everything under it.
 *
 *   DIR, file:DIR   files in a directory: lock, identity, state, the Go Obelisk's data if there is any, engine
 *   memory:         nothing on disk; everything ends with the process
 *
 * What is opened is closed by `engine.close()` alone.
 */

import type { Clock } from "../base/clock.ts";
import type { Files } from "../base/files.ts";
import type { Log } from "../base/log.ts";
import type { Finding, StorageEngine } from "./contract.ts";
import { DataDirectory, randomClusterId } from "./file/data-directory.ts";
import { FileEngine } from "./file/engine.ts";
import { hasGoData, importGoData } from "./file/go-import.ts";
import { openStateFile } from "./file/state-file.ts";
import { MemoryEngine } from "./memory/engine.ts";

const MEMORY_URL = "memory:";
const FILE_PREFIX = "file:";

export interface StorageOptions {
  files: Files;
  clock: Clock;
  log: Log;
  nodeId: number;
  pid: number;
  newId: () => string;
  segmentBytesMax: number;
  segmentAgeMsMax: number;
  openFilesMax: number;
}

export interface OpenedStorage {
  engine: StorageEngine;
  clusterId: string;
  /** What opening found and did, before any partition was opened. Partitions add theirs to `engine.findings`. */
  findings: readonly Finding[];
}

/** @throws ObeliskError DATA_DIRECTORY_LOCKED, DATA_DIRECTORY_UNUSABLE, STATE_UNUSABLE, DISK_FULL */
export async function openStorage(url: string, options: StorageOptions): Promise<OpenedStorage> {
  if (url === MEMORY_URL) return { engine: new MemoryEngine(), clusterId: randomClusterId(), findings: [] };
  const path = url.startsWith(FILE_PREFIX) ? url.slice(FILE_PREFIX.length) : url;
  const opened = await openDirectory(path, options);
  if (!hasGoData(options.files, path)) return opened;
  const imported = await importInto(opened, path, options);
  await opened.engine.close();
  const reopened = await openDirectory(path, options);
  return { ...reopened, findings: [...opened.findings, ...imported, ...reopened.findings] };
}

async function openDirectory(path: string, options: StorageOptions): Promise<OpenedStorage> {
  const { files, clock, nodeId, pid } = options;
  const directory = DataDirectory.open(files, path, { nodeId, pid, clock, newClusterId: randomClusterId });
  try {
    const { state, findings } = await openStateFile(files, path);
    const engine = new FileEngine({
      files,
      clock,
      directory,
      state,
      segmentBytesMax: options.segmentBytesMax,
      segmentAgeMsMax: options.segmentAgeMsMax,
      openFilesMax: options.openFilesMax,
    });
    return { engine, clusterId: directory.clusterId, findings: [...directory.findings, ...findings] };
  } catch (thrown) {
    directory.close();
    throw thrown;
  }
}

async function importInto(
  { engine }: OpenedStorage,
  path: string,
  { files, clock, log, newId }: StorageOptions,
): Promise<readonly Finding[]> {
  try {
    const report = await importGoData(files, path, engine, log, { clock, newId });
    return report.findings;
  } catch (thrown) {
    await engine.close();
    throw thrown;
  }
}
