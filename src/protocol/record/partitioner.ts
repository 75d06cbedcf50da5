/**
 * Which partition a key belongs to: murmur2 with Kafka's seed, its sign bit cleared, modulo the number of partitions.
 * Every Kafka client computes the same, so a key lands in the same partition with either protocol.
 * Source: the default partitioner of Kafka's Java client, as described in KIP-480 and its predecessors.
 */

const SEED = 0x9747b28c | 0;
const MULTIPLIER = 0x5bd1e995;
const ROTATION = 24;

/** The 32-bit (signed) murmur2 hash of `buffer[start, end)`. */
export function murmur2(buffer: Buffer, start: number, end: number): number {
  const length = end - start;
  const wordsEnd = start + (length & ~3);
  let hash = SEED ^ length;
  for (let position = start; position < wordsEnd; position += 4) {
    let word = Math.imul(buffer.readInt32LE(position), MULTIPLIER);
    word ^= word >>> ROTATION;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER);
  }
  const rest = end - wordsEnd;
  if (rest > 0) {
    if (rest === 3) hash ^= buffer[wordsEnd + 2]! << 16;
    if (rest >= 2) hash ^= buffer[wordsEnd + 1]! << 8;
    hash = Math.imul(hash ^ buffer[wordsEnd]!, MULTIPLIER);
  }
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** The partition (0 to `partitions` - 1) of a key. */
export function partitionForKey(buffer: Buffer, start: number, end: number, partitions: number): number {
  return (murmur2(buffer, start, end) & 0x7fffffff) % partitions;
}
