/** Every attack, in the order in which they are run. */

import type { Attack } from "../support/attack.ts";
import { connections } from "./connections.ts";
import { damage } from "./damage.ts";
import { readers } from "./readers.ts";
import { repetition } from "./repetition.ts";
import { turns } from "./turns.ts";
import { writers } from "./writers.ts";

const nobody: Attack = {
  name: "nobody",
  what: "no attack: what the neighbours have from each other and from the machine",
  run: (stage) => stage.wait(stage.size({ full: 10, quick: 4, suite: 1 })),
};

export const ATTACKS: readonly Attack[] = [
  nobody,
  ...repetition,
  ...writers,
  ...readers,
  ...turns,
  ...damage,
  ...connections,
];
