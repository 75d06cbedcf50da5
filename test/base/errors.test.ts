import { expect, test } from "bun:test";
import { ERRORS, errnoOf, errorCodeOf, ObeliskError, toObeliskError } from "../../src/base/errors.ts";

test("an error says what, where, why and what to do", () => {
  const error = new ObeliskError(
    "DISK_FULL",
    { topic: "t", partition: 3, file: "a.log", position: 17, remedy: "make room" },
    new Error("ENOSPC"),
  );
  expect(error.message).toBe("the disk is full (partition t-3, file a.log, position 17): ENOSPC; make room");
  expect([error.wire, error.retriable, error.httpStatus, error.exitCode]).toEqual([56, true, 507, 2]);
});

test("wire numbers that Kafka gives a meaning to are unique, and lead back to their code", () => {
  const own = new Set(["DISK_FULL", "STATE_UNUSABLE"]); // both are a storage error to peers
  const codes = Object.entries(ERRORS).filter(([code, { wire }]) => wire > 0 && !own.has(code));
  expect(new Set(codes.map(([, { wire }]) => wire)).size).toBe(codes.length);
  for (const [code, { wire }] of codes) expect<string>(errorCodeOf(wire)).toBe(code);
  expect(errorCodeOf(9999)).toBe("UNKNOWN_SERVER_ERROR");
});

test("whatever was thrown becomes an error of ours, and an errno is found where there is one", () => {
  const own = new ObeliskError("DISK_FULL");
  expect(toObeliskError(own)).toBe(own);
  expect(toObeliskError("text").code).toBe("UNKNOWN_SERVER_ERROR");
  expect([errnoOf({ code: "EIO" }), errnoOf({ code: 5 }), errnoOf(null)]).toEqual([
    "EIO",
    undefined,
    undefined,
  ]);
});
