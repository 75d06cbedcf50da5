/**
 * Bytes that real clients and a real broker exchanged. Decoding them gives the values that are kept beside them, and
 * encoding those values gives the bytes again: every one, so that nothing was overlooked or made up.
 */

import { describe, expect, test } from "bun:test";
import type { ByteSource } from "../../../src/base/byte-source.ts";
import type { Api } from "../../../src/protocol/kafka/api.ts";
import { decodeCorrelationId, decodeRequestHeader } from "../../../src/protocol/kafka/request-header.ts";
import type { Encoded } from "../../../src/protocol/kafka/writer.ts";
import { frameOf } from "../../support/encoded.ts";
import { decodeRequestFrame, readGoldenVectors } from "./golden-vectors.ts";
import type { Value } from "./sample-values.ts";

type LooseApi = Api<Value, Value, Value, Value>;

/** Brokers close the connection at an older one; foreign-codecs.test.ts judges those. */
const PRODUCE_VERSION_MIN = 3;

const sets = await readGoldenVectors();

describe.each(sets.map(([api, vectors]) => [api.name, vectors, api] as const))(
  "%s",
  (_name, vectors, anyApi) => {
    const api = anyApi as unknown as LooseApi;

    test.each(vectors.map((vector) => [vector.version, vector.client, vector] as const))(
      "version %d as %s sends it",
      (version, _client, vector) => {
        const request = Buffer.from(vector.request, "hex");
        const header = decodeRequestHeader(request, 0, request.length);
        expect({ api: header.api?.name, version: header.version }).toEqual({ api: api.name, version });
        const requestValue = decodeRequestFrame(anyApi, request);
        expect(requestValue).toEqual(vector.requestValue);
        const { correlationId, clientId } = header;
        expect(hexOf(api.encodeRequest(version, correlationId, clientId, requestValue as Value))).toBe(
          vector.request,
        );

        if (vector.response === null) return;
        const response = Buffer.from(vector.response, "hex");
        const responseValue = api.decodeResponse(version, response, 0, response.length);
        expect(responseValue).toEqual(vector.responseValue as Value);
        const responded = decodeCorrelationId(response, 0, response.length);
        expect(responded).toBe(correlationId);
        expect(hexOf(api.encodeResponse(version, responded, responseValue))).toBe(vector.response);
      },
    );
  },
);

test("there is a vector for every version that a broker of today supports", () => {
  const missing: string[] = [];
  for (const [api, vectors] of sets) {
    const responded = vectors.filter((vector) => vector.response !== null);
    const versions = new Set(responded.map((vector) => vector.version));
    for (let version = api.versionMin; version <= api.versionMax; version += 1) {
      const isRefused = api.name === "Produce" && version < PRODUCE_VERSION_MIN;
      if (!isRefused && !versions.has(version)) missing.push(`${api.name} ${version}`);
    }
  }
  expect(missing).toEqual([]);
});

function hexOf(encoded: Encoded<Buffer | ByteSource>): string {
  return frameOf(encoded).toString("hex", 4);
}
