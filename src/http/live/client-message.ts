/**
 * What a client of the WebSocket says: one JSON object in one text frame, with its `type` and what belongs to it.
 *
 *   {"type":"subscribe","id":1,"offset":"earliest","partition":[0,2],"filter":"value.n > 5","limit":100}     or "timestamp", or "position"
 *   {"type":"unsubscribe"}   {"type":"pause"}   {"type":"resume"}
 *   {"type":"produce","id":2,"message":{"key":"a","value":"b"}}        or "messages":[...]: as a list over HTTP (message-json.ts)
 *
 * Messages to be stored are only scanned and stay where they lie, so that values are stored as they were sent. `id` may be any string
 * or number; the answer has it too.
 */

import { ObeliskError } from "../../base/errors.ts";
import { JsonScanner } from "../../base/json-scanner.ts";
import { KiB } from "../../base/units.ts";
import type { TailQuery } from "./tail-plan.ts";

/** A frame: larger messages can be sent by POST. Bun holds one that comes in pieces, uncounted. */
export const FRAME_BYTES_MAX = 256 * KiB;
/** Of a member that is no message: a filter, or a position in many partitions. */
const MEMBER_BYTES_MAX = 32 * KiB;
/** Of an id, which every answer carries. */
const ID_BYTES_MAX = 256;
/** In a frame; each at most once. */
const NAMES = new Set("type id message messages partition offset timestamp position filter limit".split(" "));

export type ClientId = string | number | null;

export type ClientMessage =
  | {
      readonly type: "subscribe";
      readonly id: ClientId;
      readonly query: TailQuery;
      readonly position: string | null;
    }
  | { readonly type: "unsubscribe" | "pause" | "resume"; readonly id: ClientId }
  /** `start` and `end`: where the message or the list lies in the frame. */
  | { readonly type: "produce"; readonly id: ClientId; readonly start: number; readonly end: number };

const CLOSE_BRACE = 0x7d;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

const scanner = new JsonScanner();

interface Extent {
  readonly start: number;
  readonly end: number;
}

/** Thrown for what is no message of ours; it carries the id when that is known. */
export class InvalidClientMessage extends Error {
  readonly id: ClientId;
  readonly error: ObeliskError;

  constructor(id: ClientId, error: ObeliskError) {
    super(error.message);
    this.id = id;
    this.error = error;
  }
}

/** @throws InvalidClientMessage */
export function readClientMessage(frame: Buffer): ClientMessage {
  let id: ClientId = null;
  try {
    const members = membersOf(frame);
    id = idOf(frame, members.get("id"));
    return messageOf(id, fieldsOf(frame, members), members, frame);
  } catch (thrown) {
    if (thrown instanceof ObeliskError) throw new InvalidClientMessage(id, thrown);
    throw thrown;
  }
}

function membersOf(frame: Buffer): Map<string, Extent> {
  const members = new Map<string, Extent>();
  scanner.reset(frame, 0, frame.length);
  scanner.take(OPEN_BRACE);
  if (scanner.peek() === CLOSE_BRACE) scanner.position += 1;
  else {
    for (;;) {
      scanner.string();
      const name = scanner.text();
      if (!NAMES.has(name)) throw invalid(`there is no member ${JSON.stringify(name.slice(0, 40))}`);
      if (members.has(name)) throw invalid(`${name} comes twice`);
      scanner.take(COLON);
      if (scanner.peek() === -1) throw scanner.expected("a value");
      const start = scanner.position;
      while (!scanner.value(FRAME_BYTES_MAX));
      members.set(name, { start, end: scanner.position });
      if (scanner.peek() !== COMMA) break;
      scanner.position += 1;
    }
    scanner.take(CLOSE_BRACE);
  }
  scanner.finish();
  return members;
}

function fieldsOf(frame: Buffer, members: ReadonlyMap<string, Extent>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, { start, end }] of members) {
    if (name === "id" || name === "message" || name === "messages") continue;
    if (end - start > MEMBER_BYTES_MAX) throw invalid(`${name} is too long`);
    fields[name] = JSON.parse(frame.toString("utf8", start, end));
  }
  return fields;
}

function messageOf(
  id: ClientId,
  { type, ...fields }: Record<string, unknown>,
  members: ReadonlyMap<string, Extent>,
  frame: Buffer,
): ClientMessage {
  const isProduce = type === "produce";
  if (!isProduce && (members.has("message") || members.has("messages")))
    throw invalid("messages are stored by the type produce");
  switch (type) {
    case "subscribe":
      return { type, id, ...subscriptionOf(fields) };
    case "unsubscribe":
    case "pause":
    case "resume":
      checkNames(fields, []);
      return { type, id };
    case "produce":
      checkNames(fields, []);
      return { type, id, ...bodyOf(members, frame) };
    default:
      throw invalid("type must be subscribe, unsubscribe, pause, resume or produce");
  }
}

function bodyOf(members: ReadonlyMap<string, Extent>, frame: Buffer): Extent {
  const message = members.get("message");
  const messages = members.get("messages");
  const body = message ?? messages;
  if (body === undefined || (message !== undefined && messages !== undefined))
    throw invalid("produce takes a message, or messages");
  const isList = frame[body.start] === OPEN_BRACKET;
  if (isList !== (messages !== undefined)) throw invalid("message is an object, messages a list of them");
  return body;
}

function subscriptionOf(fields: Record<string, unknown>): { query: TailQuery; position: string | null } {
  checkNames(fields, ["partition", "offset", "timestamp", "position", "filter", "limit"]);
  const { partition, offset, timestamp, position, filter, limit } = fields;
  if (limit !== undefined && !(Number.isSafeInteger(limit) && (limit as number) >= 1))
    throw invalid("limit must be an integer of at least 1");
  if (position !== undefined && position !== null && typeof position !== "string")
    throw invalid("position must be a string");
  if (filter !== undefined && typeof filter !== "string") throw invalid("filter must be a string");
  return {
    query: {
      ...(partition === undefined ? {} : { partition: words("partition", partition) }),
      ...(offset === undefined ? {} : { offset: words("offset", offset) }),
      ...(timestamp === undefined ? {} : { timestamp: words("timestamp", timestamp) }),
      ...(filter === undefined ? {} : { filter }),
      ...(limit === undefined ? {} : { limit: limit as number }),
    },
    position: position ?? null,
  };
}

/** As the query of a request has it: a word, a number, or a list of numbers with commas. */
function words(name: string, value: unknown): string {
  const list = Array.isArray(value) ? value : [value];
  if (list.every((one) => typeof one === "number" || typeof one === "string")) return list.join(",");
  throw invalid(`${name} must be a string or a number`);
}

function idOf(frame: Buffer, extent: Extent | undefined): ClientId {
  if (extent === undefined) return null;
  const { start, end } = extent;
  const id: unknown = end - start > ID_BYTES_MAX ? undefined : JSON.parse(frame.toString("utf8", start, end));
  if (id === null || typeof id === "string" || typeof id === "number") return id;
  throw invalid(`id must be a string or a number, of ${ID_BYTES_MAX} bytes at most`);
}

function checkNames(fields: Record<string, unknown>, names: readonly string[]): void {
  for (const name in fields) if (!names.includes(name)) throw invalid(`${name} does not belong here`);
}

function invalid(detail: string): ObeliskError {
  return new ObeliskError("INVALID_REQUEST", { detail });
}
