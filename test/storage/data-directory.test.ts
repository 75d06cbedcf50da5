/** The directory as a whole: who owns it, who it is, how it was left, and what is said when it cannot be used. */

import { afterAll, afterEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { createDisk } from "../../src/base/disk.ts";
import { ObeliskError } from "../../src/base/errors.ts";
import {
  DataDirectory,
  type DataDirectoryOptions,
  randomClusterId,
} from "../../src/storage/file/data-directory.ts";
import { decodeIdentity, encodeIdentity } from "../../src/storage/file/identity.ts";
import { SimulatedFiles } from "../support/simulated-files.ts";

const files = createDisk();
const root = mkdtempSync(join(tmpdir(), "obelisk-directory-"));
const options: DataDirectoryOptions = {
  nodeId: 1,
  pid: 4711,
  clock: { ...systemClock, nowMs: () => 1_700_000_000_000 },
  newClusterId: () => "mkLKaTTNRFKD8gI0xEyUfw",
};
const path = join(root, "data");
const identityFile = join(path, "obelisk.json");

afterEach(() => rmSync(path, { recursive: true, force: true }));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("a missing directory is created, with an identity that is not clean yet", () => {
  using directory = opened();
  expect(directory.value.clusterId).toBe("mkLKaTTNRFKD8gI0xEyUfw");
  expect(directory.value.isClean).toBe(false);
  expect(directory.value.findings).toEqual([]);
  expect(readFileSync(identityFile, "utf8")).toBe(`{
  "formatVersion": 1,
  "clusterId": "mkLKaTTNRFKD8gI0xEyUfw",
  "nodeId": 1,
  "cleanShutdown": false,
  "createdAt": "2023-11-14T22:13:20.000Z",
  "checksum": "${JSON.parse(readFileSync(identityFile, "utf8")).checksum}"
}
`);
});

test("a power cut does not take a directory that was created, nor those above it", () => {
  for (const wasMade of [false, true]) {
    const disk = new SimulatedFiles(1);
    if (wasMade) disk.makeDirectory("/var/lib/obelisk"); // by a start that was killed
    if (wasMade) disk.syncDirectory("/");
    if (wasMade) disk.syncDirectory("/var");
    DataDirectory.open(disk, "/var/lib/obelisk", options).close();
    expect([wasMade, disk.crash().exists("/var/lib/obelisk/obelisk.json")]).toEqual([wasMade, true]);
  }
});

test("the clean-shutdown flag is on disk and the identity stays over reopening", () => {
  {
    using directory = opened();
    directory.value.markClean();
    expect(directory.value.isClean).toBe(true);
  }
  using again = opened({ ...options, newClusterId: () => "BBBBBBBBBBBBBBBBBBBBBB" });
  expect(again.value.clusterId).toBe("mkLKaTTNRFKD8gI0xEyUfw");
  expect(again.value.isClean).toBe(true);
  again.value.markDirty();
  expect(JSON.parse(readFileSync(identityFile, "utf8")).cleanShutdown).toBe(false);
});

test("a second owner is refused with the pid of the first, until the first releases it", () => {
  const first = DataDirectory.open(files, path, options);
  expect(failure(() => DataDirectory.open(files, path, { ...options, pid: 1 }))).toEqual([
    "DATA_DIRECTORY_LOCKED",
    `the data directory ${path} belongs to a running server (pid 4711); stop it first, or use another directory with --data`,
  ]);
  first.close();
  first.close();
  DataDirectory.open(files, path, options).close();
});

test("a file in the place of the directory is refused", () => {
  writeFileSync(path, "in the way");
  expect(failure(() => DataDirectory.open(files, path, options))).toEqual([
    "DATA_DIRECTORY_UNUSABLE",
    `${path} is not a directory; move that file away, or use another directory with --data`,
  ]);
});

test.skipIf(process.getuid?.() === 0)(
  "a directory without write permission is refused (not as root, who may write anywhere)",
  () => {
    DataDirectory.open(files, path, options).close();
    rmSync(join(path, "lock"));
    chmodSync(path, 0o555);
    expect(failure(() => DataDirectory.open(files, path, options))).toEqual([
      "DATA_DIRECTORY_UNUSABLE",
      `no permission to write to the data directory ${path}; give this user the right to write there, or use another directory with --data`,
    ]);
  },
);

test("each refusal of the system becomes one line with its remedy", () => {
  for (const [errno, text] of [
    ["EACCES", "no permission to write"],
    ["EROFS", "read-only file system"],
    ["EIO", "cannot be used: input/output error (EIO)"],
  ] as const) {
    const broken = Object.create(files, {
      makeDirectory: { value: () => raise(errno) },
    });
    const [code, message] = failure(() => DataDirectory.open(broken, path, options));
    expect(code).toBe("DATA_DIRECTORY_UNUSABLE");
    expect(message).toContain(text);
    expect(message).not.toContain("\n");
  }
  const full = Object.create(files, { makeDirectory: { value: () => raise("ENOSPC") } });
  expect(failure(() => DataDirectory.open(full, path, options))[0]).toBe("DISK_FULL");
});

test("a newer format is refused and left alone", () => {
  DataDirectory.open(files, path, options).close();
  const newer = encodeIdentity({ ...identity(), formatVersion: 2 });
  writeFileSync(identityFile, newer.toString());
  expect(failure(() => DataDirectory.open(files, path, options))).toEqual([
    "DATA_DIRECTORY_UNUSABLE",
    `the data directory ${path} has format 2, and this Obelisk knows formats up to 1; use the newer Obelisk that wrote it`,
  ]);
  expect(readFileSync(identityFile, "utf8")).toBe(newer.toString());
});

test("another node's directory is refused, and the lock is free again", () => {
  DataDirectory.open(files, path, options).close();
  expect(failure(() => DataDirectory.open(files, path, { ...options, nodeId: 2 }))[1]).toBe(
    `the data directory ${path} belongs to node 1, and this is node 2; set the node id back, or use another directory with --data`,
  );
  DataDirectory.open(files, path, options).close();
});

test("every flipped bit and every truncation of the identity is found", () => {
  const whole = encodeIdentity(identity());
  expect(decodeIdentity(whole)).toEqual({ kind: "valid", identity: identity() });
  for (let bit = 0; bit < whole.length * 8; bit += 1) {
    const flipped = Buffer.from(whole);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    expect(decodeIdentity(flipped).kind).toBe("damaged");
  }
  for (let bytes = 0; bytes < whole.length; bytes += 1) {
    expect(decodeIdentity(whole.subarray(0, bytes)).kind).toBe("damaged");
  }
});

test("a damaged identity goes to quarantine and a new one is written, with the cluster id if that can be read", () => {
  DataDirectory.open(files, path, options).close();
  const damaged = readFileSync(identityFile, "utf8").replace("2023", "2024");
  writeFileSync(identityFile, damaged);
  using directory = opened({ ...options, newClusterId: () => "BBBBBBBBBBBBBBBBBBBBBB" });
  expect(directory.value.clusterId).toBe("mkLKaTTNRFKD8gI0xEyUfw");
  expect(directory.value.findings).toEqual([
    {
      file: "obelisk.json",
      position: 0,
      bytes: damaged.length,
      kind: "damaged-state",
      detail: "checksum mismatch; moved to quarantine/obelisk.json-1, the cluster id was kept",
    },
  ]);
  expect(readFileSync(join(path, "quarantine/obelisk.json-1"), "utf8")).toBe(damaged);
  expect(readdirSync(join(path, "quarantine")).sort()).toEqual(["obelisk.json-1", "obelisk.json-1.txt"]);
});

test("an identity that cannot be read at all costs the cluster id", () => {
  DataDirectory.open(files, path, options).close();
  writeFileSync(identityFile, "");
  using directory = opened({ ...options, newClusterId: () => "BBBBBBBBBBBBBBBBBBBBBB" });
  expect(directory.value.clusterId).toBe("BBBBBBBBBBBBBBBBBBBBBB");
  expect(directory.value.findings[0]?.detail).toBe(
    "it is not a JSON object; moved to quarantine/obelisk.json-1, a new cluster id was made",
  );
});

test("a cluster id is a uuid of version 4 in 22 letters", () => {
  const id = randomClusterId();
  expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
  expect(Buffer.from(id, "base64url").toString("hex")).toMatch(/^.{12}4.{3}[89ab].{15}$/);
});

function identity() {
  return {
    formatVersion: 1,
    clusterId: "mkLKaTTNRFKD8gI0xEyUfw",
    nodeId: 1,
    cleanShutdown: true,
    createdAt: "2023-11-14T22:13:20.000Z",
  };
}

function opened(given = options) {
  const value = DataDirectory.open(files, path, given);
  return { value, [Symbol.dispose]: () => value.close() };
}

function failure(work: () => unknown): [string, string] {
  try {
    work();
  } catch (error) {
    if (error instanceof ObeliskError) return [error.code, error.message];
    throw error;
  }
  throw new Error("nothing was thrown");
}

function raise(code: string): never {
  throw Object.assign(new Error(`${code} from the disk`), { code });
}
