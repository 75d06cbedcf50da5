/** Every attack, in the order in which they are run. */

import type { Attack } from "../support/attack.ts";
import { connections } from "./connections.ts";
import { damage } from "./damage.ts";
import { readers } from "./readers.ts";
import { entriesTogether, repeatedEntries } from "./repeated-entries.ts";
import { repetition } from "./repetition.ts";
import { turns } from "./turns.ts";
import { writers } from "./writers.ts";

const nobody: Attack = {
  name: "nobody",
  what: "no attack: what the neighbours have from each other and from the machine",
  run: (stage) => stage.wait(stage.size({ full: 10, quick: 4, suite: 1 })),
};

const others = [...writers, ...readers, ...turns, ...damage, ...connections];

export const ATTACKS: readonly Attack[] = [nobody, ...repetition, ...repeatedEntries, ...others];

/** Each a little different from one that the suite runs. */
const SCRIPT_ONLY = new Set([
  "nobody",
  "metadata-3000",
  "metadata-ids",
  "native-writers-slow",
  "readers-50",
  "damage-empty-heads",
  "inflating-gzip-large",
  "inflating-zstd-large",
  "inflating-gzip-small",
  "inflating-lz4-small",
]);

/** What the tests run: fewer, and all repeated entries on one server. */
export const SUITE: readonly Attack[] = [...repetition, entriesTogether, ...others].filter(
  ({ name }) => !SCRIPT_ONLY.has(name),
);
