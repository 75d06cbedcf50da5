/**
 * The vocabulary in which an API is declared: fields with a type and the versions in which they exist. One
 * declaration covers every version; `compile.ts` turns it into functions, and TypeScript derives the types.
 *
 *   const request = {
 *     acks: int16("0+"),
 *     transactionalId: nullableString("3+", { default: null }),
 *     topics: array("0+", { name: string("0+"), partitions: array("0+", int32("0+")) }),
 *   };
 *   type Request = Decoded<typeof request>;      what decoding gives: every field is there
 *   type RequestInput = Input<typeof request>;   what encoding takes: fields with a default may be left out
 *
 * Field names are Kafka's published ones in camelCase; their order is the order on the wire.
 *
 * Options
 *   - `default`: what decoding gives in a version without the field, and what encoding takes when it is left out.
 *     Without it the default is 0, false, "", an empty array, the zero uuid or (for what is always nullable) null.
 *   - `nullable`: the versions in which null is allowed; all of them when a nullable type does not say.
 *   - `ignorable`: a value that the version has no room for is dropped silently; otherwise that is an error.
 *   - `tag`: the field is an optional one at the end of its structure, in every version that has it.
 *
 * A tagged structure is null where it is absent; that differs from Kafka's own classes, which fill in defaults.
 */

import type { ByteSource } from "../../base/byte-source.ts";

/** Inclusive. `to` is Infinity for "3+"; `from` above `to` means no version. */
export interface VersionRange {
  readonly from: number;
  readonly to: number;
}

export type FieldKind =
  | "bool"
  | "int8"
  | "int16"
  | "uint16"
  | "int32"
  | "int64"
  | "float64"
  | "uuid"
  | "string"
  | "bytes"
  | "records"
  | "array"
  | "struct";

export interface FieldOptions<Value> {
  readonly default?: Value;
  readonly nullable?: string;
  readonly ignorable?: boolean;
  readonly tag?: number;
}

export type DefaultValue = string | number | boolean | null | readonly never[];

/** `Out`, `In` and `Optional` exist for the type checker only. */
export interface Field<Out, In, Optional extends boolean> {
  readonly kind: FieldKind;
  readonly versions: VersionRange;
  readonly nullable: VersionRange;
  readonly fallback: DefaultValue;
  /** Whether the declaration names the default, so that encoding may do without the field. */
  readonly isOptional: boolean;
  readonly isIgnorable: boolean;
  /** -1: not tagged. */
  readonly tag: number;
  /** What an array holds; null for anything else. */
  readonly element: AnyField | null;
  /** What a structure holds; null for anything else. */
  readonly fields: Fields | null;
  readonly type?: { readonly out: Out; readonly in: In; readonly optional: Optional };
}

export type AnyField = Field<unknown, unknown, boolean>;
export type Fields = Readonly<Record<string, AnyField>>;

type OutOf<F> = F extends Field<infer Out, unknown, boolean> ? Out : never;
type InOf<F> = F extends Field<unknown, infer In, boolean> ? In : never;
type OptionalNames<F> = { [K in keyof F]: F[K] extends Field<unknown, unknown, true> ? K : never }[keyof F];

/** What decoding a structure gives. */
export type Decoded<F> = { [K in keyof F]: OutOf<F[K]> };

/** What encoding a structure takes. */
export type Input<F> = { [K in Exclude<keyof F, OptionalNames<F>>]: InOf<F[K]> } & {
  [K in OptionalNames<F>]?: InOf<F[K]> | undefined;
};

type IsOptional<O> = O extends { readonly default: unknown } | { readonly tag: number } ? true : false;
type Plain<Value, O> = Field<Value, Value, IsOptional<O>>;

/** The uuid that means "none". */
export const ZERO_UUID = "00000000-0000-0000-0000-000000000000";

const EVERY = "0+";

export function bool<const O extends FieldOptions<boolean>>(
  versions: string,
  options?: O,
): Plain<boolean, O> {
  return field("bool", versions, false, "", options);
}

export function int8<const O extends FieldOptions<number>>(versions: string, options?: O): Plain<number, O> {
  return field("int8", versions, 0, "", options);
}

export function int16<const O extends FieldOptions<number>>(versions: string, options?: O): Plain<number, O> {
  return field("int16", versions, 0, "", options);
}

export function uint16<const O extends FieldOptions<number>>(
  versions: string,
  options?: O,
): Plain<number, O> {
  return field("uint16", versions, 0, "", options);
}

export function int32<const O extends FieldOptions<number>>(versions: string, options?: O): Plain<number, O> {
  return field("int32", versions, 0, "", options);
}

export function int64<const O extends FieldOptions<number>>(versions: string, options?: O): Plain<number, O> {
  return field("int64", versions, 0, "", options);
}

export function float64<const O extends FieldOptions<number>>(
  versions: string,
  options?: O,
): Plain<number, O> {
  return field("float64", versions, 0, "", options);
}

/** Sixteen bytes on the wire, 36 characters of text in the value. */
export function uuid<const O extends FieldOptions<string>>(versions: string, options?: O): Plain<string, O> {
  return field("uuid", versions, ZERO_UUID, "", options);
}

