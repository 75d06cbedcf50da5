/**
 * The header of a request, read before anything is known about the body.
 *
 *   int16 key | int16 version | int32 correlation id | client id: int16 length, UTF-8 | tags, in flexible versions
 *
 * The client id is a plain nullable string also in flexible versions. For a key or a version that the codec does not
 * know, what precedes the tags is still read as far as it goes, so that the server can respond with an error.
 */

import { ObeliskError } from "../../base/errors.ts";
import type { AnyApi } from "./api.ts";
import { apiByKey } from "./apis.ts";
import { Reader } from "./reader.ts";

export interface RequestHeader {
  readonly key: number;
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  /** What decodes the body, or null when the codec does not know the key or the version. */
  readonly api: AnyApi | null;
  /** Where the body starts; -1 when `api` is null. */
  readonly bodyPosition: number;
}

const FIXED_BYTES = 8;

/**
 * Reads the header of the frame that lies from `position` (after the length) to `end`.
 * @throws ObeliskError PROTOCOL_ERROR when the frame is too short, or its header is damaged and the API is known
 */
export function decodeRequestHeader(buffer: Buffer, position: number, end: number): RequestHeader {
  if (end - position < FIXED_BYTES) {
    throw new ObeliskError("PROTOCOL_ERROR", { detail: "a request is too short for its header", position });
  }
  const key = buffer.readInt16BE(position);
  const version = buffer.readInt16BE(position + 2);
  const correlationId = buffer.readInt32BE(position + 4);
  const api = apiByKey(key);
  if (api === undefined || !api.hasVersion(version)) {
    const clientId = clientIdIfReadable(buffer, position + FIXED_BYTES, end);
    return { key, version, correlationId, clientId, api: null, bodyPosition: -1 };
  }
  const reader = Reader.ofRequest(buffer, position + FIXED_BYTES, end);
  const clientId = reader.nullableString();
  if (version >= api.flexibleFrom) reader.skipTags();
  return { key, version, correlationId, clientId, api, bodyPosition: reader.position };
}

/** The correlation id of a response whose header lies at `position`. @throws ObeliskError PROTOCOL_ERROR when it is too short */
export function decodeCorrelationId(buffer: Buffer, position: number, end: number): number {
  return new Reader(buffer, position, end).int32();
}

function clientIdIfReadable(buffer: Buffer, position: number, end: number): string | null {
  if (end - position < 2) return null;
  const length = buffer.readInt16BE(position);
  if (length < 0 || length > end - position - 2) return null;
  return buffer.toString("utf8", position + 2, position + 2 + length);
}
