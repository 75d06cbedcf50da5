/** Groups. */

import { type Family, gauge, gaugeBy } from "../family.ts";

export const GROUP_FAMILIES: readonly Family[] = [
  gaugeBy(
    "type",
    "obelisk_groups",
    "Groups that have members, or had, by their protocol.",
    ({ activity }) => activity.groups,
  ),
  gauge(
    "obelisk_committed_offsets",
    "Committed offsets of all groups.",
    ({ activity }) => activity.committedOffsets,
  ),
];
