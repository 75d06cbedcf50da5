import { expect, test } from "bun:test";
import { UnwrittenResponses } from "../../../src/api/kafka/unwritten.ts";
import { InvariantError } from "../../../src/base/assert.ts";

test("what responses hold is given back in order, each once, as soon as the last byte of it is out", () => {
  const responses = new UnwrittenResponses();
  expect(responses.written(1000)).toBe(0);
  responses.add(10, 1010, []);
  responses.add(20, 1050, []);
  responses.add(5, 1050, []);
  expect([1009, 1010, 1049, 1050, 2000].map((bytesOut) => responses.written(bytesOut))).toEqual([
    0, 10, 0, 25, 0,
  ]);
});

test("responses are written in order", () => {
  const responses = new UnwrittenResponses();
  responses.add(10, 100, []);
  expect(() => responses.add(10, 99, [])).toThrow(InvariantError);
});
