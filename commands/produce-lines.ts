/** The lines of a stream, each a record. How they are cut: base/line-cutter.ts. */

import { LineCutter } from "../src/base/line-cutter.ts";

/**
 * The lines of a stream, a chunk's worth at a time: at most one chunk and one line are held. After an abort the rest without a
 * line end is not a record, because nobody knows how it would have gone on.
 */
export async function* readLines(
  stream: AsyncIterable<Uint8Array>,
  bytesMax: number,
  source: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer[]> {
  const cutter = new LineCutter(bytesMax, source);
  for await (const chunk of stream) {
    const lines = cutter.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if (lines.length > 0) yield lines;
  }
  if (signal.aborted) return;
  const last = cutter.finish();
  if (last !== undefined) yield [last];
}
