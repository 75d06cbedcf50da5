/** Files as the Go Obelisk wrote them, for tests. */

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One frame with its length field; the timestamp is 2024-01-01 unless given. */
export function goFrame(
  topic: string,
  key: string,
  value: string | Buffer,
  timestampNs = 1_704_067_200_000_000_000n,
): Buffer {
  const time = Buffer.alloc(8);
  time.writeBigInt64LE(timestampNs);
  const body = Buffer.concat([time, field(topic), field(key), field(value)]);
  return field(body);
}

/** The position of each frame when they lie end to end. */
export function goIndex(frames: readonly Buffer[]): number[] {
  let position = 0;
  return frames.map((frame) => {
    const start = position;
    position += frame.length;
    return start;
  });
}

/** Writes `TOPIC.log` and, unless `index` is null, `TOPIC.idx`. */
export function writeGoTopic(
  directory: string,
  topic: string,
  frames: Buffer[],
  index: number[] | null,
): void {
  writeFileSync(join(directory, `${topic}.log`), new Uint8Array(Buffer.concat(frames)));
  rmSync(join(directory, `${topic}.idx`), { force: true });
  if (index === null) return;
  const entries = Buffer.alloc(index.length * 8);
  for (const [number, position] of index.entries()) entries.writeBigInt64LE(BigInt(position), number * 8);
  writeFileSync(join(directory, `${topic}.idx`), new Uint8Array(entries));
}

function field(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}
