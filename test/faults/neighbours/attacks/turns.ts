/** Work that is long in one piece: removing much, committing much, creating much. */

import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { KiB, MiB } from "../../../../src/base/units.ts";
import { createTopicsApi } from "../../../../src/protocol/kafka/apis/create-topics.ts";
import { deleteTopicsApi } from "../../../../src/protocol/kafka/apis/delete-topics.ts";
import { offsetCommitApi } from "../../../../src/protocol/kafka/apis/offset-commit.ts";
import { batchOf } from "../../../support/batches.ts";
import type { Attack, Load, Stage } from "../support/attack.ts";
import { commitFrame } from "../support/commits.ts";
import { createFrame, deleteFrame, produceFrame } from "../support/frames.ts";

const TOPIC = "doomed";

async function create(stage: Stage, partitions: number): Promise<void> {
  const peer = await stage.kafka();
  await peer.request(createFrame(TOPIC, partitions), 60_000);
  peer.close();
}

async function removeTopic(stage: Stage): Promise<void> {
  const peer = await stage.kafka();
  const startedAt = performance.now();
  const heard = await peer.request(deleteFrame(TOPIC), stage.responseMsMax);
  stage.facts["responseMs"] = Math.round(performance.now() - startedAt);
  if (heard.kind !== "response") stage.expect(false, `the removal met ${heard.kind}`);
  else {
    const response = deleteTopicsApi.decodeResponse(4, heard.body!, 0, heard.bytes);
    stage.expect(
      response.responses[0]!.errorCode === 0,
      `the removal was refused with ${response.responses[0]!.errorCode}`,
    );
  }
  await stage.wait(stage.size({ full: 5, quick: 3, suite: 1 }));
}

const large: Attack = {
  name: "remove-large",
  what: "the removal of a topic of 2 GB",
  prepare: async (stage) => {
    await create(stage, 1);
    const values = Array.from({ length: 1023 }, (_, n) => `${n} `.padEnd(KiB, "d"));
    const request = produceFrame(TOPIC, batchOf(values));
    const peer = await stage.kafka();
    const bytes = stage.size({ full: 2048, quick: 1024, suite: 64 }) * MiB;
    for (let sent = 0; sent < bytes; sent += request.length) await peer.request(request, 60_000);
    peer.close();
  },
  run: removeTopic,
};

/** Segments of one batch each, side by side, as a server with a short `segment-ms` leaves them in time. */
function plantSegments(data: string, load: Load): void {
  const directory = join(data, "topics", TOPIC, "0");
  mkdirSync(directory, { recursive: true });
  const batch = batchOf(["d"]);
  const counts: Readonly<Record<Load, number>> = { full: 60_000, quick: 20_000, suite: 2000 };
  for (let offset = 0; offset < counts[load]; offset += 1) {
    batch.writeBigInt64BE(BigInt(offset), 0);
    batch.writeInt32BE(0, 12);
    const file = openSync(join(directory, `${`${offset}`.padStart(20, "0")}.log`), "w");
    writeSync(file, batch);
    closeSync(file);
  }
}

const segments: Attack = {
  name: "remove-segments",
  what: "the removal of a topic of 60,000 segments",
  plant: plantSegments,
  run: removeTopic,
};

const committed: Attack = {
  name: "remove-committed",
  what: "the removal of a topic with 900,000 committed offsets",
  prepare: async (stage) => {
    const partitions = 1000;
    await create(stage, partitions);
    const peer = await stage.kafka();
    for (let group = 0; group < stage.size({ full: 900, quick: 300, suite: 20 }); group += 1) {
      await peer.request(commitFrame(`group-${group}`, TOPIC, 0, partitions), 60_000);
    }
    peer.close();
  },
  run: removeTopic,
};

const commit: Attack = {
  name: "offset-commit-wide",
  what: "one OffsetCommit of 9,000 partitions with metadata of 1,000 characters",
  isOneRequest: true,
  prepare: (stage) => create(stage, stage.size({ full: 9000, quick: 9000, suite: 2000 })),
  run: async (stage) => {
    const peer = await stage.kafka();
    const count = stage.size({ full: 9000, quick: 9000, suite: 2000 });
    const request = commitFrame("wide", TOPIC, 0, count, "n".repeat(1000));
    const startedAt = performance.now();
    const heard = await peer.request(request, stage.responseMsMax);
    stage.facts["responseMs"] = Math.round(performance.now() - startedAt);
    if (heard.kind !== "response") return stage.expect(false, `the commit met ${heard.kind}`);
    const { partitions } = offsetCommitApi.decodeResponse(7, heard.body!, 0, heard.bytes).topics[0]!;
    const codes = new Set(partitions.map(({ errorCode }) => errorCode));
    stage.facts["codes"] = [...codes].join(" ");
    stage.expect(
      [...codes].every((code) => code === 0),
      `the commit was refused with ${[...codes].join(", ")}`,
    );
    await stage.wait(1);
  },
};

const wide: Attack = {
  name: "create-wide",
  what: "a topic of 9,900 partitions, created and removed",
  isOneRequest: true,
  run: async (stage) => {
    const peer = await stage.kafka();
    const startedAt = performance.now();
    const count = stage.size({ full: 9900, quick: 9900, suite: 2000 });
    const heard = await peer.request(createFrame(TOPIC, count), stage.responseMsMax);
    stage.facts["createMs"] = Math.round(performance.now() - startedAt);
    if (heard.kind !== "response") return stage.expect(false, `the creation met ${heard.kind}`);
    const { errorCode } = createTopicsApi.decodeResponse(5, heard.body!, 0, heard.bytes).topics[0]!;
    stage.expect(errorCode === 0, `the creation was refused with ${errorCode}`);
    await removeTopic(stage);
  },
};

export const turns: readonly Attack[] = [large, segments, committed, commit, wide];
