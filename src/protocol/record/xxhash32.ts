/** XXH32 with seed 0, the checksum within LZ4 frames, of bytes that come in parts. Source: the published xxHash specification. */

const PRIME_1 = 0x9e37_79b1 | 0;
const PRIME_2 = 0x85eb_ca77 | 0;
const PRIME_3 = 0xc2b2_ae3d | 0;
const PRIME_4 = 0x27d4_eb2f;
const PRIME_5 = 0x1656_67b1;
const STRIPE_BYTES = 16;

export class Xxhash32 {
  readonly #lanes = new Int32Array([(PRIME_1 + PRIME_2) | 0, PRIME_2, 0, -PRIME_1 | 0]);
  /** What does not fill a stripe yet. */
  readonly #rest = Buffer.alloc(STRIPE_BYTES);
  #restBytes = 0;
  #bytes = 0;

  add(buffer: Buffer, start: number, end: number): void {
    this.#bytes += end - start;
    let at = start;
    if (this.#restBytes > 0) {
      const taken = Math.min(STRIPE_BYTES - this.#restBytes, end - at);
      buffer.copy(this.#rest, this.#restBytes, at, at + taken);
      this.#restBytes += taken;
      at += taken;
      if (this.#restBytes < STRIPE_BYTES) return;
      this.#addStripes(this.#rest, 0, STRIPE_BYTES);
      this.#restBytes = 0;
    }
    const whole = end - ((end - at) % STRIPE_BYTES);
    this.#addStripes(buffer, at, whole);
    buffer.copy(this.#rest, 0, whole, end);
    this.#restBytes = end - whole;
  }

  /** Of all that was added, as an unsigned number. */
  digest(): number {
    const [first, second, third, fourth] = this.#lanes as unknown as [number, number, number, number];
    let sum =
      this.#bytes < STRIPE_BYTES
        ? PRIME_5
        : rotate(first, 1) + rotate(second, 7) + rotate(third, 12) + rotate(fourth, 18);
    sum = (sum + this.#bytes) | 0;
    let at = 0;
    for (; at + 4 <= this.#restBytes; at += 4)
      sum = Math.imul(rotate((sum + Math.imul(this.#rest.readInt32LE(at), PRIME_3)) | 0, 17), PRIME_4);
    for (; at < this.#restBytes; at += 1)
      sum = Math.imul(rotate((sum + Math.imul(this.#rest[at]!, PRIME_5)) | 0, 11), PRIME_1);
    sum = Math.imul(sum ^ (sum >>> 15), PRIME_2);
    sum = Math.imul(sum ^ (sum >>> 13), PRIME_3);
    return (sum ^ (sum >>> 16)) >>> 0;
  }

  #addStripes(buffer: Buffer, start: number, end: number): void {
    const lanes = this.#lanes;
    let first = lanes[0]!;
    let second = lanes[1]!;
    let third = lanes[2]!;
    let fourth = lanes[3]!;
    for (let at = start; at < end; at += STRIPE_BYTES) {
      first = lane(first, buffer.readInt32LE(at));
      second = lane(second, buffer.readInt32LE(at + 4));
      third = lane(third, buffer.readInt32LE(at + 8));
      fourth = lane(fourth, buffer.readInt32LE(at + 12));
    }
    lanes[0] = first;
    lanes[1] = second;
    lanes[2] = third;
    lanes[3] = fourth;
  }
}

/** Of `buffer[start, end)` alone. */
export function xxhash32(buffer: Buffer, start: number, end: number): number {
  const hash = new Xxhash32();
  hash.add(buffer, start, end);
  return hash.digest();
}

function lane(sum: number, word: number): number {
  return Math.imul(rotate((sum + Math.imul(word, PRIME_2)) | 0, 13), PRIME_1);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
