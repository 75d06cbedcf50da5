import { expect, test } from "bun:test";
import { join } from "node:path";
import { openDescriptors } from "../../../src/base/descriptors/descriptor-limit.ts";
import { createDisk } from "../../../src/base/disk.ts";

const PRINT = `
  import { descriptorLimit } from ${JSON.stringify(join(import.meta.dir, "../../../src/base/descriptors/descriptor-limit.ts"))};
  console.log(descriptorLimit());
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
  const disk = createDisk();
  const before = openDescriptors(disk)!;
  const opened = disk.open("/dev/null", "read");
  expect(openDescriptors(disk)).toBe(before + 1);
  disk.close(opened);
  expect(openDescriptors({ exists: () => false, list: () => [] })).toBe(null);
});
