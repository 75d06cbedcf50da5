/** Frames cut from chunks: any way of cutting the stream into chunks gives the same frames as the whole stream. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { KiB, MiB } from "../../src/base/units.ts";
import { type ByteOrder, FrameCutter, Step } from "../../src/network/framing.ts";

const LIMIT = 8 * MiB;

function framed(order: ByteOrder, ...bodies: Buffer[]): Buffer {
  return Buffer.concat(
    bodies.flatMap((body) => {
      const prefix = Buffer.alloc(4);
      if (order === "big-endian") prefix.writeInt32BE(body.length);
      else prefix.writeUInt32LE(body.length);
      return [prefix, body];
    }),
  );
}

/** Every step of the cutter until it needs bytes: bodies as hex, other steps by number. */
function drain(cutter: FrameCutter): (string | number)[] {
  const seen: (string | number)[] = [];
  for (let step = cutter.next(); step !== Step.NEED_BYTES; step = cutter.next()) {
    if (step === Step.FRAME) seen.push(cutter.buffer.toString("hex", cutter.position, cutter.end));
    else if (step === Step.GROW) cutter.grow();
    else seen.push(step);
    if (step === Step.NEGATIVE || step === Step.TOO_LARGE) break;
  }
  return seen;
}

function cutInto(stream: Buffer, cuts: number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort(
    (left, right) => left - right,
  );
  const chunks: Buffer[] = [];
  let start = 0;
  for (const place of [...places, stream.length]) {
    chunks.push(Buffer.from(stream.subarray(start, place)));
    start = place;
  }
  return chunks;
}

test("any cutting of the stream into chunks gives the same frames", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<ByteOrder>("big-endian", "little-endian"),
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (order, bodies, cuts) => {
        const buffers = bodies.map((body) => Buffer.from(body));
        const cutter = new FrameCutter(order, LIMIT);
        const seen = cutInto(framed(order, ...buffers), cuts).flatMap((chunk) => {
          cutter.feed(chunk);
          return drain(cutter);
        });
        expect(seen).toEqual(buffers.map((body) => (body.length === 0 ? Step.EMPTY : body.toString("hex"))));
        expect(cutter.incompleteBytes).toBe(0);
      },
    ),
  );
});

test("a stream that arrives one byte at a time gives its frames", () => {
  const bodies = [Buffer.from("first"), Buffer.from("x"), Buffer.alloc(300, 7)];
  const cutter = new FrameCutter("little-endian", LIMIT);
  const seen: (string | number)[] = [];
  for (const byte of framed("little-endian", ...bodies)) {
    cutter.feed(Buffer.of(byte));
    seen.push(...drain(cutter));
  }
  expect(seen).toEqual(bodies.map((body) => body.toString("hex")));
});

test("a body within one chunk is handed on without a copy", () => {
  const chunk = framed("big-endian", Buffer.from("abc"), Buffer.from("defg"));
  const cutter = new FrameCutter("big-endian", LIMIT);
  cutter.feed(chunk);
  expect([cutter.next(), cutter.buffer === chunk, cutter.position, cutter.end]).toEqual([
    Step.FRAME,
    true,
    4,
    7,
  ]);
  expect([cutter.next(), cutter.buffer === chunk, cutter.position, cutter.end]).toEqual([
    Step.FRAME,
    true,
    11,
    15,
  ]);
  expect(cutter.next()).toBe(Step.NEED_BYTES);
});

test("chunks fed before the last one was used up keep their order", () => {
  const cutter = new FrameCutter("big-endian", LIMIT);
  const stream = framed("big-endian", Buffer.from("one"), Buffer.from("two"), Buffer.from("three"));
  for (const chunk of cutInto(stream, [2, 9, 16])) cutter.feed(chunk);
  expect(drain(cutter)).toEqual(["one", "two", "three"].map((text) => Buffer.from(text).toString("hex")));
});

test("a body over several chunks announces by how much its memory grows, and one within a chunk does not", () => {
  const body = Buffer.alloc(3 * MiB + 5, 9);
  const stream = framed("big-endian", body, Buffer.from("next"));
  const grown: number[][] = [];
  for (const chunkBytes of [stream.length, 512 * KiB, 5000]) {
    const cutter = new FrameCutter("big-endian", LIMIT);
    const frames: Buffer[] = [];
    const sizes: number[] = [];
    for (let start = 0; start < stream.length; start += chunkBytes) {
      cutter.feed(Buffer.from(stream.subarray(start, start + chunkBytes)));
      for (let step = cutter.next(); step !== Step.NEED_BYTES; step = cutter.next()) {
        if (step === Step.FRAME)
          frames.push(Buffer.from(cutter.buffer.subarray(cutter.position, cutter.end)));
        if (step !== Step.GROW) continue;
        expect([cutter.frameBytes, cutter.next()]).toEqual([body.length, Step.GROW]);
        sizes.push((sizes.at(-1) ?? 0) + cutter.growBytes);
        cutter.grow();
      }
    }
    grown.push(sizes);
    expect(frames.map((frame) => frame.length)).toEqual([body.length, 4]);
    expect(frames[0]!.equals(body)).toBe(true);
  }
  expect(grown).toEqual([[], [body.length], [32 * KiB, 256 * KiB, 4 * 264_996, body.length]]);
});

