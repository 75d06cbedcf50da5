/** Inflating in pieces against inflating at once: the same bytes, and the same refusals of whatever is not of the codec. */

import { describe, expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { compressFrameSync } from "lz4-napi";
import { compressSync as compressSnappySync } from "snappy";
import { ObeliskError } from "../../../src/base/errors.ts";
import { KiB, MiB } from "../../../src/base/units.ts";
import { CODECS, type Codec, compress, decompress } from "../../../src/protocol/record/compression.ts";
import { INFLATED_PIECE_BYTES, inflatePieces } from "../../../src/protocol/record/inflate-pieces.ts";
import { printedAlone } from "../../support/own-process.ts";

type Packing = Exclude<Codec, "none">;
const PACKED = CODECS.slice(1) as Packing[];
/** Many pieces, of which some repeat what is near, some what is far, and some nothing. */
const LARGE = Buffer.alloc(5.5 * MiB, "what repeats; ");
for (let at = 0; at < LARGE.length; at += 100_003) LARGE.write(`at ${at} ${(at * 7919) % 65_521}`, at);
crypto.getRandomValues(new Uint8Array(LARGE.buffer, LARGE.byteOffset + MiB, 60_000));

interface Outcome {
  code: string;
  bytes: Buffer;
}

async function inPieces(codec: Packing, source: Buffer, bytesMax: number): Promise<Outcome> {
  const parts: Buffer[] = [];
  try {
    for await (const piece of inflatePieces(codec, source, bytesMax)) parts.push(Buffer.from(piece));
    return { code: "none", bytes: Buffer.concat(parts) };
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return { code: thrown.code, bytes: Buffer.alloc(0) };
    throw thrown;
  }
}

function atOnce(codec: Packing, source: Buffer, bytesMax: number): Outcome {
  try {
    return { code: "none", bytes: decompress(codec, source, bytesMax) };
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return { code: thrown.code, bytes: Buffer.alloc(0) };
    throw thrown;
  }
}

const BOMBS: Record<Packing, () => Buffer> = {
  gzip: () => gzipSync(Buffer.alloc(200 * MiB)),
  snappy: () => compressSnappySync(Buffer.alloc(64 * MiB)),
  lz4: () => compressFrameSync(Buffer.alloc(200 * MiB)),
  zstd: () => zstdCompressSync(Buffer.alloc(200 * MiB)),
};

/** Its input inflates to no more than 4 MiB, or is refused; prints the error, and by how much the process has grown. */
const INFLATE = `
  import { MiB } from "SRC/base/units.ts";
  import { inflatePieces } from "SRC/protocol/record/inflate-pieces.ts";
  const source = Buffer.from(await Bun.stdin.arrayBuffer());
  const before = process.memoryUsage.rss();
  let code = "none";
  const parts = [];
  try {
    for await (const piece of inflatePieces("CODEC", source, 4 * MiB)) parts.push(Buffer.from(piece));
  } catch (thrown) {
    code = thrown.code;
  }
  console.log(JSON.stringify([code, process.memoryUsage.rss() - before]));
`;

for (const codec of PACKED) {
  describe(codec, () => {
    test("what is large comes whole, in pieces of no more than a block beyond their size", async () => {
      const packed = compress(codec, LARGE);
      const sizes: number[] = [];
      for await (const piece of inflatePieces(codec, packed, LARGE.length)) sizes.push(piece.length);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(INFLATED_PIECE_BYTES + 64 * KiB);
      expect(await inPieces(codec, packed, LARGE.length)).toEqual({ code: "none", bytes: LARGE });
    });

    test("one byte above the limit is refused", async () => {
      const packed = compress(codec, LARGE);
      expect((await inPieces(codec, packed, LARGE.length - 1)).code).toBe("MESSAGE_TOO_LARGE");
    });

    test("a bomb ends at the limit, and takes no memory for what lies beyond it", () => {
      const [code, takenBytes] = JSON.parse(printedAlone(INFLATE.replace("CODEC", codec), BOMBS[codec]()));
      expect([code, takenBytes < 48 * MiB]).toEqual(["MESSAGE_TOO_LARGE", true]);
    });

    test("every truncation, an empty source and bytes after the end are judged as at once", async () => {
      const packed = compress(codec, Buffer.from("a short text, a short text, a short text".repeat(5)));
      for (let end = 0; end < packed.length; end += 1) {
        const cut = packed.subarray(0, end);
        expect([end, await inPieces(codec, cut, KiB)]).toEqual([end, atOnce(codec, cut, KiB)]);
      }
      const longer = Buffer.concat([packed, Buffer.from("junk")]);
      expect((await inPieces(codec, longer, KiB)).code).toBe("CORRUPT_MESSAGE");
    });

    test("any flipped bit and any noise is judged as at once", async () => {
      const packed = compress(codec, LARGE.subarray(0, 3000));
      await fc.assert(
        fc.asyncProperty(fc.nat(packed.length - 1), fc.nat(7), async (at, bit) => {
          const flipped = Buffer.from(packed);
          flipped[at]! ^= 1 << bit;
          const judged = await inPieces(codec, flipped, 64 * KiB);
          expect([at, bit, judged]).toEqual([at, bit, atOnce(codec, flipped, 64 * KiB)]);
        }),
        { numRuns: 1000 },
      );
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (noise) => {
          const source = Buffer.from(noise);
          expect(await inPieces(codec, source, 64 * KiB)).toEqual(atOnce(codec, source, 64 * KiB));
        }),
      );
    });

    test("anything that was compressed comes back", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 400 }))),
          async (runs) => {
            const source = Buffer.from(runs.map(([text, times]) => text.repeat(times)).join("") || "x");
            const packed = compress(codec, source);
            expect(await inPieces(codec, packed, source.length)).toEqual({ code: "none", bytes: source });
          },
        ),
      );
    });

    test("who stops in the middle gets no more, and what was begun ends", async () => {
      const packed = compress(codec, LARGE);
      let pieces = 0;
      for await (const _piece of inflatePieces(codec, packed, LARGE.length)) {
        pieces += 1;
        if (pieces === 2) break;
      }
      expect(pieces).toBe(2);
    });
  });
}

