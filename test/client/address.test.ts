import { describe, expect, test } from "bun:test";
import { formatAddress } from "../../src/base/address.ts";
import { readAddresses } from "../../src/client/address.ts";

describe("addresses", () => {
  test("a list names hosts with ports, and a port that is left out is the default", () => {
    expect(readAddresses("localhost, 10.0.0.1:9094,[::1]:9093,[fe80::1]", 9092)).toEqual([
      { host: "localhost", port: 9092 },
      { host: "10.0.0.1", port: 9094 },
      { host: "::1", port: 9093 },
      { host: "fe80::1", port: 9092 },
    ]);
  });

  test("what is not an address is refused with an example of one", () => {
    for (const text of [
      "",
      ",",
      "a b",
      "host:",
      "host:0",
      "host:65536",
      "host:nine",
      "::1",
      "http://host:1",
      "a:1:2",
    ]) {
      expect(() => readAddresses(text, 9092)).toThrow("is not an address");
    }
  });

  test("an address is written as it is read", () => {
    expect(["a:1", "[::1]:2"].map((text) => formatAddress(readAddresses(text, 0)[0]!))).toEqual([
      "a:1",
      "[::1]:2",
    ]);
  });
});
