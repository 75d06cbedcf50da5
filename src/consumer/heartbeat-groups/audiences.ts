/**
 * Who is subscribed to which topic. Members with equal subscriptions are of one kind, and topics with the same kinds share one audience:
 * what can be known of an audience is looked for once. So topics times members is never counted through, unless every member wants
 * something else.
 */

import type { AssignorMember, AssignorSteps, Pace } from "./assignor.ts";

/** Members as places in the list of them, ascending. One object for all topics that have just these. */
export interface Audience {
  readonly order: number;
  readonly slots: Int32Array;
}

/** By topic id. */
export function* audiencesOf(
  members: readonly Pick<AssignorMember, "topics">[],
  pace: Pace,
): AssignorSteps<Map<string, Audience>> {
  const kinds = new Map<readonly string[], number[]>();
  for (const [slot, { topics }] of members.entries()) {
    const slots = kinds.get(topics);
    if (slots === undefined) kinds.set(topics, [slot]);
    else slots.push(slot);
    if (pace.isFull(1)) yield;
  }
  const slotsOfKind = [...kinds.values()];
  const kindsOfTopic = new Map<string, number[]>();
  for (const [kind, topics] of [...kinds.keys()].entries()) {
    for (const id of topics) {
      const own = kindsOfTopic.get(id);
      if (own === undefined) kindsOfTopic.set(id, [kind]);
      else own.push(kind);
    }
    if (pace.isFull(topics.length)) yield;
  }
  const known = new Map<string, Audience>();
  const audiences = new Map<string, Audience>();
  for (const [id, own] of kindsOfTopic) {
    const key = own.join();
    let audience = known.get(key);
    if (audience === undefined) {
      const slots = Int32Array.from(own.flatMap((kind) => slotsOfKind[kind]!)).sort();
      audience = { order: known.size, slots };
      known.set(key, audience);
      if (pace.isFull(4 * slots.length)) yield;
    }
    audiences.set(id, audience);
    if (pace.isFull(own.length)) yield;
  }
  return audiences;
}
