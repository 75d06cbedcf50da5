/**
 * Where a tail stands in every partition that it reads, as one word. It is the id of server-sent events, which a client sends back as
 * `Last-Event-ID`, and goes with the messages of a WebSocket:
 *
 *   5f3a9c01/0:121,2:45        topic's mark / partition:offset of the next record, ...
 *
 * The mark tells a topic from a later one of the same name, in which the offsets would mean other records.
 */

import { crc32c } from "../../base/crc32c.ts";
import { ObeliskError } from "../../base/errors.ts";

/** By partition, the offset of the next record. */
export type Offsets = ReadonlyMap<number, number>;

const POSITION = /^([0-9a-f]{8})\/(\d{1,10}:\d{1,16}(?:,\d{1,10}:\d{1,16})*)$/;
/** Far above what a tail of the most partitions takes. */
const LENGTH_MAX = 16_384;

export function topicMark(topicId: string): string {
  const bytes = Buffer.from(topicId);
  return (crc32c(bytes, 0, bytes.length) >>> 0).toString(16).padStart(8, "0");
}

export function positionText(mark: string, offsets: Offsets): string {
  return `${mark}/${[...offsets].map(([partition, offset]) => `${partition}:${offset}`).join(",")}`;
}

/** @throws ObeliskError INVALID_REQUEST for what is no position, INCONSISTENT_TOPIC_ID for one in another topic */
export function parsePosition(text: string, mark: string): Offsets {
  const parts = text.length > LENGTH_MAX ? null : POSITION.exec(text);
  const offsets = new Map<number, number>();
  for (const pair of parts?.[2]?.split(",") ?? []) {
    const [partition, offset] = pair.split(":").map(Number) as [number, number];
    if (!Number.isSafeInteger(offset) || offsets.has(partition)) throw noPosition();
    offsets.set(partition, offset);
  }
  if (parts === null) throw noPosition();
  if (parts[1] !== mark) {
    throw new ObeliskError("INCONSISTENT_TOPIC_ID", {
      detail: "the position is one in an earlier topic of this name",
      remedy: "begin anew, without a position",
    });
  }
  return offsets;
}

function noPosition(): ObeliskError {
  return new ObeliskError("INVALID_REQUEST", {
    detail: "the position (Last-Event-ID) is none that a tail has given",
  });
}
