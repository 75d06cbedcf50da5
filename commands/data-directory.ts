/** The data directory that the offline commands open: the one named, else the setting's (file or variable), else ./data. */

import { createDisk } from "../src/base/disk.ts";
import { loadSettings } from "../src/config/load.ts";
import { checkVariables } from "../src/config/variables.ts";
import { usage } from "./arguments.ts";

/** @throws ConfigErrors when a variable is misspelt, or the setting is needed and wrong; ObeliskError INVALID_USAGE when nothing is kept on a disk */
export function dataDirectory(named: string | undefined): string {
  checkVariables(process.env);
  const address =
    named ??
    loadSettings({ flags: {}, env: process.env, cwd: process.cwd(), files: createDisk(), only: ["data"] })
      .settings.data;
  if (address === "memory:") throw usage("`memory:` keeps nothing on a disk", "name a directory");
  return address.replace(/^file:/, "").replace(/(?<=.)\/+$/, "");
}
