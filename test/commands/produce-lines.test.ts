/** Lines are the bytes between two `\n`, however the input is chopped. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readLines } from "../../commands/produce-lines.ts";
import { LineCutter } from "../../src/base/line-cutter.ts";

function cut(chunks: readonly Uint8Array[], bytesMax = 1000): string[] {
  const cutter = new LineCutter(bytesMax, "the input");
  const lines = chunks.flatMap((chunk) => cutter.push(Buffer.from(chunk)));
  const last = cutter.finish();
  return (last === undefined ? lines : [...lines, last]).map((line) => line.toString("latin1"));
}

const text = (value: string) => Buffer.from(value, "latin1");

describe("lines", () => {
  test("end at \\n alone; the last one counts without it; an empty line is a line", () => {
    expect(cut([text("a\r\n\nb\0\xff")])).toEqual(["a\r", "", "b\0\xff"]);
    expect(cut([text("a\n")])).toEqual(["a"]);
    expect(cut([text("\n")])).toEqual([""]);
    expect(cut([])).toEqual([]);
  });

  test("are the same for every way to cut the input", () => {
    const byte = fc.constantFrom(0x0a, 0x0a, 0x0d, 0x61, 0xc3, 0xa9, 0x00);
    fc.assert(
      fc.property(fc.array(fc.array(byte, { maxLength: 6 }), { maxLength: 12 }), (pieces) => {
        const whole = Buffer.from(pieces.flat());
        const expected = whole.toString("latin1").split("\n");
        if (expected.at(-1) === "") expected.pop();
        expect(cut(pieces.map((piece) => Uint8Array.from(piece)))).toEqual(expected);
      }),
    );
  });

  test("that are too long are refused with their number, also when they never end", () => {
    expect(cut([text("12345\n12345")], 5)).toEqual(["12345", "12345"]);
    expect(() => cut([text("1\n123456\n")], 5)).toThrow("line 2 of the input is longer than the limit");
    expect(() => cut([text("1\n123"), text("456")], 5)).toThrow("line 2 of the input");
  });

  test("a rest without its end is left out after an abort", async () => {
    const read = async (isAborted: boolean) => {
      const controller = new AbortController();
      const chunks = (async function* () {
        yield text("a\nb");
        if (isAborted) controller.abort();
      })();
      const lines: string[] = [];
      for await (const some of readLines(chunks, 100, "the input", controller.signal))
        lines.push(...some.map(String));
      return lines;
    };
    expect([await read(false), await read(true)]).toEqual([["a", "b"], ["a"]]);
  });
});
