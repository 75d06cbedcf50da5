/** Showing a planned change of a group's offsets, and committing it. */

import { ObeliskError, toObeliskError } from "../src/base/errors.ts";
import type { Admin } from "../src/client/admin.ts";
import { tableLines } from "./output-table.ts";
import type { OffsetChange } from "./reset-plan.ts";

/** Commits what changes. @throws ObeliskError UNKNOWN_MEMBER_ID while the group has active members */
export async function commitChanges(
  admin: Admin,
  group: string,
  changes: readonly OffsetChange[],
): Promise<void> {
  const moved = changes.filter(({ from, to }) => from !== to);
  try {
    await admin.setGroupOffsets(
      group,
      moved.map(({ topic, partition, to }) => ({ topic, partition, offset: to })),
    );
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.code !== "UNKNOWN_MEMBER_ID" && error.code !== "ILLEGAL_GENERATION") throw error;
    throw groupInUse(group, error);
  }
}

export function groupInUse(group: string, cause?: ObeliskError): ObeliskError {
  return new ObeliskError(
    "UNKNOWN_MEMBER_ID",
    {
      detail: `the group ${group} has active members, which would overwrite the change`,
      remedy: "stop its consumers, then try again",
    },
    cause,
  );
}

export function changeLines(group: string, changes: readonly OffsetChange[]): string[] {
  const offset = (value: number) => (value < 0 ? "none" : `${value}`);
  return [
    `group ${group}`,
    ...tableLines<OffsetChange>(
      [
        { title: "topic", cell: ({ topic }) => topic },
        { title: "partition", isNumber: true, cell: ({ partition }) => `${partition}` },
        { title: "from", isNumber: true, cell: ({ from }) => offset(from) },
        { title: "to", isNumber: true, cell: ({ to }) => offset(to) },
        { title: "", cell: ({ note: text }) => text },
      ],
      changes,
    ),
  ];
}
