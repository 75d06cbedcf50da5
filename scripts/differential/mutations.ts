/**
 * What a request is turned into: bytes that lie, and values that nobody expects.
 *
 *   bytes    truncations, appended bytes, flipped bits, hostile lengths, unknown tags (from a frame)
 *   values   for every field that the version has: null, empty, the extremes of its type, duplicated entries, names that
 *            are not there or not allowed (from a value and the API's declaration)
 *
 * The header's key and version (the first four bytes) stay: they decide what is compared.
 */

import { type AnyApi, Api } from "../../src/protocol/kafka/api.ts";
import { type AnyField, type Fields, includesVersion } from "../../src/protocol/kafka/schema.ts";
import { encodeFrame } from "./case.ts";
import type { Random } from "./random.ts";

export interface Mutation {
  readonly name: string;
  readonly frame: Buffer;
}

const KEPT_BYTES = 4;
const EVERY_VERSION = { from: 0, to: Number.POSITIVE_INFINITY };
const INT32_HOSTILE = [0x7fff_ffff, -1, -2, -0x8000_0000, 0x0100_0000];
const INT16_HOSTILE = [0x7fff, -1, -2, -0x8000];

/** As many random mutations of the bytes as requested. */
export function mutateBytes(frame: Buffer, isFlexible: boolean, count: number, random: Random): Mutation[] {
  const kinds = [truncate, append, flipBit, replaceByte, hostileInt32, hostileInt16];
  const mutations = Array.from({ length: count }, (_, index) => kinds[index % kinds.length]!(frame, random));
  return isFlexible ? [...mutations, unknownTag(frame)] : mutations;
}

function truncate(frame: Buffer, random: Random): Mutation {
  const length = KEPT_BYTES + random.below(frame.length - KEPT_BYTES);
  return { name: `truncated to ${length}`, frame: Buffer.from(frame.subarray(0, length)) };
}

function append(frame: Buffer, random: Random): Mutation {
  const tail = Buffer.from(Array.from({ length: 1 + random.below(9) }, () => random.below(256)));
  return { name: `${tail.toString("hex")} appended`, frame: Buffer.concat([frame, tail]) };
}

function flipBit(frame: Buffer, random: Random): Mutation {
  const position = placeIn(frame, 1, random);
  const bit = random.below(8);
  const mutated = Buffer.from(frame);
  mutated[position]! ^= 1 << bit;
  return { name: `bit ${bit} of byte ${position} flipped`, frame: mutated };
}

function replaceByte(frame: Buffer, random: Random): Mutation {
  const position = placeIn(frame, 1, random);
  const byte = random.pick([0x00, 0x01, 0x7f, 0x80, 0xff, random.below(256)]);
  const mutated = Buffer.from(frame);
  mutated[position] = byte;
  return { name: `byte ${position} set to ${byte}`, frame: mutated };
}

function hostileInt32(frame: Buffer, random: Random): Mutation {
  const position = placeIn(frame, 4, random);
  const value = random.pick(INT32_HOSTILE);
  const mutated = Buffer.from(frame);
  mutated.writeInt32BE(value, position);
  return { name: `int32 at ${position} set to ${value}`, frame: mutated };
}

function hostileInt16(frame: Buffer, random: Random): Mutation {
  const position = placeIn(frame, 2, random);
  const value = random.pick(INT16_HOSTILE);
  const mutated = Buffer.from(frame);
  mutated.writeInt16BE(value, position);
  return { name: `int16 at ${position} set to ${value}`, frame: mutated };
}

/** The body's last byte is its count of tags. */
function unknownTag(frame: Buffer): Mutation {
  const tag = Buffer.from([1, 99, 3, 1, 2, 3]);
  return { name: "an unknown tag", frame: Buffer.concat([frame.subarray(0, frame.length - 1), tag]) };
}

function placeIn(frame: Buffer, width: number, random: Random): number {
  return KEPT_BYTES + random.below(Math.max(1, frame.length - KEPT_BYTES - width + 1));
}

/** Every value of every field that somebody could send instead. */
export function mutateValues(api: AnyApi, version: number, request: object): Mutation[] {
  const lenient = lenientApi(api);
  const mutations: Mutation[] = [];
  const add = (name: string, patched: object) => {
    const frame = frameOf(lenient, version, patched);
    if (frame !== null) mutations.push({ name, frame });
  };
  for (const { path, field } of fieldsOf(api.requestFields, version, request, [])) {
    const current = valueAt(request, path);
    for (const [label, value] of valuesFor(field, current, `${api.name}-${version}`)) {
      add(`${path.join(".")} = ${label}`, replaceAt(request, path, value));
    }
    if (field.kind === "int64") {
      const marked = frameOf(lenient, version, replaceAt(request, path, MARKER));
      for (const extreme of INT64_EXTREMES) {
        const frame = marked === null ? null : replaceMarker(marked, extreme);
        if (frame !== null) mutations.push({ name: `${path.join(".")} = ${extreme}`, frame });
      }
    }
  }
  return mutations;
}

type Path = readonly (string | number)[];

