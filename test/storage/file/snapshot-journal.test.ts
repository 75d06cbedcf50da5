/** `snapshots.journal` on a disk that fails and loses its power: what somebody was told is found again. */

import { expect, test } from "bun:test";
import { DescriptorPool } from "../../../src/storage/file/pool.ts";
import { ROOM_BYTES_MIN, SnapshotJournal } from "../../../src/storage/file/snapshot-journal.ts";
import { SNAPSHOT_JOURNAL } from "../../../src/storage/file/snapshot-journal-format.ts";
import { FaultyFiles } from "../../support/faulty-files.ts";
import { randomOf } from "../../support/random.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";

const ROOT = "/data";
const PATH = `${ROOT}/${SNAPSHOT_JOURNAL}`;
const ROUNDS = 60;

function newDisk(seed = 1): SimulatedFiles {
  const files = new SimulatedFiles(seed);
  files.makeDirectory(ROOT);
  files.syncDirectory("/");
  return files;
}

function journalOn(files: SimulatedFiles | FaultyFiles): SnapshotJournal {
  const journal = new SnapshotJournal(files, new DescriptorPool(files), ROOT);
  expect(journal.load()).toBe(-1);
  return journal;
}

function entry(name: string, content: string | null) {
  return { name, content: content === null ? null : Buffer.from(content) };
}

test("what was stored is there after a power cut, of each partition the newest", async () => {
  const files = newDisk();
  const journal = journalOn(files);
  await journal.store([entry("a/0", "1"), entry("b/0", "2")]);
  await journal.store([entry("a/0", "3")]);
  const after = journalOn(files.crash());
  expect([after.snapshotOf("a/0"), after.snapshotOf("b/0")].map(String)).toEqual(["3", "2"]);
});

test("a power cut at any moment leaves what was told, or something newer", async () => {
  const first = Math.floor(Math.random() * 1e9);
  for (let seed = first; seed < first + ROUNDS; seed += 1) {
    try {
      await live(seed);
    } catch (thrown) {
      throw new Error(`seed ${seed}`, { cause: thrown });
    }
  }
});

/** Numbers rise; null is stored as well. What is found is at least as new as what was told. */
async function live(seed: number): Promise<void> {
  const random = randomOf(seed);
  let files = newDisk(seed);
  const told = new Map<string, number>();
  let tells = true;
  const history = new Map<string, (string | null)[]>();
  for (let life = 0; life < 4; life += 1) {
    const journal = journalOn(files);
    for (const [name, versions] of history) {
      const found = journal.snapshotOf(name)?.toString() ?? null;
      const at = found === null ? versions.lastIndexOf(null) : versions.indexOf(found);
      expect(at).toBeGreaterThanOrEqual(told.get(name) ?? 0);
      versions.length = at + 1;
      told.set(name, at);
    }
    tells = true;
    for (let step = 0; step < 1 + random() * 30; step += 1) {
      const entries = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, slot) => {
        const name = `t${slot}/${Math.floor(random() * 3)}`;
        const versions = history.get(name) ?? [null];
        history.set(name, versions);
        const content = random() < 0.1 ? null : `${seed}/${versions.length}/${"x".repeat(random() * 40_000)}`;
        versions.push(content);
        return { name, version: versions.length - 1, content };
      });
      const stored = journal.store(entries.map(({ name, content }) => entry(name, content))).then(
        () => {
          if (tells) for (const { name, version } of entries) told.set(name, version);
        },
        () => undefined,
      );
      if (random() < 0.8) await stored;
    }
    tells = false;
    files = files.crash();
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }
}

test("a journal that is full is made anew with what counts, and its file stays small", async () => {
  const files = newDisk();
  const journal = journalOn(files);
  const large = "x".repeat(100_000);
  for (let round = 0; round < 40; round += 1) await journal.store([entry("a/0", `${round}${large}`)]);
  await journal.store([entry("b/0", "small")]);
  expect(files.fileSize(PATH)).toBeLessThan(64 * ROOM_BYTES_MIN);
  const after = journalOn(files.crash());
  expect([after.snapshotOf("a/0"), after.snapshotOf("b/0")].map(String)).toEqual([`39${large}`, "small"]);
  expect(after.bytes).toBe(large.length + 2 + 5);
  await journal.close();
});

test("after a failed sync the group counts for nobody, and the next goes to a new file", async () => {
  const disk = newDisk();
  const files = new FaultyFiles(disk);
  const journal = journalOn(files);
  await journal.store([entry("a/0", "1")]);
  const before = files.identity(PATH);
  files.setFault({ operations: ["sync"], nth: 1, errno: "EIO" });
  await expect(journal.store([entry("a/0", "2")])).rejects.toThrow("EIO");
  expect(String(journal.snapshotOf("a/0"))).toBe("1");
  await journal.store([entry("b/0", "3")]);
  expect(files.identity(PATH)).not.toBe(before);
  const after = journalOn(disk.crash());
  expect([after.snapshotOf("a/0"), after.snapshotOf("b/0")].map(String)).toEqual(["1", "3"]);
});

test("each operation that fails leaves what was stored, and the next attempt succeeds", async () => {
  for (let nth = 1; ; nth += 1) {
    const disk = newDisk();
    const files = new FaultyFiles(disk);
    const journal = journalOn(files);
    await journal.store([entry("a/0", "1")]);
    await journal.close(); // so that the next makes a new file
    files.setFault({ nth, errno: "EIO" });
    const isStored = await journal.store([entry("a/0", "2")]).then(
      () => true,
      () => false,
    );
    const { failed } = files;
    files.setFault(null);
    expect(String(journal.snapshotOf("a/0"))).toBe(isStored ? "2" : "1");
    await journal.store([entry("b/0", "3")]);
    const after = journalOn(disk.crash());
    expect([after.snapshotOf("a/0"), after.snapshotOf("b/0")].map(String)).toEqual([
      isStored ? "2" : "1",
      "3",
    ]);
    expect(disk.list(ROOT)).toEqual([SNAPSHOT_JOURNAL]);
    if (failed === 0) {
      expect(nth).toBeGreaterThan(4);
      return;
    }
  }
});

test("a full disk leaves no room for more groups, and takes what must be stored", async () => {
  const disk = newDisk();
  const files = new FaultyFiles(disk);
  const journal = journalOn(files);
  files.bytesLeft = 5000;
  await journal.store([entry("a/0", "1")]);
  expect(files.fileSize(PATH)).toBe(4096);
  files.bytesLeft = 0;
  await expect(journal.store([entry("a/0", "2")])).rejects.toThrow("ENOSPC");
  expect(String(journalOn(disk.crash()).snapshotOf("a/0"))).toBe("1");
});

test("a topic is forgotten with all its partitions, and no other", async () => {
  const files = newDisk();
  const journal = journalOn(files);
  await journal.store(["a/0", "a/1", "ab/0"].map((name) => entry(name, name)));
  await journal.forgetTopic("a");
  await journal.forgetTopic("unknown");
  const after = journalOn(files.crash());
  expect(["a/0", "a/1", "ab/0"].map((name) => after.snapshotOf(name)?.toString())).toEqual([
    undefined,
    undefined,
    "ab/0",
  ]);
});
