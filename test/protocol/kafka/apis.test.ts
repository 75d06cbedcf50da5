/**
 * What must hold for every API in every version, in both directions: values survive, and no bytes whatever make
 * the decoder do anything but return or throw ObeliskError. Samples are made from the declarations.
 */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ByteSource } from "../../../src/base/byte-source.ts";
import { ObeliskError } from "../../../src/base/errors.ts";
import type { Api } from "../../../src/protocol/kafka/api.ts";
import { APIS, apiByKey, apiTable } from "../../../src/protocol/kafka/apis.ts";
import { decodeRequestHeader } from "../../../src/protocol/kafka/request-header.ts";
import type { Encoded } from "../../../src/protocol/kafka/writer.ts";
import { frameOf } from "../../support/encoded.ts";
import { arbitraryOf, sampleOf, type Value, versionsOf } from "./sample-values.ts";

type LooseApi = Api<Value, Value, Value, Value>;

const RUNS = 15;
const CLIENT_ID = "klient-ü";

describe.each(versionsOf(APIS))("%s version %d", (_name, version, anyApi) => {
  const api = anyApi as unknown as LooseApi;
  const requestFrame = () =>
    checkedFrameOf(api.encodeRequest(version, 7, CLIENT_ID, sampleOf(api.requestFields, version)));
  const responseFrame = () =>
    checkedFrameOf(api.encodeResponse(version, 7, sampleOf(api.responseFields, version)));
  const decodeRequest = (frame: Buffer) => {
    const header = decodeRequestHeader(frame, 4, frame.length);
    return api.decodeRequest(version, frame, header.bodyPosition, frame.length);
  };
  const decodeResponse = (frame: Buffer) => api.decodeResponse(version, frame, 4, frame.length);

  test("a request survives the wire", () => {
    const property = fc.property(arbitraryOf(api.requestFields, version), (request) => {
      const frame = checkedFrameOf(api.encodeRequest(version, 7, CLIENT_ID, request));
      const header = decodeRequestHeader(frame, 4, frame.length);
      expect(header).toEqual({
        key: api.key,
        version,
        correlationId: 7,
        clientId: CLIENT_ID,
        api: anyApi,
        bodyPosition: header.bodyPosition,
      });
      expect(decodeRequest(frame)).toEqual(request);
    });
    fc.assert(property, { numRuns: RUNS });
  });

  test("a response survives the wire", () => {
    const property = fc.property(arbitraryOf(api.responseFields, version), (response) => {
      expect(decodeResponse(checkedFrameOf(api.encodeResponse(version, 7, response)))).toEqual(response);
    });
    fc.assert(property, { numRuns: RUNS });
  });

  test("a frame that was cut anywhere is refused", () => {
    const request = requestFrame();
    for (let end = 4; end < request.length; end += 1)
      expectRefusal(() => decodeRequest(request.subarray(0, end)));
    const response = responseFrame();
    for (let end = 4; end < response.length; end += 1)
      expectRefusal(() => decodeResponse(response.subarray(0, end)));
  });

  test("bytes after a body are ignored", () => {
    const stray = Buffer.from([0, 1, 0xff]);
    const request = requestFrame();
    expect(decodeRequest(Buffer.concat([request, stray]))).toEqual(decodeRequest(request));
    const response = responseFrame();
    expect(decodeResponse(Buffer.concat([response, stray]))).toEqual(decodeResponse(response));
  });

  test("no flipped bit and no hostile length does more than a refusal", () => {
    eachDamage(requestFrame(), (frame) => {
      const { bodyPosition } = decodeRequestHeader(frame, 4, frame.length);
      if (bodyPosition !== -1) api.decodeRequest(version, frame, bodyPosition, frame.length);
    });
    eachDamage(responseFrame(), decodeResponse);
  });
});

test("every number is there once, in ascending order, and can be looked up", () => {
  const keys = APIS.map((api) => api.key);
  expect(keys).toEqual([...new Set(keys)].toSorted((a, b) => a - b));
  for (const api of APIS) expect(apiByKey(api.key)).toBe(api);
  expect(apiByKey(4)).toBeUndefined();
});

test("the table for the documentation names every API", () => {
  const lines = apiTable().split("\n");
  expect(lines.length).toBe(APIS.length + 2);
  expect(lines).toContain("| 0 | Produce | 0-13 | 9 |");
  expect(lines).toContain("| 17 | SaslHandshake | 0-1 | never |");
});

function checkedFrameOf(encoded: Encoded<Buffer | ByteSource>): Buffer {
  const frame = frameOf(encoded);
  expect(encoded.bytes).toBe(frame.length);
  expect(frame.readInt32BE(0)).toBe(frame.length - 4);
  return frame;
}

function expectRefusal(decode: () => unknown): void {
  let thrown: unknown;
  try {
    decode();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ObeliskError);
}

/** Flips each bit, and puts the largest and the smallest length at each place. */
function eachDamage(frame: Buffer, decode: (frame: Buffer) => unknown): void {
  const attempt = (damaged: Buffer) => {
    try {
      decode(damaged);
    } catch (error) {
      if (!(error instanceof ObeliskError)) throw error;
    }
  };
  for (let position = 4; position < frame.length; position += 1) {
    for (let bit = 1; bit < 0x100; bit *= 2) {
      const damaged = Buffer.from(frame);
      damaged[position]! ^= bit;
      attempt(damaged);
    }
    for (const hostile of ["7fffffff", "80000000", "fffffffe", "ffffffff07"]) {
      const damaged = Buffer.from(frame);
      damaged.write(hostile, position, "hex");
      attempt(damaged);
    }
  }
}
