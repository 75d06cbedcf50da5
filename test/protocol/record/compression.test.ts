/** Each codec both ways, bytes that are not of it, and small inputs that would inflate to very much. */
import { describe, expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { compressFrameSync } from "lz4-napi";
import { compressSync as compressSnappySync } from "snappy";
import { ObeliskError } from "../../../src/base/errors.ts";
import { KiB, MiB } from "../../../src/base/units.ts";
import { CODECS, type Codec, compress, decompress } from "../../../src/protocol/record/compression.ts";
import { printedAlone } from "../../support/own-process.ts";

const PACKED = CODECS.slice(1);
const TEXT = Buffer.from(
  Array.from({ length: 20_000 }, (_, index) => `line ${index} ${index % 17}\n`).join(""),
);

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return thrown.code;
    throw thrown;
  }
  return "none";
}

for (const codec of PACKED) {
  describe(codec, () => {
    test("gives back what it took", () => {
      expect(decompress(codec, compress(codec, TEXT), TEXT.length)).toEqual(TEXT);
      expect(compress(codec, TEXT).length).toBeLessThan(TEXT.length / 2);
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 1, maxLength: 3000 }), (array) => {
          const source = Buffer.from(array);
          expect(decompress(codec, compress(codec, source), source.length)).toEqual(source);
        }),
      );
    });

    test("refuses one byte above the limit", () => {
      const packed = compress(codec, TEXT);
      expect(codeOf(() => decompress(codec, packed, TEXT.length - 1))).toBe("MESSAGE_TOO_LARGE");
      expect(codeOf(() => decompress(codec, packed, 0))).toBe("MESSAGE_TOO_LARGE");
    });

    test("refuses a bomb of a GiB before it takes memory for it", () => {
      const bomb = BOMBS[codec as keyof typeof BOMBS]();
      const [code, takenBytes] = JSON.parse(printedAlone(DECOMPRESS.replace("CODEC", codec), bomb));
      expect([code, takenBytes < 128 * MiB]).toEqual(["MESSAGE_TOO_LARGE", true]);
    });

    test("refuses every truncation, an empty source and bytes after the end", () => {
      const packed = compress(codec, Buffer.from("a short text, a short text, a short text"));
      for (let end = 0; end < packed.length; end += 1) {
        const cut = packed.subarray(0, end);
        // Xerial framing has no end mark: a source cut between blocks is a shorter whole
        if (codec === "snappy" && end === 16) expect(decompress(codec, cut, KiB)).toEqual(Buffer.alloc(0));
        else expect([end, codeOf(() => decompress(codec, cut, KiB))]).toEqual([end, "CORRUPT_MESSAGE"]);
      }
      expect(codeOf(() => decompress(codec, Buffer.concat([packed, Buffer.from("junk")]), KiB))).toBe(
        "CORRUPT_MESSAGE",
      );
    });

    test("gives a result or one of its errors for any bytes", () => {
      const packed = compress(codec, TEXT.subarray(0, 2000));
      fc.assert(
        fc.property(fc.nat(packed.length - 1), fc.nat(7), (at, bit) => {
          const flipped = Buffer.from(packed);
          flipped[at]! ^= 1 << bit;
          expect(["none", "CORRUPT_MESSAGE", "MESSAGE_TOO_LARGE"]).toContain(
            codeOf(() => decompress(codec, flipped, 64 * KiB)),
          );
        }),
        { numRuns: 500 },
      );
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
          expect(["none", "CORRUPT_MESSAGE", "MESSAGE_TOO_LARGE"]).toContain(
            codeOf(() => decompress(codec, Buffer.from(noise), 64 * KiB)),
          );
        }),
      );
    });
  });
}

test("none passes the bytes through, within the limit", () => {
  expect(decompress("none", TEXT, TEXT.length)).toBe(TEXT);
  expect(codeOf(() => decompress("none", TEXT, TEXT.length - 1))).toBe("MESSAGE_TOO_LARGE");
});

