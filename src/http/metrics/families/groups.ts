/**
 * Groups, and how far they are behind: those that lag most by name, all others together as "(other)". A lag that is not known has no
 * sample, where none would be told as 0; `obelisk_group_lag_unknown_partitions` says of how many partitions it is not.
 */

import type { GroupLagTotal } from "../../../consumer/group-lag.ts";
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
  byGroup("obelisk_group_lag", "Offsets that the group is behind, over its partitions.", ({ lag }) => lag),
  byGroup(
    "obelisk_group_lag_max",
    "The same of the partition that is furthest behind.",
    ({ lagMax }) => lagMax,
  ),
  byGroup(
    "obelisk_group_lag_unknown_partitions",
    "Partitions with a committed offset whose lag is not known: it is gone, cannot be read, or has no place committed.",
    ({ unknown }) => unknown,
  ),
  gauge(
    "obelisk_groups_summed",
    'Groups that are told together, as group="(other)": metrics-groups-max says how many have names.',
    ({ lags }) => lags.otherGroups,
  ),
];

function byGroup(name: string, help: string, read: (total: GroupLagTotal) => number | null): Family {
  return gaugeBy("group", name, help, function* ({ lags }) {
    const told = lags.otherGroups > 0 ? [...lags.named, lags.other] : lags.named;
    for (const total of told) {
      const value = read(total);
      if (value !== null) yield [total.group, value];
    }
  });
}
