/**
 * `POST /groups/{group}/commit`: a consumer over HTTP tells what it is done with.
 *
 *   - It commits for partitions that it has; one that others have meanwhile refuses the whole commit, and so does an offset beyond the end.
 *   - What is committed never goes back: an offset below it is answered with what stands.
 *   - Answered when it is durable. The lease begins anew.
 */

import { type Static, t } from "elysia";
import { ObeliskError } from "../../base/errors.ts";
import type { Partition } from "../../broker/partition.ts";
import { OFFSET_METADATA_LENGTH_MAX } from "../../consumer/commit-room.ts";
import type { OffsetToCommit } from "../../consumer/offsets.ts";
import type { HttpParts } from "../http-parts.ts";
import { partitionIn, topicNamed } from "../topic-lookup.ts";
import type { LeasedMember, Place } from "./leased-member.ts";
import { type LeasedMembers, leaseEnded } from "./leased-members.ts";

/** Partitions of one commit. */
const OFFSETS_MAX = 10_000;
/** Of OffsetCommit: who tells members of the consumer protocol that they are late. */
const COMMIT_VERSION = 9;

export const COMMIT_BODY = t.Object({
  member: t.String({ description: "As the poll was answered." }),
  offsets: t.Array(
    t.Object({
      topic: t.String(),
      partition: t.Integer({ minimum: 0 }),
      offset: t.Integer({
        minimum: 0,
        description: "Of the next message to be read, as the poll was answered.",
      }),
      metadata: t.Optional(t.String({ maxLength: OFFSET_METADATA_LENGTH_MAX })),
    }),
    { minItems: 1, maxItems: OFFSETS_MAX, description: "As the poll was answered, or less of it." },
  ),
});

type CommitBody = Static<typeof COMMIT_BODY>;

interface Wanted {
  readonly place: Place;
  readonly partition: Partition;
  readonly offset: number;
  readonly metadata: string;
}

export interface Committed {
  readonly member: string;
  /** What stands now. */
  readonly offsets: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
  }[];
}

/** @throws ObeliskError */
export async function commitOffsets(
  parts: HttpParts,
  members: LeasedMembers,
  group: string,
  { member: id, offsets }: CommitBody,
): Promise<Committed> {
  const member = await members.find(group, id, null);
  if (member === null) throw leaseEnded(group, id);
  const committed = member.committing.then(() => commitFor(parts, member, offsets));
  member.committing = committed.catch(() => {});
  const standing = await committed;
  members.prolong(member);
  // What it keeps only because of what was lent may go to others now.
  if (members.hasNews(member)) await members.beat(member);
  return { member: id, offsets: standing };
}

async function commitFor(
  parts: HttpParts,
  member: LeasedMember,
  offsets: CommitBody["offsets"],
): Promise<Committed["offsets"]> {
  const wanted: Wanted[] = [];
  for (const one of offsets) wanted.push(await checked(parts, member, one));
  let standing: Committed["offsets"] = [];
  await parts.offsets.commitGathered(member.group, async () => {
    const committed = wanted.map((one) => ({ ...one, ...standingOf(parts, member.group, one) }));
    standing = committed.map(({ partition: { topic, index }, stands }) => ({
      topic,
      partition: index,
      offset: stands,
    }));
    const commits = committed.flatMap(({ isNew, partition, offset, metadata }): OffsetToCommit[] =>
      isNew
        ? [{ topic: partition.topic, partition: partition.index, offset, leaderEpoch: -1, metadata }]
        : [],
    );
    checkMembership(parts, member, commits);
    return commits;
  });
  for (const { place, offset } of wanted) member.committed(place, offset);
  member.commits += 1;
  return standing;
}

async function checked(
  { broker }: HttpParts,
  member: LeasedMember,
  { topic: name, partition: index, offset, metadata = "" }: CommitBody["offsets"][number],
): Promise<Wanted> {
  const topic = topicNamed(broker, name);
  const partition = partitionIn(topic, index);
  const place = { topicId: topic.id, partition: index };
  if (!member.owns(place))
    throw new ObeliskError("ILLEGAL_GENERATION", {
      detail: "the member does not have this partition, or has it no more",
      remedy: "poll again; what it did not commit in time comes again, to whoever has the partition",
      topic: name,
      partition: index,
    });
  if (offset > partition.highWatermark && offset > (await partition.latestOffset()))
    throw new ObeliskError("OFFSET_OUT_OF_RANGE", {
      detail: `the partition ends at ${partition.highWatermark}`,
      topic: name,
      partition: index,
      offset,
    });
  return { place, partition, offset, metadata };
}

/** What is committed after this, and whether that is new. */
function standingOf(
  { offsets }: HttpParts,
  group: string,
  { partition: { topic, index }, offset, metadata }: Wanted,
): { stands: number; isNew: boolean } {
  const known = offsets.fetch(group, topic, index);
  if (known === null || known.offset < offset) return { stands: offset, isNew: true };
  return { stands: known.offset, isNew: known.offset === offset && known.metadata !== metadata };
}

/** @throws ObeliskError UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH when the group has gone on without it */
function checkMembership(
  { groups }: HttpParts,
  { group, id, epoch }: LeasedMember,
  commits: readonly OffsetToCommit[],
): void {
  const committer = { memberId: id, instanceId: null, generationId: epoch, version: COMMIT_VERSION };
  const fault = groups.commitFault(group, committer, commits);
  if (fault === "UNKNOWN_MEMBER_ID" || fault === "GROUP_ID_NOT_FOUND") throw leaseEnded(group, id);
  if (fault !== null) throw new ObeliskError(fault);
}
