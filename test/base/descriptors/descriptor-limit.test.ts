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
  const before = openDescriptors(disk);
  const opened = Array.from({ length: 100 }, () => disk.open("/dev/null", "read"));
  const most = openDescriptors(disk);
  for (const each of opened) disk.close(each);
  console.log(most - before + " more, " + (openDescriptors(disk) - before) + " more");
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

test.skipIf(process.platform !== "linux")("this system tells how many are open (Linux alone does)", () => {
  expect(printedAlone(COUNT)).toBe("100 more, 0 more\n");
  expect(openDescriptors({ exists: () => false, list: () => [] })).toBe(null);
});
