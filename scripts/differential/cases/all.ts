/** The cases of a run, and the topics that they only read. */

import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { ask, type Case, Names, type TopicPlan } from "../case.ts";
import type { Options } from "../options.ts";
import { Random } from "../random.ts";
import { fixtureBatches, PARTITIONS, produceRequest } from "../requests.ts";
import { administrationCases } from "./administration.ts";
import { batchCases } from "./batches.ts";
import { configCases } from "./configs.ts";
import { consumerGroupCases } from "./consumer-groups.ts";
import { edgeCases } from "./edges.ts";
import { fetchSessionCases } from "./fetch-sessions.ts";
import { groupCases } from "./groups.ts";
import {
  fullRequestCases,
  goldenCases,
  goldenTopics,
  type MutationOptions,
  mutatedRequestCases,
} from "./mutated.ts";
import { producerCases } from "./producers.ts";
import { repeatedCases } from "./repeated.ts";
import { sequenceCases } from "./sequences.ts";

export interface Plan {
  /** Made and filled first. */
  readonly fixtures: readonly TopicPlan[];
  /** Fills the fixtures; compared as any other case. */
  readonly first: readonly Case[];
  readonly cases: readonly Case[];
}

const FIXTURE = "fixture";

export async function planFor(options: Options): Promise<Plan> {
  const names = new Names();
  const random = new Random(options.seed);
  const made: MutationOptions = { names, random, fixture: FIXTURE, byteMutations: options.byteMutations };
  const read = await goldenTopics();
  const fixtures = [{ name: FIXTURE, partitions: PARTITIONS }, ...read];
  const cases = [
    ...fullRequestCases(made),
    ...mutatedRequestCases(made),
    ...(await goldenCases(made)),
    ...edgeCases(names, FIXTURE),
    ...administrationCases(names, FIXTURE),
    ...fetchSessionCases(names),
    ...repeatedCases(names, FIXTURE),
    ...batchCases(names),
    ...producerCases(names),
    ...sequenceCases(names),
    ...groupCases(names, FIXTURE),
    ...consumerGroupCases(names),
    ...configCases(names, FIXTURE),
  ];
  return {
    fixtures,
    first: fixtures.map(({ name }) => fillingCase(name)),
    cases: cases.filter((whole) => isWanted(whole, options)),
  };
}

function fillingCase(topic: string): Case {
  const steps = fixtureBatches().map((records) => ask(produceApi, 9, produceRequest(topic, records)));
  return { name: `filling ${topic}`, steps };
}

function isWanted({ name, steps }: Case, { only, match }: Options): boolean {
  return name.includes(match) && (only === null || steps.some(({ api }) => api.name === only));
}
