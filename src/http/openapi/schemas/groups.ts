/** Groups, as they are listed and described, and their resets. */

import { type TSchema, Type } from "@sinclair/typebox";
import { COUNT, nullable, OFFSET, PARTITION, PLACE, PLACED_OFFSET } from "./common.ts";
import { LAG } from "./topics.ts";

const STATE = Type.String({
  description:
    "Empty, Stable, Dead; classic groups PreparingRebalance and CompletingRebalance, others Assigning and Reconciling.",
});
const TYPE = Type.Union([Type.Literal("classic"), Type.Literal("consumer")]);
const IS_LAG_COMPLETE = Type.Boolean({ description: "False: the lag is at least so much." });

export const GROUPS_PAGE: TSchema = Type.Object(
  {
    groups: Type.Array(
      Type.Object(
        {
          group: Type.String(),
          type: TYPE,
          state: STATE,
          protocolType: Type.String(),
          members: COUNT,
          lag: LAG,
          isLagComplete: IS_LAG_COMPLETE,
        },
        { title: "ListedGroup" },
      ),
    ),
    next: Type.Optional(Type.String({ description: "`after` of the next page; left out: there is none." })),
  },
  { title: "GroupsPage" },
);

const MEMBER: TSchema = Type.Object(
  {
    memberId: Type.String(),
    instanceId: nullable(Type.String(), "Null: not a static member."),
    clientId: Type.String(),
    host: Type.String(),
    partitions: nullable(Type.Array(PLACE), "Null: only the group's members can read their assignment."),
  },
  { title: "GroupMember" },
);

const GROUP_PARTITION: TSchema = Type.Object(
  {
    topic: Type.String(),
    partition: PARTITION,
    committedOffset: nullable(Type.Integer(), "Null: nothing is committed."),
    logEndOffset: nullable(OFFSET, "Null: it cannot be told."),
    lag: LAG,
    unknown: nullable(
      Type.Union(["no-commit", "no-topic", "no-partition", "unreadable"].map((why) => Type.Literal(why))),
      "Why the lag is not known.",
    ),
    metadata: nullable(Type.String()),
    memberId: nullable(Type.String(), "Who reads it; null: nobody."),
  },
  { title: "GroupPartition" },
);

export const GROUP: TSchema = Type.Object(
  {
    group: Type.String(),
    type: TYPE,
    state: STATE,
    protocolType: Type.String(),
    assignor: Type.String(),
    coordinator: Type.Integer(),
    lag: LAG,
    isLagComplete: IS_LAG_COMPLETE,
    members: Type.Array(MEMBER),
    partitions: Type.Array(GROUP_PARTITION),
    partitionsLeftOut: Type.Optional(
      Type.Integer({ minimum: 1, description: "So many more there are: ask with `topic`." }),
    ),
  },
  { title: "Group" },
);

export const RESET: TSchema = Type.Object(
  {
    group: Type.String(),
    changed: Type.Boolean(),
    partitions: Type.Array(
      Type.Object({
        topic: Type.String(),
        partition: PARTITION,
        from: nullable(Type.Integer(), "Null: nothing is committed."),
        to: nullable(Type.Integer(), "Null: it stays so."),
        note: Type.Optional(Type.String({ description: "Why `to` is not what was asked for." })),
      }),
    ),
  },
  { title: "Reset" },
);

export const COMMITTED: TSchema = Type.Object(
  { member: Type.String(), offsets: Type.Array(PLACED_OFFSET, { description: "What is committed now." }) },
  { title: "Committed" },
);
