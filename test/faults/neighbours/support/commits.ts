/** Committed offsets, a request for many partitions. */

import { offsetCommitApi } from "../../../../src/protocol/kafka/apis/offset-commit.ts";
import { frame } from "./frames.ts";

export function commitFrame(
  groupId: string,
  topic: string,
  from: number,
  count: number,
  metadata: string | null = null,
): Buffer {
  const partitions = Array.from({ length: count }, (_, index) => ({
    partitionIndex: from + index,
    committedOffset: 0,
    committedMetadata: metadata,
  }));
  return frame(offsetCommitApi, 7, { groupId, topics: [{ name: topic, partitions }] });
}
