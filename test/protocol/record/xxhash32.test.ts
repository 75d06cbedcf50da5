/** The published check values, and bytes in parts. */

import { expect, test } from "bun:test";
import { Xxhash32, xxhash32 } from "../../../src/protocol/record/xxhash32.ts";

test("it gives the published values", () => {
  const known: [string, number][] = [
    ["", 0x02cc_5d05],
    ["a", 0x550d_7456],
    ["abc", 0x32d1_53ff],
    ["Nobody inspects the spammish repetition", 0xe229_3b2f],
  ];
  for (const [text, sum] of known)
    expect([text, xxhash32(Buffer.from(text), 0, text.length)]).toEqual([text, sum]);
});

test("it agrees with the runtime's, however the bytes come in parts", () => {
  const bytes = Buffer.alloc(200, "0123456789abcdefghijklmnop");
  for (let end = 0; end <= bytes.length; end += 1) {
    const expected = Bun.hash.xxHash32(bytes.subarray(0, end));
    expect([end, xxhash32(bytes, 0, end)]).toEqual([end, expected]);
    const hash = new Xxhash32();
    for (let at = 0; at < end; at += 7) hash.add(bytes, at, Math.min(at + 7, end));
    expect([end, hash.digest()]).toEqual([end, expected]);
  }
});
