/** What the declarations promise about defaults, versions, null and tags, on a declaration made for it. */

import { describe, expect, test } from "bun:test";
import { ObeliskError } from "../../../src/base/errors.ts";
import { defineApi } from "../../../src/protocol/kafka/api.ts";
import {
  array,
  bytes,
  int32,
  nullableArray,
  nullableString,
  string,
  taggedStruct,
  uuid,
  ZERO_UUID,
} from "../../../src/protocol/kafka/schema.ts";

const api = defineApi({
  key: 999,
  name: "Example",
  versions: "0-3",
  flexibleFrom: 2,
  request: {
    always: string("0+"),
    ignorable: int32("1+", { default: 5, ignorable: true }),
    needed: int32("1+", { default: 5 }),
    group: uuid("1+", { default: ZERO_UUID }),
    names: nullableArray("0+", string("0+"), { nullable: "1+" }),
    note: nullableString("1+", { default: null, nullable: "2+" }),
    // Declared out of order: on the wire tags ascend.
    second: array("2+", int32("2+"), { default: [], tag: 4 }),
    first: taggedStruct("2+", 1, { id: int32("2+", { default: -1 }) }),
    token: bytes("3+"),
  },
  response: { errorCode: int32("0+") },
});

const none = Buffer.alloc(0);

function bodyOf(version: number, request: Parameters<typeof api.encodeRequest>[3]): string {
  const frame = Buffer.concat(api.encodeRequest(version, 1, null, request).parts);
  return frame.toString("hex", version >= 2 ? 15 : 14);
}

function decodeBody(version: number, hex: string): ReturnType<typeof api.decodeRequest> {
  const body = Buffer.from(hex.replaceAll(" ", ""), "hex");
  return api.decodeRequest(version, body, 0, body.length);
}

function refusalOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ObeliskError) return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("encoding", () => {
  test("a field that is left out takes its default", () => {
    expect(bodyOf(1, { always: "a", names: [], note: "n", token: none })).toBe(
      `000161${"00000005".repeat(2)}${"00".repeat(16)}00000000${"00016e"}`,
    );
  });

  test("a value that the version has no room for is dropped when it may be, else refused", () => {
    expect(bodyOf(0, { always: "a", names: [], ignorable: 9, token: none })).toBe("00016100000000");
    expect(refusalOf(() => bodyOf(0, { always: "a", names: [], needed: 9, token: none }))).toBe(
      "the field needed does not exist in version 0 of Example",
    );
    expect(refusalOf(() => bodyOf(0, { always: "a", names: [], group: "x", token: none }))).toContain(
      "group",
    );
    expect(
      refusalOf(() => bodyOf(1, { always: "a", names: [], note: "", second: [1], token: none })),
    ).toContain("second");
    expect(refusalOf(() => bodyOf(0, { always: "a", names: [], token: Buffer.from("x") }))).toContain(
      "token",
    );
  });

  test("the default of a field that the version has no room for is no obstacle", () => {
    const request = {
      always: "a",
      names: [],
      needed: 5,
      group: ZERO_UUID,
      note: null,
      second: [],
      first: null,
    };
    expect(bodyOf(0, { ...request, token: none })).toBe("00016100000000");
  });

  test("null is refused where the version does not allow it", () => {
    expect(refusalOf(() => bodyOf(0, { always: "a", names: null, token: none }))).toBe(
      "the field names cannot be null in version 0 of Example",
    );
    expect(refusalOf(() => bodyOf(1, { always: "a", names: null, token: none }))).toContain(
      "note cannot be null",
    );
    expect(bodyOf(2, { always: "a", names: null, token: none })).toBe(
      `0261${"00000005".repeat(2)}${"00".repeat(16)}00${"00"}${"00"}`,
    );
  });

  test("tagged fields are written in the order of their tags, and only when they say something", () => {
    const request = { always: "", ignorable: 0, needed: 0, names: [], token: none };
    const plain = `01${"00000000".repeat(2)}${"00".repeat(16)}0100`;
    expect(bodyOf(2, request)).toBe(`${plain}00`);
    expect(bodyOf(2, { ...request, second: [], first: null })).toBe(`${plain}00`);
    expect(bodyOf(2, { ...request, second: [7], first: { id: 1 } })).toBe(
      `${plain}02${"0105" + "0000000100"}${"0405" + "0200000007"}`,
    );
    expect(bodyOf(2, { ...request, first: {} })).toBe(`${plain}01${"0105" + "ffffffff00"}`);
  });
});

describe("decoding", () => {
  test("what the version lacks is there with its default", () => {
    expect(decodeBody(0, "0001 61 00000001 0001 62")).toEqual({
      always: "a",
      ignorable: 5,
      needed: 5,
      group: ZERO_UUID,
      names: ["b"],
      note: null,
      second: [],
      first: null,
      token: none,
    });
  });

  const plain = `01 ${"00000000".repeat(2)} ${"00".repeat(16)} 01 00`;

  test("known tags are read, unknown ones passed over", () => {
    const request = decodeBody(2, `${plain} 03 01 05 0000000100 02 02 abcd 04 05 0200000007`);
    expect([request.first, request.second]).toEqual([{ id: 1 }, [7]]);
  });

  test("the size of a known tag is not looked at, as in Kafka's readers", () => {
    for (const size of ["04", "06", "ffffffff0f"]) {
      const request = decodeBody(2, `${plain} 02 01 ${size} 0000000100 04 05 0200000007`);
      expect([request.first, request.second]).toEqual([{ id: 1 }, [7]]);
    }
  });

  test("null is refused where the version does not allow it", () => {
    expect(refusalOf(() => decodeBody(0, "0001 61 ffffffff"))).toContain("null");
  });
});

test("a version that the codec does not know is refused", () => {
  expect(refusalOf(() => api.decodeResponse(4, none, 0, 0))).toBe("version 4 of Example is not supported");
});