export function string<const O extends FieldOptions<string>>(
  versions: string,
  options?: O,
): Plain<string, O> {
  return field("string", versions, "", "", options);
}

export function nullableString<const O extends FieldOptions<string | null>>(
  versions: string,
  options?: O,
): Plain<string | null, O> {
  return field("string", versions, null, EVERY, options);
}

/** Opaque bytes. Decoding gives a view into the frame, without a copy. */
export function bytes<const O extends FieldOptions<never>>(versions: string, options?: O): Plain<Buffer, O> {
  return field("bytes", versions, "", "", options);
}

/** Record batches, or null. Neither direction copies them when they are large. */
export function records<const O extends FieldOptions<null>>(
  versions: string,
  options?: O,
): Plain<Buffer | null, O> {
  return field("records", versions, null, EVERY, options);
}

/** As `records`, and what is encoded may also be read only as it is sent. */
export function servedRecords(versions: string): Field<Buffer | null, Buffer | ByteSource | null, false> {
  return base("records", versions, null, EVERY) as Field<Buffer | null, Buffer | ByteSource | null, false>;
}

/** An array of structures (given as their fields) or of a primitive type (given as a field). */
export function array<const E extends Fields | AnyField, const O extends FieldOptions<readonly never[]>>(
  versions: string,
  element: E,
  options?: O,
): Field<ElementOut<E>[], readonly ElementIn<E>[], IsOptional<O>> {
  return arrayField(versions, element, "", options);
}

export function nullableArray<
  const E extends Fields | AnyField,
  const O extends FieldOptions<readonly never[] | null>,
>(
  versions: string,
  element: E,
  options?: O,
): Field<ElementOut<E>[] | null, readonly ElementIn<E>[] | null, IsOptional<O>> {
  return arrayField(versions, element, EVERY, options);
}

/** A structure in a tagged field; null where it is absent. */
export function taggedStruct<const F extends Fields>(
  versions: string,
  tag: number,
  fields: F,
): Field<Decoded<F> | null, Input<F> | null, true> {
  const whole = { ...base("struct", versions, null, "", { default: null, ignorable: true, tag }), fields };
  return whole as Field<Decoded<F> | null, Input<F> | null, true>;
}

/** A structure within a structure. */
export function struct<const F extends Fields>(
  versions: string,
  fields: F,
): Field<Decoded<F>, Input<F>, false> {
  return { ...base("struct", versions, null, ""), fields } as Field<Decoded<F>, Input<F>, false>;
}

/** The same, or null: a byte before it says which. */
export function nullableStruct<const F extends Fields, const O extends FieldOptions<null>>(
  versions: string,
  fields: F,
  options?: O,
): Field<Decoded<F> | null, Input<F> | null, IsOptional<O>> {
  const whole = { ...base("struct", versions, null, EVERY, options), fields };
  return whole as unknown as Field<Decoded<F> | null, Input<F> | null, IsOptional<O>>;
}

/** Reads `3+`, `0-7`, `4` or the empty text (no version). */
export function parseVersions(text: string): VersionRange {
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text);
  if (match === null) return { from: 1, to: 0 };
  const from = Number(match[1]);
  if (match[2] === "+") return { from, to: Number.POSITIVE_INFINITY };
  return { from, to: match[3] === undefined ? from : Number(match[3]) };
}

export function includesVersion(range: VersionRange, version: number): boolean {
  return version >= range.from && version <= range.to;
}

type ElementOut<E> = E extends AnyField ? OutOf<E> : Decoded<E>;
type ElementIn<E> = E extends AnyField ? InOf<E> : Input<E>;

interface AnyOptions {
  readonly default?: DefaultValue;
  readonly nullable?: string;
  readonly ignorable?: boolean;
  readonly tag?: number;
}

function base(
  kind: FieldKind,
  versions: string,
  fallback: DefaultValue,
  nullable: string,
  options: AnyOptions = {},
): AnyField {
  return {
    kind,
    versions: parseVersions(versions),
    nullable: parseVersions(options.nullable ?? nullable),
    fallback: options.default === undefined ? fallback : options.default,
    isOptional: options.default !== undefined || options.tag !== undefined,
    isIgnorable: options.ignorable ?? false,
    tag: options.tag ?? -1,
    element: null,
    fields: null,
  };
}

function field<Value, O extends AnyOptions>(
  kind: FieldKind,
  versions: string,
  fallback: DefaultValue,
  nullable: string,
  options: O | undefined,
): Plain<Value, O> {
  return base(kind, versions, fallback, nullable, options) as Plain<Value, O>;
}

function arrayField<Out, In, Optional extends boolean>(
  versions: string,
  element: Fields | AnyField,
  nullable: string,
  options: AnyOptions | undefined,
): Field<Out, In, Optional> {
  const inner = isField(element) ? element : { ...base("struct", EVERY, null, ""), fields: element };
  return { ...base("array", versions, [], nullable, options), element: inner } as Field<Out, In, Optional>;
}

function isField(element: Fields | AnyField): element is AnyField {
  return typeof element.kind === "string";
}
