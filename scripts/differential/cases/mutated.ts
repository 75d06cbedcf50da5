/**
 * Cases that are made, not written: every API and version with a full request, the golden requests of other clients, and
 * mutations of both. What changes a topic gets one of its own, and a fetch of what was stored after it.
 */

import type { AnyApi } from "../../../src/protocol/kafka/api.ts";
import { type FetchRequest, fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import {
  decodeRequestFrame,
  type GoldenVector,
  readGoldenVectors,
} from "../../../test/protocol/kafka/golden-vectors.ts";
import {
  ask,
  type Case,
  encodeFrame,
  type Memory,
  type Names,
  type Step,
  send,
  type TopicPlan,
} from "../case.ts";
import { type Mutation, mutateBytes, mutateValues } from "../mutations.ts";
import type { Random } from "../random.ts";
import {
  changesTopic,
  fetchRequest,
  fullRequest,
  ID_OF_TOPIC,
  PARTITIONS,
  type Subjects,
  type SupportedApi,
  supportedApis,
} from "../requests.ts";

export interface MutationOptions {
  readonly names: Names;
  readonly random: Random;
  /** A topic that is only read. */
  readonly fixture: string;
  /** Random mutations of the bytes of each request. */
  readonly byteMutations: number;
}

/** Partitions that one case may create: enough to see the response, few enough for thousands of cases. */
const PARTITIONS_TO_MAKE_MAX = 50;
const ID_BYTES = Buffer.from(ID_OF_TOPIC.replaceAll("-", ""), "hex");
const WAITING = { minBytes: 1, maxWaitMs: 300 };
const UNKNOWN_TOPIC = 3;
const LEADER_NOT_AVAILABLE = 5;
/** Above it both servers refuse without trying. */
const PARTITIONS_REFUSED_FROM = 1_000_000;

export function fullRequestCases(options: MutationOptions): Case[] {
  return supportedApis().map((supported) =>
    caseOf(`full request`, supported, subjectsFor(supported.api, options), (subjects) =>
      encodeFrame(supported.api, supported.version, fullRequest(supported, subjects)),
    ),
  );
}

export function mutatedRequestCases(options: MutationOptions): Case[] {
  return supportedApis().flatMap((supported) => {
    const { api, version } = supported;
    const pattern = subjectsFor(api, options);
    const request = fullRequest(supported, pattern);
    const frame = encodeFrame(api, version, request);
    const mutations = [
      ...mutateValues(api, version, request),
      ...mutateBytes(frame, version >= api.flexibleFrom, options.byteMutations, options.random),
    ];
    return mutatedCases("mutated", supported, pattern, mutations, options);
  });
}

export async function goldenCases(options: MutationOptions): Promise<Case[]> {
  const supported = new Set(supportedApis().map(({ api, version }) => `${api.name} ${version}`));
  const cases: Case[] = [];
  for (const [api, vectors] of await readGoldenVectors()) {
    for (const vector of vectors) {
      if (supported.has(`${api.name} ${vector.version}`)) cases.push(...casesOfVector(api, vector, options));
    }
  }
  return cases;
}

function casesOfVector(api: AnyApi, vector: GoldenVector, options: MutationOptions): Case[] {
  const frame = Buffer.from(vector.request, "hex");
  const topics = topicsIn(vector.requestValue);
  const pattern: Subjects = { topic: topics[0] ?? "", group: groupIn(vector.requestValue), newTopic: "" };
  const supported = { api, version: vector.version };
  const mutations: Mutation[] = [
    { name: "as it was", frame },
    ...mutateBytes(frame, vector.version >= api.flexibleFrom, options.byteMutations, options.random),
  ];
  return mutatedCases(`golden ${vector.client}`, supported, pattern, mutations, options);
}

/** A case for each mutation, with the pattern's names replaced by names of its own where it changes anything. */
function mutatedCases(
  name: string,
  supported: SupportedApi,
  pattern: Subjects,
  mutations: readonly Mutation[],
  options: MutationOptions,
): Case[] {
  return mutations
    .filter(({ frame }) => isTame(supported.api, frame))
    .map((mutation) => {
      const own = { ...subjectsLike(pattern, supported.api, options) };
      return caseOf(`${name}, ${mutation.name}`, supported, own, () => renamed(mutation.frame, pattern, own));
    });
}

function caseOf(
  name: string,
  { api, version }: SupportedApi,
  subjects: Subjects,
  frameFor: (subjects: Subjects) => Buffer,
): Case {
  const topics: TopicPlan[] =
    changesTopic(api) && subjects.topic !== "" ? [{ name: subjects.topic, partitions: PARTITIONS }] : [];
  const frame = frameFor(subjects);
  const steps: Step[] = [
    {
      ...send(api, version, frame, mayCreate(api, frame) ? { repeatWhile: isBeingMade } : {}),
      frame: (memory) => withIdOf(subjects.topic, frame, memory),
    },
  ];
  if (api.name === "Produce" && subjects.topic !== "") {
    const more = isReadableLater(api, frame) ? WAITING : {};
    steps.push(ask(fetchApi, 11, fetchRequest(subjects.topic, {}, more), { note: "what was stored" }));
  }
  return { name: name + sideOf(api, frame), topics, steps };
}

/** The frame with the id that the server has given the topic. */
function withIdOf(topic: string, frame: Buffer, memory: Memory): Buffer {
  const at = frame.indexOf(ID_BYTES);
  if (at === -1) return frame;
  const copy = Buffer.from(frame);
  copy.write(memory.topicId(topic).replaceAll("-", ""), at, "hex");
  return copy;
}

/** What a mutation may have made of a fetch: the list tells such cases by it. */
function sideOf(api: AnyApi, frame: Buffer): string {
  if (api.name !== "Fetch") return "";
  try {
    const { replicaId, topics } = decodeRequestFrame(api, frame) as FetchRequest;
    if (replicaId >= 0) return ", as a follower";
    const epochs = topics.flatMap(({ partitions }) =>
      partitions.map(({ lastFetchedEpoch }) => lastFetchedEpoch),
    );
    return epochs.some((epoch) => epoch >= 0) ? ", after an epoch" : "";
  } catch {
    return "";
  }
}

function subjectsFor(api: AnyApi, { names, fixture }: MutationOptions): Subjects {
  return {
    topic: changesTopic(api) ? names.topic() : fixture,
    group: names.group(),
    newTopic: names.topic(),
  };
}

/** Names of the same length, so that a frame stays valid when they are put in. */
function subjectsLike(pattern: Subjects, api: AnyApi, { names, fixture }: MutationOptions): Subjects {
  const isKept = pattern.topic === fixture || pattern.topic === "" || !changesTopic(api);
  return {
    topic: isKept ? pattern.topic : names.sameLength(pattern.topic),
    group: pattern.group === "" ? "" : names.sameLength(pattern.group),
    newTopic: pattern.newTopic === "" ? "" : names.sameLength(pattern.newTopic),
  };
}

function renamed(frame: Buffer, pattern: Subjects, own: Subjects): Buffer {
  const copy = Buffer.from(frame);
  for (const kind of ["topic", "group", "newTopic"] as const) {
    if (pattern[kind] === "" || pattern[kind] === own[kind]) continue;
    for (let at = copy.indexOf(pattern[kind]); at !== -1; at = copy.indexOf(pattern[kind], at + 1)) {
      copy.write(own[kind], at);
    }
  }
  return copy;
}

/** Whether a frame does not ask for so many partitions that the run would drown in them. */
function isTame(api: AnyApi, frame: Buffer): boolean {
  if (api.name !== "CreateTopics") return true;
  try {
    const request = decodeRequestFrame(api, frame) as { topics: { numPartitions: number }[] };
    return request.topics.every(
      ({ numPartitions }) =>
        numPartitions <= PARTITIONS_TO_MAKE_MAX || numPartitions >= PARTITIONS_REFUSED_FROM,
    );
  } catch {
    return true;
  }
}

/** With acks 0 and 1 records may be read only some time after the response. */
function isReadableLater(api: AnyApi, frame: Buffer): boolean {
  try {
    return (decodeRequestFrame(api, frame) as { acks: number }).acks >= 0;
  } catch {
    return false;
  }
}

/** Whether asking for topics that are not there makes them. */
function mayCreate(api: AnyApi, frame: Buffer): boolean {
  if (api.name !== "Metadata") return false;
  try {
    return (decodeRequestFrame(api, frame) as { allowAutoTopicCreation: boolean }).allowAutoTopicCreation;
  } catch {
    return false;
  }
}

/** Kafka responds first and creates the topic then. */
function isBeingMade(response: unknown): boolean {
  const { topics } = (response ?? { topics: [] }) as { topics: { errorCode: number }[] };
  return topics.some(({ errorCode }) => errorCode === UNKNOWN_TOPIC || errorCode === LEADER_NOT_AVAILABLE);
}

function topicsIn(request: unknown): string[] {
  const { topics, topicData, topicNames } = request as Record<string, unknown[] | undefined>;
  return [...(topics ?? []), ...(topicData ?? []), ...(topicNames ?? [])].flatMap((entry) => {
    if (typeof entry === "string") return [entry];
    const { name, topic } = entry as { name?: string; topic?: string };
    return [name ?? topic ?? ""];
  });
}

function groupIn(request: unknown): string {
  const { groupId, groups } = request as { groupId?: string; groups?: { groupId: string }[] };
  return groupId || groups?.[0]?.groupId || "";
}

/** Topics that golden requests only read, to be made once. */
export async function goldenTopics(): Promise<TopicPlan[]> {
  const names = new Set<string>();
  for (const [api, vectors] of await readGoldenVectors()) {
    if (!["Fetch", "ListOffsets", "OffsetForLeaderEpoch", "OffsetCommit", "OffsetFetch"].includes(api.name))
      continue;
    for (const { requestValue } of vectors)
      for (const name of topicsIn(requestValue)) if (name !== "") names.add(name);
  }
  return [...names].sort().map((name) => ({ name, partitions: PARTITIONS }));
}
