/** One rule for hosts and addresses, wherever they are given. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatAddress, isLoopback, isWildcard, parseAddress, parseHost } from "../../src/base/address.ts";

describe("hosts", () => {
  test("all addresses of the machine are known in every spelling", () => {
    for (const text of [
      "*",
      "0",
      "0.0.0.0",
      "::",
      "::0",
      "[::]",
      "[::0]",
      "0:0:0:0:0:0:0:0",
      "::ffff:0.0.0.0",
    ]) {
      const host = parseHost(text)!;
      expect([text, host.includes(":") ? "::" : "0.0.0.0", isWildcard(host)]).toEqual([text, host, true]);
    }
  });

  test("each has one spelling", () => {
    expect(
      [
        "localhost",
        "LocalHost",
        "broker.example",
        "My_Service-1",
        "127.0.0.1",
        "[::1]",
        "0:0::1",
        "2001:DB8:0:0::1",
        "::ffff:10.0.0.1",
        "fe80::1%eth0",
        "[FE80:0::1%en-0.1]",
        " 10.0.0.1 ",
      ].map(parseHost),
    ).toEqual([
      "localhost",
      "localhost",
      "broker.example",
      "My_Service-1",
      "127.0.0.1",
      "::1",
      "::1",
      "2001:db8::1",
      "10.0.0.1",
      "fe80::1%eth0",
      "fe80::1%en-0.1",
      "10.0.0.1",
    ]);
  });

  test("what is no host, or one to some programs only, is none", () => {
    for (const text of [
      "",
      "a b",
      "a:1",
      "[::1]:1",
      "[localhost]",
      "[10.0.0.1]",
      "http://a",
      "a/b",
      "a@b",
      "-a",
      "a..b",
      "127.1",
      "0x7f.1",
      "0x7f000001",
      "2130706433",
      "010.0.0.1",
      "1.2.3.256",
      "1.2.3.4.5",
      "::1%",
      "::g",
      "1.2.3.4%eth0",
      "a%eth0",
      "*.example",
      "bücher.example",
      "a".repeat(254),
    ]) {
      expect([text, parseHost(text)]).toEqual([text, undefined]);
    }
  });

  test("loopback is told from the rest", () => {
    expect(["localhost", "127.0.0.1", "127.9.9.9", "::1"].map(isLoopback)).toEqual([true, true, true, true]);
    expect(["0.0.0.0", "::", "10.0.0.1", "127.example", "fe80::1%lo"].map(isLoopback)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe("addresses", () => {
  test("are read with a port, or get one", () => {
    expect(
      ["a", "a:1", "[::1]", "[::1]:65535", "[fe80::1%eth0]:2", "*:3"].map((text) => parseAddress(text, 9092)),
    ).toEqual([
      { host: "a", port: 9092 },
      { host: "a", port: 1 },
      { host: "::1", port: 9092 },
      { host: "::1", port: 65_535 },
      { host: "fe80::1%eth0", port: 2 },
      { host: "::", port: 3 },
    ]);
    expect(parseAddress("a", null)).toBeUndefined();
  });

  test("need a port from 1 to 65535, and brackets around IPv6", () => {
    for (const text of [
      "",
      "a:",
      "a:0",
      "a:65536",
      "a:-1",
      "a:1.5",
      "a:0x1",
      "::1",
      "::1:9092",
      "fe80::1%eth0:1",
      ":1",
    ]) {
      expect([text, parseAddress(text, 9092)]).toEqual([text, undefined]);
    }
  });

  test("are written as they are read", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()),
        fc.integer({ min: 1, max: 65_535 }),
        (text, port) => {
          const host = parseHost(text)!;
          expect(parseAddress(formatAddress({ host, port }), null)).toEqual({ host, port });
        },
      ),
    );
  });
});