test("snappy is read raw as well, with copies from anywhere in the block", async () => {
  const far = Buffer.concat([LARGE.subarray(MiB, MiB + 50_000), LARGE, LARGE.subarray(MiB, MiB + 50_000)]);
  expect(await inPieces("snappy", compressSnappySync(far), far.length)).toEqual({ code: "none", bytes: far });
});

test("snappy elements with long distances and lengths are read", async () => {
  // "abcd", a copy of 8 with a distance of 4 in 32 bits, a literal of 2 with its length in 4 bytes.
  const elements = [0x0c, 0x61, 0x62, 0x63, 0x64, 0x1f, 4, 0, 0, 0, 0xfc, 1, 0, 0, 0, 0x79, 0x7a];
  const source = Buffer.from([14, ...elements]);
  expect(await inPieces("snappy", source, 100)).toEqual({
    code: "none",
    bytes: Buffer.from("abcdabcdabcdyz"),
  });
});

test("gzip members and zstd frames may follow one another", async () => {
  const parts = [LARGE.subarray(0, 10), LARGE.subarray(10, 3 * MiB), LARGE.subarray(3 * MiB)];
  const members = Buffer.concat(parts.map((part) => gzipSync(part)));
  expect(await inPieces("gzip", members, LARGE.length)).toEqual({ code: "none", bytes: LARGE });
  const frames = Buffer.concat(parts.map((part) => zstdCompressSync(part)));
  expect(await inPieces("zstd", frames, LARGE.length)).toEqual({ code: "none", bytes: LARGE });
});
