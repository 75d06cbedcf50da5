/** What LZ4 and snappy share: a copy of bytes that were made before, which may reach into what it makes. */

/** A call costs more than so many bytes by hand. */
const BY_HAND_BYTES = 32;

/**
 * Writes `length` bytes to `target` at `at`, each as the one `distance` before it; 1 <= distance <= at. With a distance shorter than
 * the length what was written is repeated: then it is written in pieces that double.
 */
export function copyBack(target: Buffer, at: number, distance: number, length: number): void {
  const end = at + length;
  if (length <= BY_HAND_BYTES) {
    for (let to = at; to < end; to += 1) target[to] = target[to - distance]!;
    return;
  }
  const from = at - distance;
  for (let to = at; to < end; ) {
    const bytes = Math.min(to - from, end - to);
    target.copyWithin(to, from, from + bytes);
    to += bytes;
  }
}
