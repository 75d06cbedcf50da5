import { afterAll, beforeAll, expect, test } from "bun:test";
import { ROUTES } from "../../../src/api/kafka/apis.ts";
import { apiVersionsApi } from "../../../src/protocol/kafka/apis/api-versions.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";

let api: TestKafkaApi;
beforeAll(async () => {
  api = await openKafkaApi();
});
afterAll(() => api.stop());

/** The promise to clients: what is supported, by key. */
const SUPPORTED = {
  0: [0, 13],
  1: [4, 18],
  2: [1, 11],
  3: [0, 13],
  8: [2, 10],
  9: [1, 10],
  10: [0, 6],
  11: [0, 9],
  12: [0, 4],
  13: [0, 5],
  14: [0, 5],
  15: [0, 6],
  16: [0, 5],
  18: [0, 4],
  19: [2, 7],
  20: [1, 6],
  21: [0, 2],
  22: [0, 5],
  23: [2, 4],
  32: [1, 4],
  33: [0, 2],
  34: [1, 2],
  35: [1, 5],
  37: [0, 3],
  42: [0, 2],
  43: [0, 2],
  44: [0, 1],
  45: [0, 1],
  46: [0, 0],
  47: [0, 0],
  48: [0, 1],
  55: [0, 2],
  57: [0, 2],
  60: [0, 2],
  61: [0, 0],
  68: [0, 1],
  69: [0, 1],
  74: [0, 1],
  75: [0, 0],
};

const NAMED = { clientSoftwareName: "test", clientSoftwareVersion: "1.0" };

for (const version of [0, 1, 2, 3, 4]) {
  test(`version ${version} lists exactly what is supported, Produce from 0`, async () => {
    const client = await api.connect();
    const response = await client.ask(apiVersionsApi, version, NAMED);
    const ranges = response.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [
      apiKey,
      [minVersion, maxVersion],
    ]);
    expect(response.errorCode).toBe(0);
    expect(Object.fromEntries(ranges)).toEqual(SUPPORTED);
  });
}

test("everything that is advertised can be decoded and encoded by the codec", () => {
  for (const { key, versionMin, versionMax } of ROUTES) {
    expect([key, [versionMin, versionMax]]).toEqual([key, SUPPORTED[key as keyof typeof SUPPORTED]]);
  }
});

test("the response to version 3 has a header without tags", async () => {
  const client = await api.connect();
  client.send(apiVersionsApi, 3, NAMED);
  const frame = (await client.take())!;
  expect(frame.readInt32BE(0)).toBe(1);
  expect(frame.readInt16BE(4)).toBe(0);
  expect(frame[6]).toBe(Object.keys(SUPPORTED).length + 1);
});

test("an unknown version is answered in version 0 with error 35 and the list, and the connection goes on", async () => {
  const client = await api.connect();
  const request = Buffer.from(
    "00000010" + "0012" + "0063" + "00000007" + "0004" + "74657374" + "0000",
    "hex",
  );
  client.sendBytes(request);
  const frame = (await client.take())!;
  const response = apiVersionsApi.decodeResponse(0, frame, 0, frame.length);
  expect(frame.readInt32BE(0)).toBe(7);
  expect(response.errorCode).toBe(35);
  expect(response.apiKeys.length).toBe(Object.keys(SUPPORTED).length);
  expect((await client.ask(apiVersionsApi, 0, NAMED)).errorCode).toBe(0);
});

test("a software name may be as long as a string can be", async () => {
  const client = await api.connect();
  const request = { clientSoftwareName: "n".repeat(0x7fff), clientSoftwareVersion: "1.2.3-rc.4" };
  expect(await client.ask(apiVersionsApi, 3, request)).toMatchObject({ errorCode: 0 });
});

for (const [name, version] of [
  ["", "1"],
  ["x\n", "1"],
  ["ä", "1"],
  ["-x", "1"],
  ["x y", "1"],
  ["x", ""],
  ["x", "1."],
] as const) {
  test(`from version 3 the software ${JSON.stringify([name, version])} is an invalid request`, async () => {
    const client = await api.connect();
    const request = { clientSoftwareName: name, clientSoftwareVersion: version };
    expect(await client.ask(apiVersionsApi, 3, request)).toMatchObject({ errorCode: 42, apiKeys: [] });
  });
}
