/**
 * The topics in the metadata of a member of protocol type "consumer", as every consumer writes it, whatever the assignor:
 *
 *     int16 version | int32 count | count x (int16 length, UTF-8 name) | what the assignor wants, and newer versions add
 *
 * All else in it is opaque to the server.
 */

import { type Member, metadataFor } from "./group-members.ts";

/** What members are subscribed to together, by the metadata for a protocol. Null when one's cannot be read. */
export function topicsOf(members: Iterable<Member>, protocol: string): ReadonlySet<string> | null {
  const all = new Set<string>();
  for (const member of members) {
    const topics = subscribedTopics(metadataFor(member, protocol));
    if (topics === null) return null;
    for (const topic of topics) all.add(topic);
  }
  return all;
}

/** Null when it cannot be read: nothing is known of the topics then. */
export function subscribedTopics(metadata: Buffer): string[] | null {
  let position = 6;
  if (metadata.length < position) return null;
  const count = metadata.readInt32BE(2);
  // Each name takes two bytes at least, so a larger count is a lie.
  if (count < 0 || 2 * count > metadata.length - position) return null;
  const topics: string[] = [];
  for (let index = 0; index < count; index += 1) {
    if (position + 2 > metadata.length) return null;
    const end = position + 2 + metadata.readInt16BE(position);
    if (end < position + 2 || end > metadata.length) return null;
    topics.push(metadata.toString("utf8", position + 2, end));
    position = end;
  }
  return topics;
}
