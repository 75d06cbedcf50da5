/**
 * `obelisk.json`, the file that makes a directory a data directory.
 *
 *     {
 *       "formatVersion": 1,
 *       "clusterId": "mkLKaTTNRFKD8gI0xEyUfw",   uuid, base64url, as Kafka prints it
 *       "nodeId": 1,
 *       "cleanShutdown": true,                   false from start to the end of a graceful shutdown
 *       "createdAt": "2026-01-31T12:00:00.000Z",
 *       "checksum": "1c291ca3"                   CRC-32C of the other fields as JSON without white space
 *     }
 *
 * The text is canonical: it must equal what the encoder makes of its own fields, byte for byte, so every flipped bit is
 * found. The checksum is judged before the version, and a version before the other fields: a flipped digit is damage, while a
 * whole file of a higher version is refused. Version 1 is frozen.
 */

import { crc32c } from "../../base/crc32c.ts";

export const IDENTITY_FILE = "obelisk.json";
export const FORMAT_VERSION = 1;

/** A uuid in base64url: 16 bytes make 22 letters. */
const CLUSTER_ID_PATTERN = /^[A-Za-z0-9_-]{22}$/;

export interface Identity {
  readonly formatVersion: number;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly cleanShutdown: boolean;
  readonly createdAt: string;
}

export type DecodedIdentity =
  | { kind: "valid"; identity: Identity }
  | { kind: "newer"; formatVersion: number }
  /** `clusterId` and `nodeId` are what could still be read of it. */
  | { kind: "damaged"; reason: string; clusterId: string | null; nodeId: number | null };

export function encodeIdentity(identity: Identity): Buffer {
  const { formatVersion, clusterId, nodeId, cleanShutdown, createdAt } = identity;
  return encodeFields({ formatVersion, clusterId, nodeId, cleanShutdown, createdAt });
}

export function decodeIdentity(content: Buffer): DecodedIdentity {
  const fields = parseObject(content);
  if (fields === null)
    return { kind: "damaged", reason: "it is not a JSON object", clusterId: null, nodeId: null };
  const { checksum: _, ...covered } = fields;
  const { formatVersion, clusterId, nodeId, cleanShutdown, createdAt } = covered;
  const readableId = typeof clusterId === "string" && CLUSTER_ID_PATTERN.test(clusterId) ? clusterId : null;
  const readableNode =
    typeof nodeId === "number" && Number.isSafeInteger(nodeId) && nodeId >= 0 ? nodeId : null;
  if (!encodeFields(covered).equals(content)) {
    return {
      kind: "damaged",
      reason: "checksum mismatch",
      clusterId: readableId,
      nodeId: readableNode,
    };
  }
  if (typeof formatVersion === "number" && formatVersion > FORMAT_VERSION)
    return { kind: "newer", formatVersion };
  if (
    formatVersion !== FORMAT_VERSION ||
    readableId === null ||
    typeof nodeId !== "number" ||
    typeof cleanShutdown !== "boolean" ||
    typeof createdAt !== "string"
  ) {
    const reason = "a field is missing or of the wrong type";
    return { kind: "damaged", reason, clusterId: readableId, nodeId: readableNode };
  }
  return {
    kind: "valid",
    identity: { formatVersion, clusterId: readableId, nodeId, cleanShutdown, createdAt },
  };
}

function encodeFields(fields: Record<string, unknown>): Buffer {
  const plain = Buffer.from(JSON.stringify(fields));
  const checksum = crc32c(plain, 0, plain.length).toString(16).padStart(8, "0");
  return Buffer.from(`${JSON.stringify({ ...fields, checksum }, null, 2)}\n`);
}

function parseObject(content: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(content.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
