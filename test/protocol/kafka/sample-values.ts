/**
 * Values for any message, made from its declaration: random ones for properties, and one full sample in which every field
 * of the version has a value that is not its default.
 */

import fc from "fast-check";
import type { AnyApi } from "../../../src/protocol/kafka/api.ts";
import {
  type AnyField,
  type Fields,
  includesVersion,
  ZERO_UUID,
} from "../../../src/protocol/kafka/schema.ts";

export type Value = Record<string, unknown>;

const SAMPLE_UUID = "01234567-89ab-cdef-0123-456789abcdef";

/** Every API in every version, as rows of a table of tests. */
export function versionsOf(apis: readonly AnyApi[]): [name: string, version: number, api: AnyApi][] {
  const rows: [string, number, AnyApi][] = [];
  for (const api of apis) {
    for (let version = api.versionMin; version <= api.versionMax; version += 1)
      rows.push([api.name, version, api]);
  }
  return rows;
}

export function arbitraryOf(fields: Fields, version: number): fc.Arbitrary<Value> {
  const parts: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [name, field] of Object.entries(fields)) {
    parts[name] = includesVersion(field.versions, version)
      ? arbitraryField(field, version)
      : fc.constant(defaultOf(field));
  }
  return fc.record(parts);
}

function arbitraryField(field: AnyField, version: number): fc.Arbitrary<unknown> {
  const value = arbitraryValue(field, version);
  const mayBeNull = includesVersion(field.nullable, version) || (field.kind === "struct" && field.tag !== -1);
  return mayBeNull ? fc.option(value, { nil: null }) : value;
}

function arbitraryValue(field: AnyField, version: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case "bool":
      return fc.boolean();
    case "int8":
      return fc.integer({ min: -128, max: 127 });
    case "int16":
      return fc.integer({ min: -32768, max: 32767 });
    case "uint16":
      return fc.integer({ min: 0, max: 65_535 });
    case "int32":
      return fc.integer();
    case "int64":
      return fc.maxSafeInteger();
    case "float64":
      return fc.double({ noNaN: true });
    case "uuid":
      return fc.oneof(fc.constant(ZERO_UUID), fc.uuid());
    case "string":
      return fc.string({ unit: "binary", maxLength: 60 });
    case "bytes":
    case "records":
      return fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    case "array":
      return fc.array(arbitraryField(field.element!, version), { maxLength: 3 });
    case "struct":
      return arbitraryOf(field.fields!, version);
  }
}

export function sampleOf(fields: Fields, version: number): Value {
  const value: Value = {};
  for (const [name, field] of Object.entries(fields)) {
    value[name] = includesVersion(field.versions, version) ? sampleField(field, version) : defaultOf(field);
  }
  return value;
}

function sampleField(field: AnyField, version: number): unknown {
  switch (field.kind) {
    case "bool":
      return field.fallback !== true;
    case "int8":
      return 100;
    case "int16":
      return 30_000;
    case "uint16":
      return 60_000;
    case "int32":
      return 2_000_000_000;
    case "int64":
      return 2 ** 52 + 1;
    case "float64":
      return 0.5;
    case "uuid":
      return SAMPLE_UUID;
    case "string":
      return "grüße";
    case "bytes":
    case "records":
      return Buffer.from("some bytes");
    case "array":
      return [sampleField(field.element!, version), sampleField(field.element!, version)];
    case "struct":
      return sampleOf(field.fields!, version);
  }
}

function defaultOf(field: AnyField): unknown {
  return Array.isArray(field.fallback) ? [] : field.fallback;
}
