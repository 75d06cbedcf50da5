/** One entry of a request over and over: millions of times, and as often as a request may have it. */

import { findCoordinatorApi } from "../../../../src/protocol/kafka/apis/find-coordinator.ts";
import { batchOf } from "../../../support/batches.ts";
import type { Attack, Stage } from "../support/attack.ts";
import { frame, int16, int32, int64, repeatedFrame, text } from "../support/frames.ts";
import { GROUP, prepareWide, requestOnce, WIDE } from "../support/wide.ts";

/** Fewer than the limit of one request, with what stands around them, and than that of one Fetch. */
const ELEMENTS = 130_000;
const FETCH_ELEMENTS = 65_000;

/** As many entries as one request may have, and far more. */
function entries(stage: Stage, isMany: boolean, within = ELEMENTS): number {
  if (isMany) return stage.size({ full: 1_900_000, quick: 1_900_000, suite: 300_000 });
  return stage.size({ full: within, quick: within, suite: within / 5 });
}

const NO_BYTES = Buffer.alloc(0);

interface Repeated {
  readonly name: string;
  readonly what: string;
  readonly key: number;
  readonly version: number;
  readonly before?: Uint8Array;
  readonly entry: Uint8Array;
  readonly after?: Uint8Array;
  /** Where in the entry seven digits count up: each is different. */
  readonly digitsAt?: number;
  /** How many one request may have, where that is not `ELEMENTS`. */
  readonly within?: number;
}

/** One entry over and over: millions of times, and as often as a request may have it. */
function repeated({
  name,
  what,
  key,
  version,
  before,
  entry,
  after = NO_BYTES,
  digitsAt,
  within = ELEMENTS,
}: Repeated): Attack[] {
  return [true, false].map((isMany) => ({
    name: isMany ? name : `${name}-within`,
    what: `${what}, ${isMany ? "1.9 million" : within.toLocaleString("en")} times`,
    isOneRequest: true,
    prepare: (stage) => prepareWide(stage, 1),
    run: async (stage) => {
      const count = entries(stage, isMany, within);
      const request = repeatedFrame(key, version, { before: before ?? NO_BYTES, entry, count, after });
      const first = request.length - after.length - count * entry.length;
      for (let n = 0; digitsAt !== undefined && n < count; n += 1) {
        request.write(`${n}`.padStart(7, "0"), first + n * entry.length + digitsAt);
      }
      const heard = await requestOnce(stage, request);
      if (isMany) stage.expect(heard.kind === "cut", `${what}: so many elements were not refused`);
      else stage.expect(heard.kind === "response", `${what}: as many as there may be met ${heard.kind}`);
    },
  }));
}

const ONE_RECORD = batchOf(["r"]);
const newTopic = (name: string) => Buffer.concat([text(name), int32(1), int16(1), int32(0), int32(0)]);
const createEnd = Buffer.concat([int32(60_000), Buffer.from([0])]);
const produceStart = Buffer.concat([int16(-1), int16(-1), int32(30_000), int32(1), text(WIDE)]);
const commitStart = Buffer.concat([text(GROUP), int32(-1), text(""), int64(-1), int32(1), text(WIDE)]);
const fetchStart = Buffer.concat([
  int32(-1),
  int32(100),
  int32(1),
  int32(1 << 20),
  Buffer.from([0]),
  int32(1),
  text(WIDE),
]);

const repetitions: readonly Repeated[] = [
  {
    name: "create-topics",
    what: "CreateTopics of one name",
    key: 19,
    version: 2,
    entry: newTopic("again"),
    after: createEnd,
  },
  {
    name: "create-topics-apart",
    what: "CreateTopics of different names",
    key: 19,
    version: 2,
    entry: newTopic("n0000000"),
    after: createEnd,
    digitsAt: 3,
  },
  {
    name: "create-topics-assignments",
    what: "CreateTopics of one topic with an assignment",
    key: 19,
    version: 2,
    before: Buffer.concat([int32(1), text("assigned"), int32(-1), int16(-1)]),
    entry: Buffer.concat([int32(0), int32(0)]),
    after: Buffer.concat([int32(0), createEnd]),
  },
  {
    name: "delete-topics",
    what: "DeleteTopics of one name",
    key: 20,
    version: 3,
    entry: text("not-there"),
    after: int32(60_000),
  },
  {
    name: "produce-empty",
    what: "Produce to one partition without records",
    key: 0,
    version: 8,
    before: produceStart,
    entry: Buffer.concat([int32(0), int32(-1)]),
  },
  {
    name: "produce-small",
    what: "Produce of one record to one partition",
    key: 0,
    version: 8,
    before: produceStart,
    entry: Buffer.concat([int32(0), int32(ONE_RECORD.length), ONE_RECORD]),
  },
  {
    name: "fetch-repeated",
    what: "Fetch of one partition",
    key: 1,
    version: 4,
    before: fetchStart,
    within: FETCH_ELEMENTS,
    entry: Buffer.concat([int32(0), int64(0), int32(1 << 20)]),
  },
  {
    name: "offset-commit-repeated",
    what: "OffsetCommit of one partition",
    key: 8,
    version: 2,
    before: commitStart,
    entry: Buffer.concat([int32(0), int64(1), int16(-1)]),
  },
  {
    name: "leader-epoch-repeated",
    what: "OffsetForLeaderEpoch of one partition",
    key: 23,
    version: 2,
    before: Buffer.concat([int32(1), text(WIDE)]),
    entry: Buffer.concat([int32(0), int32(-1), int32(0)]),
  },
  {
    name: "metadata-names",
    what: "Metadata of different names",
    key: 3,
    version: 4,
    entry: text("n0000000"),
    after: Buffer.from([0]),
    digitsAt: 3,
  },
];

const coordinators: Attack = {
  name: "find-coordinator-within",
  what: "FindCoordinator that names one group 130,000 times",
  isOneRequest: true,
  run: async (stage) => {
    const coordinatorKeys = Array.from({ length: entries(stage, false) }, () => GROUP);
    await requestOnce(stage, frame(findCoordinatorApi, 4, { keyType: 0, coordinatorKeys }));
  },
};

export const repeatedEntries: readonly Attack[] = [...repetitions.flatMap(repeated), coordinators];

/** All of them on one server. */
export const entriesTogether: Attack = {
  name: "repeated-entries",
  what: "one entry of a request over and over, in each API",
  prepare: (stage) => prepareWide(stage, 1),
  run: async (stage) => {
    for (const attack of repeatedEntries) await attack.run(stage);
  },
};
