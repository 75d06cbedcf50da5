/** Frames are cut right however the stream is chopped, and a hostile length costs no memory. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FrameReader } from "../../src/client/frames.ts";

function framed(bodies: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    bodies.flatMap((body) => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(body.length);
      return [length, Buffer.from(body)];
    }),
  );
}

describe("frame reader", () => {
  test("gives the same frames for every way to cut the stream", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (bodies, cuts) => {
          const stream = framed(bodies);
          const frames: string[] = [];
          const reader = new FrameReader(100, (frame) => frames.push(frame.toString("hex")));
          for (let position = 0, index = 0; position < stream.length; index += 1) {
            const next = position + cuts[index % cuts.length]!;
            reader.push(stream.subarray(position, next));
            position = next;
          }
          expect(frames).toEqual(bodies.map((body) => Buffer.from(body).toString("hex")));
        },
      ),
    );
  });

  test("refuses a length that is negative or beyond the limit", () => {
    for (const length of [-1, 101, 0x7fffffff]) {
      const prefix = Buffer.alloc(4);
      prefix.writeInt32BE(length);
      expect(() => new FrameReader(100, () => {}).push(prefix)).toThrow("impossible length");
    }
  });
});
