/** Encoded frames whose bytes are all in memory. */

import type { ByteSource } from "../../src/base/byte-source.ts";
import type { Encoded } from "../../src/protocol/kafka/writer.ts";

export function heldParts({ parts }: Encoded<Buffer | ByteSource>): Buffer[] {
  return parts.map((part) => {
    if (part instanceof Uint8Array) return part;
    throw new Error("a part of this frame is read only as it is sent");
  });
}

export function frameOf(encoded: Encoded<Buffer | ByteSource>): Buffer {
  return Buffer.concat(heldParts(encoded));
}
