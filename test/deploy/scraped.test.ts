/** A real Prometheus scrapes the compiled server under some load: every panel of Grafana's dashboard has something to show. */

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { offsetCommitApi } from "../../src/protocol/kafka/apis/offset-commit.ts";
import { createTopic, fetchOnce, produceBatch, Wire } from "../crash/wire.ts";
import { batchOf } from "../support/batches.ts";
import { titled } from "../support/failing-calls.ts";
import { panelTargets, withVariables } from "../support/grafana.ts";
import { WireClient } from "../support/kafka-wire.ts";
import { compiled } from "../support/obelisk-command.ts";
import { startServer } from "../support/obelisk-server.ts";
import { Prometheus, prometheusMissing } from "../support/prometheus.ts";

const missing = compiled.missing ?? prometheusMissing;
/** Rounds of load until every panel shows something; a look at the lag of groups is made each 5 seconds. */
const ROUNDS_MAX = 200;
/** Panels of what is not to be. */
const EMPTY = new Set(["Lag that is not known"]);

async function commit(client: WireClient, group: string, topic: string, offset: number): Promise<void> {
  await client.ask(offsetCommitApi, 7, {
    groupId: group,
    generationIdOrMemberEpoch: -1,
    memberId: "",
    groupInstanceId: null,
    topics: [
      {
        name: topic,
        partitions: [
          { partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: "" },
        ],
      },
    ],
  });
}

describe.skipIf(missing !== undefined)(
  titled("a Prometheus that scrapes the compiled server", missing),
  () => {
    test("fills every panel, and no alert fires", async () => {
      const directory = mkdtempSync(join(tmpdir(), "obelisk-scraped-"));
      await using server = await startServer(join(directory, "data"), [], { program: compiled });
      const { kafka, http } = server.started;
      const instance = `127.0.0.1:${http.port}`;
      await using prometheus = await Prometheus.start(instance);
      const wire = await Wire.kafka(kafka.port);
      const client = await WireClient.connect(kafka.port);
      await createTopic(wire, "orders");
      let blank = panelTargets;
      for (let round = 0; round < ROUNDS_MAX && blank.length > 0; round += 1) {
        await produceBatch(wire, "orders", batchOf(["value"]));
        await fetchOnce(wire, "orders", round);
        await commit(client, "billing", "orders", round);
        await Bun.sleep(50);
        const left: typeof blank = [];
        for (const target of blank) {
          const series = await prometheus.query(withVariables(target.expr, instance));
          const isShown = series.some(({ value }) => Number.isFinite(value));
          if (isShown === EMPTY.has(target.title)) left.push(target);
        }
        blank = left;
      }
      expect(blank.map(({ title, expr }) => `${title}: ${expr}`)).toEqual([]);
      expect((await prometheus.alerts()).filter(({ state }) => state === "firing")).toEqual([]);
      client.close();
      wire.close();
      expect(await server.stop()).toBe(0);
      rmSync(directory, { recursive: true });
    });
  },
);
