/**
 * DeleteTopics: by name, or from version 6 by name or id. Records and committed offsets go with the topic. An unknown
 * name is UNKNOWN_TOPIC_OR_PARTITION, an unknown id UNKNOWN_TOPIC_ID; both at once, or neither, INVALID_REQUEST. What is named
 * twice, also once by name and once by id, is answered once, with INVALID_REQUEST, and stays. Topics are taken up in slices.
 */

import { NO_ERROR, ObeliskError, toObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { Slices } from "../../base/loop/turns.ts";
import type { Topic } from "../../broker/topic.ts";
import {
  type DeleteTopicsRequest,
  type DeleteTopicsResponseInput,
  deleteTopicsApi,
} from "../../protocol/kafka/apis/delete-topics.ts";
import { ZERO_UUID } from "../../protocol/kafka/schema.ts";
import type { KafkaContext } from "./context.ts";
import { encodedInTurns } from "./encode-turns.ts";

type TopicResponse = DeleteTopicsResponseInput["responses"][number];

interface TopicReference {
  readonly name: string | null;
  readonly topicId: string;
}

/** The first version that takes ids. */
const BY_ID_FROM = 6;
/** Topics that are looked for, or whose removal begins, in one turn: about 2 ms. */
const SLICES = new Slices(100);

export async function deleteTopics(
  context: KafkaContext,
  request: DeleteTopicsRequest,
  version: number,
): Promise<DeleteTopicsResponseInput> {
  const references = new Map<string, TopicReference>();
  const duplicates = new Set<string>();
  const share = new TurnShare(context.clock);
  for (const requested of referencesOf(request, version)) {
    if (share.isUsedUp) await share.rest();
    const key = topicOf(context, requested)?.id ?? `${requested.name}/${requested.topicId}`;
    const before = references.get(key);
    if (before !== undefined) duplicates.add(key);
    references.set(key, before === undefined ? requested : bothOf(before, requested));
  }
  const responses = [...references].map(([key, requested]) =>
    deleteOne(context, requested, duplicates.has(key)),
  );
  const all = await Promise.all(responses);
  return {
    responses: await encodedInTurns(context, all, () => deleteTopicsApi.responseArray(version, "responses")),
  };
}

export function refuseDeleteTopics(
  request: DeleteTopicsRequest,
  errorCode: number,
  version: number,
): DeleteTopicsResponseInput {
  return {
    responses: referencesOf(request, version).map((requested) => ({
      ...requested,
      errorCode,
      errorMessage: null,
    })),
  };
}

function referencesOf(request: DeleteTopicsRequest, version: number): TopicReference[] {
  if (version >= BY_ID_FROM) return request.topics;
  return request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }));
}

/** The topic, when it is there and named in one way. */
function topicOf({ broker: { topics } }: KafkaContext, { name, topicId }: TopicReference): Topic | undefined {
  if (name === null) return topics.byId(topicId);
  return topicId === ZERO_UUID ? topics.get(name) : undefined;
}

/** What two references to one topic say together. */
function bothOf(left: TopicReference, right: TopicReference): TopicReference {
  return {
    name: left.name ?? right.name,
    topicId: left.topicId === ZERO_UUID ? right.topicId : left.topicId,
  };
}

async function deleteOne(
  context: KafkaContext,
  requested: TopicReference,
  isDuplicate: boolean,
): Promise<TopicResponse> {
  await SLICES.next();
  try {
    if (isDuplicate) throw new ObeliskError("INVALID_REQUEST", { detail: "a topic is named twice" });
    const { name, topicId } = resolve(context, requested);
    await context.broker.topics.remove(name, requested.name === null ? topicId : undefined);
    return { name, topicId, errorCode: NO_ERROR, errorMessage: null };
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.wire < 0) throw thrown;
    return { ...requested, errorCode: error.wire, errorMessage: error.message };
  }
}

/** @throws ObeliskError INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID */
function resolve(
  context: KafkaContext,
  { name, topicId }: TopicReference,
): { name: string; topicId: string } {
  if ((name === null) === (topicId === ZERO_UUID)) {
    throw new ObeliskError("INVALID_REQUEST", { detail: "a topic is named by its name or by its id" });
  }
  const topic = topicOf(context, { name, topicId });
  if (topic !== undefined) return { name: topic.name, topicId: topic.id };
  if (name === null) throw new ObeliskError("UNKNOWN_TOPIC_ID");
  throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name });
}
