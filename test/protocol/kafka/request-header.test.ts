import { describe, expect, test } from "bun:test";
import { ObeliskError } from "../../../src/base/errors.ts";
import { apiVersionsApi, apiVersionsResponseVersion } from "../../../src/protocol/kafka/apis/api-versions.ts";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { decodeCorrelationId, decodeRequestHeader } from "../../../src/protocol/kafka/request-header.ts";
import { frameOf } from "../../support/encoded.ts";

const decode = (hex: string) => {
  const frame = Buffer.from(hex.replaceAll(" ", ""), "hex");
  return decodeRequestHeader(frame, 0, frame.length);
};

describe("the header of a request", () => {
  test("an inflexible version has no tags", () => {
    expect(decode("0003 0001 00000007 0002 6869 ffffffff")).toEqual({
      key: 3,
      version: 1,
      correlationId: 7,
      clientId: "hi",
      api: metadataApi,
      bodyPosition: 12,
    });
  });

  test("a flexible version has tags after a client id that is still plain", () => {
    expect(decode("0001 000c 00000007 0002 6869 01 05 01 aa")).toEqual({
      key: 1,
      version: 12,
      correlationId: 7,
      clientId: "hi",
      api: fetchApi,
      bodyPosition: 16,
    });
  });

  test("the client id may be null", () => {
    expect(decode("0003 0001 00000007 ffff").clientId).toBeNull();
  });

  test("an unknown key or version still tells who asks", () => {
    const known = { correlationId: 7, clientId: "hi", api: null, bodyPosition: -1 };
    expect(decode("03e7 0001 00000007 0002 6869 00")).toEqual({ key: 999, version: 1, ...known });
    expect(decode("0012 0063 00000007 0002 6869 00")).toEqual({ key: 18, version: 99, ...known });
    expect(decode("0001 ffff 00000007 0002 6869 00")).toEqual({ key: 1, version: -1, ...known });
  });

  test("an unknown key with a client id that cannot be read has none", () => {
    for (const rest of ["", "00", "ffff", "8000", "0003 6869"]) {
      expect(decode(`03e7 0001 00000007 ${rest}`).clientId).toBeNull();
    }
  });

  test("less than a header, and a damaged one of a known API, is refused", () => {
    for (const hex of [
      "",
      "0003 0001 000000",
      "0003 0001 00000007 0003 6869",
      "0001 000c 00000007 ffff 01",
    ]) {
      expect(() => decode(hex)).toThrow(ObeliskError);
    }
  });
});

test("the correlation id of a response is read without anything else", () => {
  expect(decodeCorrelationId(Buffer.from("aa00000007", "hex"), 1, 5)).toBe(7);
  expect(() => decodeCorrelationId(Buffer.alloc(3), 0, 3)).toThrow(ObeliskError);
});

describe("the response to ApiVersions", () => {
  test("its header has no tags in any version", () => {
    for (let version = 0; version <= 4; version += 1) {
      const frame = frameOf(apiVersionsApi.encodeResponse(version, 7, { errorCode: 0, apiKeys: [] }));
      expect(frame.toString("hex", 4, 10)).toBe("000000070000");
    }
  });

  test("a refusal is decoded as version 0, whatever was requested", () => {
    const apiKeys = [{ apiKey: 18, minVersion: 0, maxVersion: 4 }];
    const refusal = frameOf(apiVersionsApi.encodeResponse(0, 7, { errorCode: 35, apiKeys }));
    expect(apiVersionsResponseVersion(4, refusal, 4, refusal.length)).toBe(0);
    expect(apiVersionsApi.decodeResponse(0, refusal, 4, refusal.length).apiKeys).toEqual(apiKeys);
    const response = frameOf(apiVersionsApi.encodeResponse(4, 7, { errorCode: 0, apiKeys }));
    expect(apiVersionsResponseVersion(4, response, 4, response.length)).toBe(4);
    expect(apiVersionsResponseVersion(4, response, 4, 8)).toBe(4);
  });
});