/** The fields of a value: those of each array's first element stand for all. */
function fieldsOf(
  fields: Fields,
  version: number,
  value: unknown,
  path: Path,
): { path: Path; field: AnyField }[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    if (!includesVersion(field.versions, version)) return [];
    const here = [...path, name];
    const own = [{ path: here, field }];
    const inner = (value as Record<string, unknown> | undefined)?.[name];
    if (field.kind !== "array" || !Array.isArray(inner) || inner.length === 0) return own;
    const element = field.element!;
    const first = [...here, 0];
    if (element.kind !== "struct") return [...own, { path: first, field: element }];
    return [...own, ...fieldsOf(element.fields!, version, inner[0], first)];
  });
}

/** `tag` keeps names apart that a request of another API or version may bring into being. */
function valuesFor(field: AnyField, current: unknown, tag: string): [label: string, value: unknown][] {
  switch (field.kind) {
    case "bool":
      return [["toggled", current !== true]];
    case "int8":
      return numbers([-128, -2, -1, 0, 1, 2, 127]);
    case "int16":
      return numbers([-32768, -3, -2, -1, 0, 1, 2, 32767]);
    case "uint16":
      return numbers([0, 1, 65535]);
    case "int32":
      return numbers([-2147483648, -2, -1, 0, 1, 2, 2147483647]);
    case "int64":
      return numbers([-5, -4, -3, -2, -1, 0, 1, 10, 11, 2 ** 31, 2 ** 53 - 1]);
    case "float64":
      return numbers([-1, 0, 0.5, 1e300]);
    case "uuid":
      return ["00000000-0000-0000-0000-000000000001", "01234567-89ab-cdef-0123-456789abcdef"].map((id) => [
        id,
        id,
      ]);
    case "string":
      return strings(tag).map((text) => [label(text), text]);
    case "bytes":
    case "records":
      return [
        ["null", null],
        ["empty", Buffer.alloc(0)],
        ["1 byte", Buffer.alloc(1)],
        ["100 bytes", Buffer.alloc(100)],
      ];
    case "array":
      return arraysFor(current);
    case "struct":
      return [];
  }
}

function strings(tag: string): (string | null)[] {
  const long = (length: number) => `${tag}-`.padEnd(length, "x");
  const odd = ["", ".", "..", "with space", "sl/ash", "ümlaut", "a\u0000b"];
  return [null, ...odd, `not-there-${tag}`, `dots.and_underscores-${tag}`, long(249), long(250), long(5000)];
}

function label(text: string | null): string {
  return text !== null && text.length > 40 ? `${text.length} characters` : JSON.stringify(text);
}

function numbers(values: readonly number[]): [string, number][] {
  return values.map((value) => [String(value), value]);
}

function arraysFor(current: unknown): [string, unknown][] {
  const base: [string, unknown][] = [
    ["null", null],
    ["empty", []],
  ];
  if (!Array.isArray(current) || current.length === 0) return base;
  return [...base, ["first duplicated", [current[0], ...current]], ["reversed", [...current].reverse()]];
}

/** Fits 53 bits, and its bytes occur nowhere else. */
const MARKER = 0x0013_5724_68ac_e0bd;
const INT64_EXTREMES = [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, -(2n ** 53n) - 1n];

function replaceMarker(frame: Buffer, value: bigint): Buffer | null {
  const marker = Buffer.alloc(8);
  marker.writeBigInt64BE(BigInt(MARKER));
  const position = frame.indexOf(marker);
  if (position === -1) return null;
  const replaced = Buffer.from(frame);
  replaced.writeBigInt64BE(value, position);
  return replaced;
}

/** Null where the version has no room for the value. */
function frameOf(api: AnyApi, version: number, request: object): Buffer | null {
  try {
    return encodeFrame(api, version, request);
  } catch {
    return null;
  }
}

/** The same API, with null allowed everywhere. */
function lenientApi(api: AnyApi): AnyApi {
  return new Api({
    key: api.key,
    name: api.name,
    versions: `${api.versionMin}-${api.versionMax}`,
    flexibleFrom: Number.isFinite(api.flexibleFrom) ? api.flexibleFrom : null,
    request: nullableFields(api.requestFields),
    response: api.responseFields,
  });
}

function nullableFields(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, nullableField(field)]));
}

function nullableField(field: AnyField): AnyField {
  return {
    ...field,
    nullable: ["string", "bytes", "records", "array"].includes(field.kind) ? EVERY_VERSION : field.nullable,
    element: field.element === null ? null : nullableField(field.element),
    fields: field.fields === null ? null : nullableFields(field.fields),
  };
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, name) => (inner as Record<string | number, unknown> | undefined)?.[name],
    value,
  );
}

/** A copy with another value at the path. */
function replaceAt(value: unknown, path: Path, replacement: unknown): object {
  const [name, ...rest] = path;
  if (name === undefined) return replacement as object;
  const copy = Array.isArray(value) ? [...value] : { ...(value as object) };
  const slots = copy as Record<string | number, unknown>;
  slots[name] = replaceAt(slots[name], rest, replacement);
  return copy;
}
