/**
 * confluent-kafka (the current librdkafka) as a judge of groups, in both protocols, and of administration. `confluent_groups.py`
 * prints what it saw; what it should have seen stands here, and is what it sees of Apache Kafka 4.3.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CONFLUENT_CLIENTS } from "../support/foreign-clients.ts";
import { compiled } from "../support/obelisk-command.ts";
import { startCompiled, type TestServer } from "../support/server.ts";

const TIMEOUT_MS = 90_000;
const client = CONFLUENT_CLIENTS[0]!;
const reason = client.missing ?? compiled.missing;

describe.skipIf(reason !== undefined)(`${client.name}${reason ? ` (skipped: ${reason})` : ""}`, () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startCompiled(["--group-consumer-heartbeat-interval=1s"]);
  });
  afterAll(() => server.stop());
  const see = (name: string, protocol: string) =>
    client.run("test/compat/confluent_groups.py", name, server.kafka, protocol);

  for (const protocol of ["classic", "consumer"]) {
    test.concurrent(
      `a static member that comes back keeps its partitions, and nothing moves, protocol ${protocol}`,
      async () => {
        expect(await see("static", protocol)).toEqual({ same: true, moved: [] });
      },
      TIMEOUT_MS,
    );

    test.concurrent(
      `seeks, pauses, positions and commits of a member lead to the right records, protocol ${protocol}`,
      async () => {
        expect(await see("places", protocol)).toEqual({
          first: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
          sought: [4, 5, 6, 7, 8, 9],
          paused: true,
          position: 10,
          rest: [7, 8, 9],
        });
      },
      TIMEOUT_MS,
    );

    test.concurrent(
      `a group is described, listed, its offsets changed, and deleted when it is empty, protocol ${protocol}`,
      async () => {
        expect(await see("groups", protocol)).toEqual({
          described: ["STABLE", true],
          members: [["judge", 2]],
          listed: ["STABLE"],
          busy: "NON_EMPTY_GROUP",
          offsets: [
            [0, 2],
            [1, 5],
          ],
          deleted: null,
          again: "GROUP_ID_NOT_FOUND",
        });
      },
      TIMEOUT_MS,
    );

    test.concurrent(
      `a member reads and commits 1,000 partitions, protocol ${protocol}`,
      async () => {
        expect(await see("wide", protocol)).toEqual({ all: true, committed: 1000 });
      },
      TIMEOUT_MS,
    );
  }

  test.concurrent(
    "partitions are added, settings changed, records deleted, offsets listed, the cluster described",
    async () => {
      expect(await see("admin", "classic")).toEqual({
        added: null,
        fewer: "INVALID_PARTITIONS",
        changed: null,
        retention: ["3600000", false],
        unknown: "INVALID_CONFIG",
        low: 4,
        offsets: { earliest: 4, latest: 10 },
        nodes: 1,
        controller: true,
        partitions: 3,
      });
    },
    TIMEOUT_MS,
  );
});
