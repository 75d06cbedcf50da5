/** What the routes of groups are built from. */

import type { GroupLag } from "../../consumer/group-lag.ts";
import type { Groups } from "../../consumer/groups.ts";
import type { HeartbeatGroups } from "../../consumer/heartbeat-groups/heartbeat-groups.ts";
import type { GroupOffsets } from "../../consumer/offsets.ts";

export interface GroupParts {
  /** Groups of any kind by their names; classic ones whole. */
  groups: Groups;
  /** Those of the consumer protocol. */
  heartbeatGroups: HeartbeatGroups;
  offsets: GroupOffsets;
  groupLag: GroupLag;
}
