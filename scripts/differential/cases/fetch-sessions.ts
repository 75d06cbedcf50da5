/** Fetch sessions (KIP-227): what an incremental fetch may leave out, and what its response does. */

import { deleteTopicsApi } from "../../../src/protocol/kafka/apis/delete-topics.ts";
import { type FetchResponse, fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { ask, type Case, type Memory, type Names, type Step } from "../case.ts";
import { batch, produceRequest } from "../requests.ts";

const IDS_FROM = 13;

export function fetchSessionCases(names: Names): Case[] {
  return [7, 11, 12, 13, 17, 18].flatMap((version) => casesOf(names, version));
}

function casesOf(names: Names, version: number): Case[] {
  const make = (name: string, stepsOf: (session: Session, topic: string) => Step[]): Case => {
    const topic = names.topic();
    const session = new Session(version, topic);
    return {
      name: `fetch session ${version}: ${name}`,
      topics: [{ name: topic, partitions: 2 }],
      steps: stepsOf(session, topic),
    };
  };
  const records = (topic: string) => ask(produceApi, 9, produceRequest(topic, batch(["a", "b"])));
  return [
    make("what is new", (session, topic) => [
      session.fetch("opened", 0, [0, 1]),
      session.fetch("idle", 1, []),
      records(topic),
      session.fetch("records", 2, []),
      session.fetch("the same records", 3, []),
      session.fetch("behind them", 4, [0], { fetchOffset: 2 }),
      session.fetch("idle again", 5, []),
      session.fetch("an old epoch", 5, []),
      session.fetch("an epoch ahead", 9, []),
      session.fetch("goes on", 6, []),
    ]),
    make("added and forgotten", (session) => [
      session.fetch("opened", 0, [0]),
      session.fetch("added", 1, [1]),
      session.fetch("forgotten", 2, [], {}, [0]),
      session.fetch("one that is not there", 3, [9]),
      session.fetch("still not there", 4, []),
      session.fetch("all forgotten", 5, [], {}, [0, 1, 9]),
      session.fetch("gone", 6, []),
    ]),
    make("errors", (session) => [
      session.fetch("opened", 0, [0]),
      session.fetch("out of range", 1, [0], { fetchOffset: 50 }),
      session.fetch("still out of range", 2, []),
      session.fetch("in range", 3, [0], { fetchOffset: 0 }),
      session.fetch("an epoch of the leader that is too new", 4, [0], { currentLeaderEpoch: 77 }),
      session.fetch("none", 5, [0], { currentLeaderEpoch: -1 }),
    ]),
    make("ends", (session) => [
      session.fetch("opened", 0, [0, 1]),
      session.fetch("closed", -1, [0]),
      session.fetch("gone", 1, []),
      session.fetch("opened again", 0, [0]),
      session.unknown("an id that is none", 1),
      session.unknown("no id", 1, 0),
    ]),
    make("the topic is removed", (session, topic) => [
      session.fetch("opened", 0, [0]),
      ask(deleteTopicsApi, 5, { topicNames: [topic], timeoutMs: 10_000 }),
      { ...session.fetch("removed", 1, []), complete: { [topic]: false } },
      session.fetch("still removed", 2, []),
    ]),
    make("another way to name topics", (session) => [
      session.fetch("opened", 0, [0]),
      session.otherWay("the other way", 1),
      session.fetch("goes on", 1, []),
    ]),
  ];
}

/** Requests of one session; its id is that of the newest response that has one. */
class Session {
  readonly #version: number;
  readonly #topic: string;

  constructor(version: number, topic: string) {
    this.#version = version;
    this.#topic = topic;
  }

  fetch(
    note: string,
    sessionEpoch: number,
    partitions: readonly number[],
    rest: object = {},
    forgotten: readonly number[] = [],
  ): Step {
    const request = (memory: Memory) => {
      const named =
        this.#version < IDS_FROM ? { topic: this.#topic } : { topicId: memory.topicId(this.#topic) };
      const wanted = partitions.map((partition) => ({
        partition,
        fetchOffset: 0,
        partitionMaxBytes: 1000,
        ...rest,
      }));
      return {
        maxWaitMs: 0,
        minBytes: 0,
        sessionId: idIn(memory),
        sessionEpoch,
        topics: wanted.length === 0 ? [] : [{ ...named, partitions: wanted }],
        forgottenTopicsData: forgotten.length === 0 ? [] : [{ ...named, partitions: forgotten }],
      };
    };
    return ask(fetchApi, this.#version, request, { note });
  }

  unknown(note: string, sessionEpoch: number, sessionId = 77): Step {
    const request = { maxWaitMs: 0, minBytes: 0, sessionId, sessionEpoch, topics: [] };
    return ask(fetchApi, this.#version, request, { note });
  }

  otherWay(note: string, sessionEpoch: number): Step {
    const request = (memory: Memory) => {
      return { maxWaitMs: 0, minBytes: 0, sessionId: idIn(memory), sessionEpoch, topics: [] };
    };
    return ask(fetchApi, this.#version < IDS_FROM ? IDS_FROM : IDS_FROM - 1, request, { note });
  }
}

function idIn({ responses }: Memory): number {
  const fetched = responses.filter(
    (response): response is FetchResponse =>
      typeof response === "object" && response !== null && "sessionId" in response,
  );
  return fetched.findLast(({ sessionId }) => sessionId !== 0)?.sessionId ?? 0;
}
