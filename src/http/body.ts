/**
 * Reads the body of a request, whole and bounded. What is longer than the limit is refused before it is read where its length is told,
 * else as soon as it is too long. Bodies above `SMALL_BYTES` are counted in the memory for requests; smaller ones are bounded by the
 * number of connections.
 */

import { isUtf8 } from "node:buffer";
import { ObeliskError } from "../base/errors.ts";
import { KiB } from "../base/units.ts";
import type { RequestMemory } from "./request-memory.ts";

export const SMALL_BYTES = 16 * KiB;

/** What `curl -d` sends of itself counts as JSON: a page of another origin is refused before (origin-check.ts). */
const JSON_TYPES: ReadonlySet<string> = new Set([
  "",
  "application/json",
  "application/x-www-form-urlencoded",
]);

/** Without its parameters, in small letters; "" when there is none. */
export function mediaTypeOf(request: Request): string {
  const type = request.headers.get("content-type") ?? "";
  const end = type.indexOf(";");
  return (end === -1 ? type : type.slice(0, end)).trim().toLowerCase();
}

export function isJsonType(mediaType: string): boolean {
  return JSON_TYPES.has(mediaType) || mediaType.endsWith("+json");
}

/** Its length as the request tells it; -1 when it does not. */
export function toldBytes(request: Request): number {
  const text = request.headers.get("content-length");
  return text === null ? -1 : Number(text);
}

/**
 * The whole body. `memory` is asked only for one that is not small. @throws ObeliskError BODY_TOO_LARGE, TOO_MANY_REQUESTS
 */
export async function readBody(
  request: Request,
  limitBytes: number,
  memory: () => RequestMemory,
): Promise<Buffer> {
  const told = toldBytes(request);
  if (told > limitBytes) throw tooLarge(limitBytes);
  if (request.body === null) return Buffer.alloc(0);
  if (told >= 0 && told <= SMALL_BYTES) return bufferOf(await request.bytes());
  const held = memory();
  held.isPeerAwaited = true;
  if (told >= 0) await held.reserve(told);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunksOf(request, held)) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw tooLarge(limitBytes);
    if (told < 0) held.charge(chunk.length);
    chunks.push(chunk);
  }
  held.isPeerAwaited = false;
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes);
}

/** The body as it comes. Whoever stops early cancels it. @throws ObeliskError TOO_MANY_REQUESTS */
export async function* chunksOf(request: Request, memory: RequestMemory): AsyncGenerator<Buffer> {
  const reader = request.body!.getReader();
  let isDone = false;
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), memory.evicted]);
      if (next.done) {
        isDone = true;
        return;
      }
      memory.movedBytes += next.value.length;
      yield bufferOf(next.value);
    }
  } finally {
    if (!isDone) void reader.cancel().catch(() => {});
  }
}

/** @throws ObeliskError INVALID_JSON, with the place of the first byte that is none */
export function checkUtf8(bytes: Buffer): void {
  if (isUtf8(bytes)) return;
  let position = 0;
  for (let length = bytes.length; length > 1; ) {
    const half = length >> 1;
    // A character may lie across the border: it is looked at with what follows.
    const isFirst = !isUtf8(bytes.subarray(position, characterEnd(bytes, position + half)));
    if (!isFirst) position = characterEnd(bytes, position + half);
    length = isFirst ? half : length - half;
  }
  throw new ObeliskError("INVALID_JSON", { detail: "the body is not UTF-8", position });
}

/** `position`, or after the character that lies across it. */
function characterEnd(bytes: Buffer, position: number): number {
  let end = position;
  while (end < bytes.length && end < position + 3 && (bytes[end]! & 0xc0) === 0x80) end += 1;
  return end;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function tooLarge(limit: number): ObeliskError {
  return new ObeliskError("BODY_TOO_LARGE", { limit, remedy: "send less at once, or a stream of NDJSON" });
}