test("a length that is only claimed takes nothing, and a few bytes of it take little", () => {
  const cutter = new FrameCutter("big-endian", LIMIT);
  cutter.feed(Buffer.of(0, 0x70, 0, 0));
  expect([cutter.next(), cutter.growBytes]).toEqual([Step.NEED_BYTES, 0]);
  cutter.feed(Buffer.of(1));
  expect([cutter.next(), cutter.growBytes]).toEqual([Step.GROW, 16 * KiB]);
});

test("what is left of a chunk is kept in as much memory as it needs", () => {
  const chunk = Buffer.allocUnsafeSlow(100 * KiB);
  framed("big-endian", Buffer.alloc(90 * KiB, 1), Buffer.from("rest")).copy(chunk);
  const cutter = new FrameCutter("big-endian", LIMIT);
  cutter.feed(chunk);
  expect(cutter.next()).toBe(Step.FRAME);
  cutter.keepRest();
  expect([chunk.length, cutter.restBytes]).toEqual([0, 10 * KiB - 4]);
  expect([cutter.next(), cutter.buffer.toString("utf8", cutter.position, cutter.end)]).toEqual([
    Step.FRAME,
    "rest",
  ]);
});

test("the memory of a body is used again at the next step", () => {
  const body = Buffer.alloc(48 * KiB, 7);
  const stream = framed("big-endian", body, body);
  const cutter = new FrameCutter("big-endian", LIMIT);
  const chunk = Buffer.allocUnsafeSlow(stream.length);
  stream.copy(chunk);
  cutter.feed(chunk);
  expect([cutter.next(), cutter.buffer.buffer === chunk.buffer, chunk.length]).toEqual([
    Step.FRAME,
    true,
    stream.length,
  ]);
  expect([cutter.next(), cutter.next(), chunk.length]).toEqual([Step.FRAME, Step.NEED_BYTES, 0]);

  const gathered: ArrayBufferLike[] = [];
  for (const [start, end] of [
    [0, 1000],
    [1000, body.length + 1000],
    [body.length + 1000, stream.length],
  ] as const) {
    cutter.feed(Buffer.from(stream.subarray(start, end)));
    for (let step = cutter.next(); step !== Step.NEED_BYTES; step = cutter.next()) {
      if (step === Step.GROW) {
        cutter.grow();
        continue;
      }
      expect(cutter.buffer.subarray(cutter.position, cutter.end).equals(body)).toBe(true);
      gathered.push(cutter.buffer.buffer);
    }
  }
  expect([gathered.length, gathered[0] === gathered[1]]).toEqual([2, true]);
});

test("the limit is exact, and a length beyond it is repeated for ever", () => {
  const cutter = new FrameCutter("little-endian", 5);
  cutter.feed(framed("little-endian", Buffer.from("12345"), Buffer.from("123456"), Buffer.from("1")));
  expect(drain(cutter)).toEqual([Buffer.from("12345").toString("hex"), Step.TOO_LARGE]);
  expect([cutter.next(), cutter.refusedBytes]).toEqual([Step.TOO_LARGE, 6]);
});

test("hostile lengths are refused and allocate nothing", () => {
  const negative = new FrameCutter("big-endian", LIMIT);
  negative.feed(Buffer.of(0xff, 0xff, 0xff, 0xfe));
  expect([negative.next(), negative.refusedBytes]).toEqual([Step.NEGATIVE, -2]);
  const large = new FrameCutter("little-endian", LIMIT);
  large.feed(Buffer.of(0xff, 0xff, 0xff, 0xff));
  expect([large.next(), large.refusedBytes]).toEqual([Step.TOO_LARGE, 0xffff_ffff]);
});

test("the bytes of an incomplete frame are counted with its prefix", () => {
  const cutter = new FrameCutter("big-endian", LIMIT);
  const counts: number[] = [];
  for (const part of [[0], [0, 0], [10], [1, 2, 3], [4]]) {
    cutter.feed(Buffer.from(part));
    cutter.next();
    counts.push(cutter.incompleteBytes);
  }
  expect(counts).toEqual([1, 3, 4, 7, 8]);
});
