/**
 * A sync of the compiled server's `meta.db` fails with EIO. Held to: what needs the state is refused with errors that clients try
 * again, what does not need it goes on, the log and health say why, and the next start takes everything again.
 */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { NO_ERROR, wireCode } from "../../src/base/errors.ts";
import { initProducerIdApi } from "../../src/protocol/kafka/apis/init-producer-id.ts";
import { metadataApi } from "../../src/protocol/kafka/apis/metadata.ts";
import { offsetCommitApi } from "../../src/protocol/kafka/apis/offset-commit.ts";
import { FailingCalls, failingCallsMissing, titled } from "../support/failing-calls.ts";
import { WireClient } from "../support/kafka-wire.ts";
import { compiled } from "../support/obelisk-command.ts";
import { Ledger } from "./ledger.ts";
import { Observed } from "./observed.ts";
import { Bench } from "./support.ts";

const missing = compiled.missing ?? failingCallsMissing;

async function commit(client: WireClient): Promise<number> {
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }];
  const request = { groupId: "g", topics: [{ name: "t", partitions }] };
  return (await client.ask(offsetCommitApi, 8, request)).topics[0]!.partitions[0]!.errorCode;
}

async function topicErrors(client: WireClient, names: readonly string[]): Promise<number[]> {
  const topics = names.map((name) => ({ name }));
  const response = await client.ask(metadataApi, 9, { topics, allowAutoTopicCreation: true });
  expect(response.brokers.length).toBe(1);
  return response.topics.map(({ errorCode }) => errorCode);
}

async function producerIdError(client: WireClient): Promise<number> {
  const request = { transactionalId: null, transactionTimeoutMs: 1000, producerId: -1, producerEpoch: -1 };
  return (await client.ask(initProducerIdApi, 4, request)).errorCode;
}

describe.skipIf(missing !== undefined)(titled("a sync of the state that fails", missing), () => {
  test("is an error that clients try again, until the next start, and records go on", async () => {
    await using bench = new Bench();
    const observed = await Observed.start(bench, []);
    const ledger = new Ledger("t");
    await ledger.create(observed.wire);
    await ledger.fill(observed.wire, 3, 100);
    const client = await WireClient.connect(observed.server.started.kafka.port);
    expect(await commit(client)).toBe(NO_ERROR);
    {
      const log = join(bench.data, "meta.db-wal");
      const faults = [{ calls: "fdatasync", error: "EIO", when: "1" }] as const;
      await using failing = await FailingCalls.attach(observed.server.child.pid, faults, [log]);
      expect(await commit(client)).toBe(wireCode("COORDINATOR_NOT_AVAILABLE"));
      expect(failing.count).toBeGreaterThan(0);
    }
    // The disk works again by now; what the failed sync has left of the file is not known.
    expect(await commit(client)).toBe(wireCode("COORDINATOR_NOT_AVAILABLE"));
    expect(await producerIdError(client)).toBe(wireCode("COORDINATOR_LOAD_IN_PROGRESS"));
    expect(await topicErrors(client, ["t", "new"])).toEqual([NO_ERROR, wireCode("LEADER_NOT_AVAILABLE")]);
    await ledger.fill(observed.wire, 3, 100);
    await ledger.check(observed.wire);
    expect(await observed.health()).toMatchObject({ status: "degraded", offline: 0, findings: 1 });
    client.close();
    await observed.stop();
    expect(observed.log).toContain("the state file could not be synced");
    expect(observed.log).not.toContain("a request failed");

    const again = await Observed.start(bench, []);
    const next = await WireClient.connect(again.server.started.kafka.port);
    expect([await commit(next), await producerIdError(next)]).toEqual([NO_ERROR, NO_ERROR]);
    expect(await topicErrors(next, ["t", "new"])).toEqual([NO_ERROR, NO_ERROR]);
    await ledger.check(again.wire);
    next.close();
    expect(await again.stop()).toBe(0);
  });
});
