import { expect, test } from "bun:test";
import { join } from "node:path";
import { openDescriptors } from "../../../src/base/descriptors/descriptor-limit.ts";
import { printedAlone } from "../../support/own-process.ts";

const PRINT = `
  import { descriptorLimit } from ${JSON.stringify(join(import.meta.dir, "../../../src/base/descriptors/descriptor-limit.ts"))};
  console.log(descriptorLimit());
`;

const COUNT = `
  import { openDescriptors } from "SRC/base/descriptors/descriptor-limit.ts";
  import { createDisk } from "SRC/base/disk.ts";
  const disk = createDisk();
  const counts = async () => {
    const told = await openDescriptors(disk);
    const listed = await openDescriptors({ exists: () => true, fileSize: () => 0, listLater: (path) => disk.listLater(path) });
    return [told, listed];
  };
  await counts(); // the pool's own
  const before = await counts();
  const opened = Array.from({ length: 100 }, () => disk.open("/dev/null", "read"));
  const most = await counts();
  for (const each of opened) disk.close(each);
  const after = await counts();
  console.log(JSON.stringify([most, after].map((all) => all.map((count, index) => count - before[index]))), before[0] - before[1]);
`;

test.skipIf(process.platform === "win32")(
  "the limit is the one that the process was started with (ulimit)",
  () => {
    for (const limit of [64, 1000]) {
      const command = ["sh", "-c", `ulimit -n ${limit} && exec "$@"`, "sh", process.execPath, "-e", PRINT];
      expect(Bun.spawnSync(command).stdout.toString()).toBe(`${limit}\n`);
    }
  },
);

test.skipIf(process.platform !== "linux")(
  "this system tells how many are open, or lists them (Linux alone does)",
  async () => {
    expect(printedAlone(COUNT)).toBe("[[100,100],[0,0]] 0\n");
    const nowhere = { exists: () => false, fileSize: () => 0, listLater: async () => [] };
    expect(await openDescriptors(nowhere)).toBe(null);
  },
);
