import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { type MetadataRequestInput, metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { ZERO_UUID } from "../../../src/protocol/kafka/schema.ts";
import { removing } from "../../support/broker.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    let api: TestKafkaApi;
    let client: WireClient;
    beforeEach(async () => {
      api = await openKafkaApi({ ...kind.create(), broker: { topicsMax: 3 } });
      client = await api.connect();
      await api.context.broker.topics.create("t", { partitions: 2, configs: {} });
    });
    afterEach(() => api.stop());

    const metadata = (version: number, requested: MetadataRequestInput) =>
      client.ask(metadataApi, version, requested);
    const named = (...names: string[]) => ({ topics: names.map((name) => ({ name })) });

    for (let version = 0; version <= 12; version += 1) {
      test(`version ${version} answers broker, cluster, controller and partitions with their leader`, async () => {
        const response = await metadata(version, named("t"));
        const topic = api.context.broker.topics.get("t")!;
        expect(response).toMatchObject({
          brokers: [{ nodeId: 1, host: "127.0.0.1", port: api.port, rack: null }],
          clusterId: version >= 2 ? "test-cluster-0000000000" : null,
          controllerId: version >= 1 ? 1 : -1,
        });
        const epoch = version >= 7 ? topic.partitions[0]!.leaderEpoch : -1;
        const partitions = [0, 1].map((partitionIndex) => ({
          errorCode: 0,
          partitionIndex,
          leaderId: 1,
          leaderEpoch: epoch,
          replicaNodes: [1],
          isrNodes: [1],
          offlineReplicas: [],
        }));
        const topicId = version >= 10 ? topic.id : ZERO_UUID;
        expect(response.topics).toMatchObject([
          { errorCode: 0, name: "t", topicId, isInternal: false, partitions },
        ]);
      });
    }

    test("null means all topics; an empty array means all in version 0 and none later", async () => {
      const count = async (version: number, topics: MetadataRequestInput["topics"]) =>
        (await metadata(version, { topics })).topics.length;
      expect(await count(0, [])).toBe(1);
      expect(await count(1, [])).toBe(0);
      expect(await count(1, null)).toBe(1);
      expect(await count(12, [])).toBe(0);
      expect(await count(12, null)).toBe(1);
    });

    test("a topic that is asked for is created and answered at once with its partitions, and once", async () => {
      const response = await metadata(4, named("fresh", "t", "fresh"));
      expect(
        response.topics.map(({ name, errorCode, partitions }) => [name, errorCode, partitions.length]),
      ).toEqual([
        ["fresh", 0, 1],
        ["t", 0, 2],
      ]);
      expect(api.context.broker.topics.get("fresh")?.partitions.length).toBe(1);
    });

    test("two connections that ask for the same new topic at once both get it", async () => {
      const other = await api.connect();
      const responses = await Promise.all([
        client.ask(metadataApi, 4, named("fresh")),
        other.ask(metadataApi, 4, named("fresh")),
      ]);
      expect(responses.map(({ topics }) => topics[0]!.errorCode)).toEqual([0, 0]);
    });

    test("a topic that is being deleted is not brought back before whoever deletes it can make it anew", async () => {
      const { topics } = api.context.broker;
      const discarding = Promise.withResolvers<void>();
      const held = Promise.withResolvers<void>();
      const listener = removing(async () => {
        discarding.resolve();
        await held.promise;
      });
      topics.onRemoved(listener);
      const removal = topics.remove("t");
      await discarding.promise;
      const response = await metadata(4, named("t", "fresh"));
      held.resolve();
      await removal;
      expect(response.topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
        ["t", wireCode("LEADER_NOT_AVAILABLE")],
        ["fresh", 0],
      ]);
      expect((await metadata(4, named("t"))).topics).toMatchObject([
        { errorCode: wireCode("LEADER_NOT_AVAILABLE"), partitions: [] },
      ]);
      expect((await topics.create("t", { partitions: 3, configs: {} })).partitions.length).toBe(3);
      expect((await metadata(4, named("t"))).topics[0]!.partitions.length).toBe(3);
    });

    test("nothing is created when the client does not want it", async () => {
      const response = await metadata(4, { ...named("fresh"), allowAutoTopicCreation: false });
      expect(response.topics).toMatchObject([{ name: "fresh", errorCode: 3, partitions: [] }]);
      expect(api.context.broker.topics.get("fresh")).toBeUndefined();
    });

    test("nothing is created when the server does not want it", async () => {
      await api.stop();
      api = await openKafkaApi({ ...kind.create(), broker: { isAutoCreating: false } });
      client = await api.connect();
      expect((await metadata(4, named("fresh"))).topics).toMatchObject([{ errorCode: 3 }]);
    });

    for (const name of ["", ".", "..", "a/b", "ä", "a".repeat(250), "a\0b"]) {
      test(`the name ${JSON.stringify(name.slice(0, 10))} of ${name.length} characters is refused and not created`, async () => {
        const response = await metadata(4, named(name));
        expect(response.topics).toMatchObject([{ errorCode: 17, name, partitions: [] }]);
        expect(api.context.broker.topics.count).toBe(1);
      });
    }

    test("beyond the limit of topics a new one is a policy violation, the others are answered", async () => {
      await metadata(4, named("a", "b"));
      const response = await metadata(4, named("c", "t"));
      expect(response.topics.map(({ name, errorCode }) => [name, errorCode])).toEqual([
        ["c", 44],
        ["t", 0],
      ]);
      expect(api.context.broker.topics.count).toBe(3);
    });

    /** Name, error and number of partitions of each topic in the response. */
    async function briefly(version: number, topics: NonNullable<MetadataRequestInput["topics"]>) {
      const response = await metadata(version, { topics });
      return response.topics.map(({ name, errorCode, partitions }) => [name, errorCode, partitions.length]);
    }

    for (const version of [10, 11, 12]) {
      test(`version ${version}: an id that is not zero decides, whatever name stands beside it`, async () => {
        await api.context.broker.topics.create("other", { partitions: 1, configs: {} });
        const topicId = api.context.broker.topics.get("t")!.id;
        const unknown = crypto.randomUUID();
        for (const name of ["", null, "t", "other", "a/b", "fresh"]) {
          expect(await briefly(version, [{ name, topicId }])).toEqual([["t", 0, 2]]);
          expect(await briefly(version, [{ name, topicId: unknown }])).toEqual([
            [version < 12 ? "" : null, 100, 0],
          ]);
        }
        expect(api.context.broker.topics.count).toBe(2);
      });

      test(`version ${version}: beside an id, names without one are neither answered nor created`, async () => {
        const topicId = api.context.broker.topics.get("t")!.id;
        const requested = [
          { name: "fresh" },
          { name: null, topicId },
          { name: null },
          { name: "t", topicId },
        ];
        expect(await briefly(version, requested)).toEqual([["t", 0, 2]]);
        expect(api.context.broker.topics.count).toBe(1);
      });

      test(`version ${version}: a topic without a name and an id is an invalid request`, async () => {
        expect(await briefly(version, [{ name: null }, { name: "t" }])).toEqual([
          ["", 42, 0],
          ["t", 42, 0],
        ]);
      });
    }

    test("who asks what it may do may do everything, and else is told nothing", async () => {
      const requested = { ...named("t", "a/b"), includeTopicAuthorizedOperations: true };
      const all = { includeClusterAuthorizedOperations: true };
      const told = async (version: number, request: MetadataRequestInput) => {
        const response = await metadata(version, request);
        const ofTopics = response.topics.map((topic) => topic.topicAuthorizedOperations);
        return [response.clusterAuthorizedOperations, ...ofTopics];
      };
      expect(await told(10, { ...requested, ...all })).toEqual([8096, 3576, 3576]);
      expect(await told(12, requested)).toEqual([-2147483648, 3576, 3576]);
      expect(await told(12, named("t"))).toEqual([-2147483648, -2147483648]);
      const unknown = { topics: [{ name: null, topicId: crypto.randomUUID() }] };
      expect(await told(12, { ...requested, ...unknown })).toEqual([-2147483648, -2147483648]);
    });
  });
}
