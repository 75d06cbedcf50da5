/** What consumers tell each other through the coordinator: judged by kafkajs's codec, and by bytes of Java's client. */

import { expect, test } from "bun:test";
import { createRequire } from "node:module";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../../../src/protocol/group/consumer-protocol.ts";

const { MemberMetadata, MemberAssignment } = createRequire(import.meta.url)(
  "kafkajs/src/consumer/assignerProtocol",
);

const PARTITIONS = [
  { topic: "orders", partition: 0 },
  { topic: "orders", partition: 2 },
  { topic: "payments", partition: 1 },
];
const SUBSCRIPTION = { topics: ["orders", "payments"], owned: PARTITIONS, generation: 7 };

test("a subscription comes out as it went in, and kafkajs reads its topics", () => {
  const bytes = encodeSubscription(SUBSCRIPTION);
  expect(decodeSubscription(bytes)).toEqual(SUBSCRIPTION);
  expect(MemberMetadata.decode(bytes)).toMatchObject({ version: 2, topics: ["orders", "payments"] });
});

test("kafkajs's subscription owns nothing", () => {
  const bytes = MemberMetadata.encode({ version: 0, topics: ["orders"], userData: Buffer.from("anything") });
  expect(decodeSubscription(bytes)).toEqual({ topics: ["orders"], owned: [], generation: -1 });
});

test("a subscription with a rack, as Java's client writes it, is read", () => {
  const bytes = Buffer.from(
    "0003000000010001740000000400000005000000010001740000000100000009000000050001720000",
    "hex",
  );
  expect(decodeSubscription(bytes)).toEqual({
    topics: ["t"],
    owned: [{ topic: "t", partition: 9 }],
    generation: 5,
  });
});

test("where the field does not say the generation, the user data of the cooperative assignor may", () => {
  const bytes = Buffer.from("0001000000010001740000000400000005000000010001740000000100000009", "hex");
  expect(decodeSubscription(bytes)).toMatchObject({ generation: 5 });
});

test("an assignment comes out as it went in, and kafkajs reads it", () => {
  const bytes = encodeAssignment(PARTITIONS);
  expect(decodeAssignment(bytes)).toEqual(PARTITIONS);
  expect(MemberAssignment.decode(bytes)).toMatchObject({ assignment: { orders: [0, 2], payments: [1] } });
  const theirs = MemberAssignment.encode({
    version: 0,
    assignment: { orders: [0, 2] },
    userData: Buffer.alloc(0),
  });
  expect(decodeAssignment(theirs)).toEqual(PARTITIONS.slice(0, 2));
  expect(decodeAssignment(Buffer.alloc(0))).toEqual([]);
});

test("what is cut off, or claims more than there is, is none", () => {
  const bytes = encodeSubscription(SUBSCRIPTION);
  for (let length = 0; length < bytes.length; length += 1)
    expect(decodeSubscription(bytes.subarray(0, length))).toBeNull();
  const assignment = encodeAssignment(PARTITIONS);
  for (let length = 1; length < assignment.length - 4; length += 1)
    expect(decodeAssignment(assignment.subarray(0, length))).toBeNull();
  expect(decodeAssignment(Buffer.from("00017fffffff", "hex"))).toBeNull();
  expect(decodeAssignment(Buffer.from("000100000001ffff", "hex"))).toBeNull();
});