test("snappy is read raw as well", () => {
  expect(decompress("snappy", compressSnappySync(TEXT), TEXT.length)).toEqual(TEXT);
});

test("a snappy size that its bytes cannot expand to is damage, not a reason to allocate", () => {
  const lie = Buffer.from("8080808004ff", "hex"); // 1 GiB from one byte
  expect(codeOf(() => decompress("snappy", lie, 2 ** 31))).toBe("CORRUPT_MESSAGE");
});

test("lz4 is read with every checksum, and within a limit far below what its blocks could hold", () => {
  const packed = compressFrameSync(TEXT, { contentChecksum: true, blockChecksums: true });
  expect(decompress("lz4", packed, TEXT.length)).toEqual(TEXT);
  // A block of random bytes with a repetition: the bound by its size is 4 MiB or 255 times too high, the count is exact
  const noise = Buffer.from(
    Array.from({ length: 50_000 }, (_, index) => Math.imul(index, 2654435761) >>> 13),
  );
  const mixed = Buffer.concat([noise, noise, Buffer.alloc(60_000)]);
  expect(decompress("lz4", compress("lz4", mixed), mixed.length)).toEqual(mixed);
  expect(codeOf(() => decompress("lz4", compress("lz4", mixed), mixed.length - 1))).toBe("MESSAGE_TOO_LARGE");
});

test("lz4 is written as independent blocks without checksums, which every client reads", () => {
  const packed = compress("lz4", TEXT);
  expect(packed.subarray(0, 5).toString("hex")).toBe("04224d1860");
});

test("gzip members and zstd frames may follow one another", () => {
  const duplicates = Buffer.concat([TEXT, TEXT]);
  expect(decompress("gzip", Buffer.concat([gzipSync(TEXT), gzipSync(TEXT)]), duplicates.length)).toEqual(
    duplicates,
  );
  const frames = Buffer.concat([zstdCompressSync(TEXT), zstdCompressSync(TEXT)]);
  expect(decompress("zstd", frames, duplicates.length)).toEqual(duplicates);
});

/** Its input inflates to no more than 16 MiB, or is refused; prints the error, and by how much the process has grown. */
const DECOMPRESS = `
  import { MiB } from "SRC/base/units.ts";
  import { decompress } from "SRC/protocol/record/compression.ts";
  const source = Buffer.from(await Bun.stdin.arrayBuffer());
  const before = process.memoryUsage.rss();
  let code = "none";
  try {
    decompress("CODEC", source, 16 * MiB);
  } catch (thrown) {
    code = thrown.code;
  }
  console.log(JSON.stringify([code, process.memoryUsage.rss() - before]));
`;

/** What would inflate to a GiB or more, made without making the GiB: a part that repeats. */
const BOMBS: { [name in Exclude<Codec, "none">]: () => Buffer } = {
  gzip: () => repeated(gzipSync(Buffer.alloc(64 * MiB)), 16),
  zstd: () => repeated(zstdCompressSync(Buffer.alloc(64 * MiB)), 16),
  snappy: () => {
    const block = compressSnappySync(Buffer.alloc(4 * MiB));
    const framed = Buffer.concat([Buffer.alloc(4), block]);
    framed.writeInt32BE(block.length);
    const header = Buffer.from("82534e41505059000000000100000001", "hex");
    return Buffer.concat([header, repeated(framed, 256)]);
  },
  lz4: () => {
    const frame = compressFrameSync(Buffer.alloc(4 * MiB));
    const header = frame.subarray(0, 7);
    const blocks = frame.subarray(7, frame.length - 4);
    return Buffer.concat([header, repeated(blocks, 256), Buffer.alloc(4)]);
  },
};

function repeated(part: Buffer, count: number): Buffer {
  return Buffer.concat(Array<Buffer>(count).fill(part));
}
