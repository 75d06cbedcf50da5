/**
 * Turns a declaration (schema.ts) into two functions for one version: one that reads a structure and one that writes
 * it. The functions are generated as source text, because then a decoded structure is one object literal with one
 * hidden shape and every access a plain property, which walking the declaration at run time cannot give. The text
 * is made of our declarations alone; nothing that a peer sends gets into it.
 *
 * A structure in a flexible version
 *
 *   fields in order, compact | tagged fields: count, then tag, size, content
 *
 * An array of structures may be given as one that is encoded already (array-encoder.ts): its bytes then stand where its
 * elements would.
 *
 * For `{ name: string, partitions: array of int32 }` in a flexible version the reader looks like this:
 *
 *   function read0(r) { const f0 = r.compactString(); const f1 = read1(r); r.skipTags(); return { "name": f0, "partitions": f1 }; }
 *   function read1(r) { const count = r.compactArrayCount(4); const items = []; ... items.push(r.int32()); ... return items; }
 */

import { ObeliskError } from "../../base/errors.ts";
import type { Reader } from "./reader.ts";
import { type AnyField, type Fields, includesVersion, ZERO_UUID } from "./schema.ts";
import type { Writer } from "./writer.ts";

export type ReadFunction = (reader: Reader) => unknown;
export type WriteFunction = (writer: Writer, value: unknown) => void;

/** What the generated functions belong to: for the messages of their errors. */
export interface CompileContext {
  readonly apiName: string;
  readonly version: number;
  readonly isFlexible: boolean;
  /** Requests are queries: an int64 in them may be rounded outside 53 bits. */
  readonly isRequest: boolean;
}

export function compileReader(fields: Fields, context: CompileContext): ReadFunction {
  const source = new ReaderSource(context);
  const name = source.struct(fields);
  return new Function(`${source.text}return ${name};`)() as ReadFunction;
}

export function compileWriter(fields: Fields, context: CompileContext): WriteFunction {
  const source = new WriterSource(context);
  const name = source.struct(fields);
  const absent = (fieldName: string) => refuseField(context, fieldName, "does not exist");
  const isNull = (fieldName: string) => refuseField(context, fieldName, "cannot be null");
  return new Function("absent", "isNull", `${source.text}return ${name};`)(absent, isNull) as WriteFunction;
}

function refuseField(context: CompileContext, name: string, problem: string): never {
  const detail = `the field ${name} ${problem} in version ${context.version} of ${context.apiName}`;
  throw new ObeliskError("UNSUPPORTED_VERSION", { detail });
}

/** Bytes on the wire for each primitive type of a fixed size. */
const FIXED_BYTES: Partial<Record<AnyField["kind"], number>> = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
};

class ReaderSource {
  readonly #context: CompileContext;
  #count = 0;
  text = "";

  constructor(context: CompileContext) {
    this.#context = context;
  }

  /** Adds a function that reads a structure and returns the function's name. */
  struct(fields: Fields): string {
    const { version, isFlexible } = this.#context;
    const reads: string[] = [];
    const tags: string[] = [];
    const properties: string[] = [];
    let index = 0;
    for (const [name, field] of Object.entries(fields)) {
      const local = `f${index++}`;
      properties.push(`${JSON.stringify(name)}: ${local}`);
      if (!includesVersion(field.versions, version)) reads.push(`const ${local} = ${literal(field)};`);
      else if (field.tag === -1) reads.push(`const ${local} = ${this.#read(field)};`);
      else {
        reads.push(`let ${local} = ${literal(field)};`);
        tags.push(`if (tag === ${field.tag}) { ${local} = ${this.#read(field)}; } else `);
      }
    }
    if (isFlexible) reads.push(readTags(tags));
    return this.#add(`${reads.join("\n")}\nreturn { ${properties.join(", ")} };`);
  }

  #read(field: AnyField): string {
    const { version, isFlexible, isRequest } = this.#context;
    if (field.kind === "int64" && isRequest) return "r.nearestInt64()";
    const isNullable = includesVersion(field.nullable, version);
    if (field.kind === "array") return `${this.#array(field.element!, isNullable)}(r)`;
    if (field.kind === "struct") {
      const read = `${this.struct(field.fields!)}(r)`;
      return isNullable ? `(r.int8() < 0 ? null : ${read})` : read;
    }
    return `r.${methodName(field, isFlexible, isNullable)}()`;
  }

  #array(element: AnyField, isNullable: boolean): string {
    const { version, isFlexible } = this.#context;
    const method = sizedName("arrayCount", isFlexible, isNullable);
    const bytesMin = elementBytesMin(element, version, isFlexible);
    return this.#add(`const count = r.${method}(${bytesMin});
${isNullable ? "if (count === -1) return null;" : ""}
const items = [];
for (let index = 0; index < count; index += 1) items.push(${this.#read(element)});
return items;`);
  }

  #add(body: string): string {
    const name = `read${this.#count++}`;
    this.text += `function ${name}(r) {\n${body}\n}\n`;
    return name;
  }
}

class WriterSource {
  readonly #context: CompileContext;
  #count = 0;
  text = "";

  constructor(context: CompileContext) {
    this.#context = context;
  }

  /** Adds a function that writes a structure and returns the function's name. */
  struct(fields: Fields): string {
    const { version, isFlexible } = this.#context;
    const writes: string[] = [];
    const tagged: [name: string, field: AnyField][] = [];
    for (const [name, field] of Object.entries(fields)) {
      const property = `v[${JSON.stringify(name)}]`;
      if (!includesVersion(field.versions, version)) {
        if (!field.isIgnorable)
          writes.push(`if (${differs(field, property)}) absent(${JSON.stringify(name)});`);
      } else if (field.tag !== -1) tagged.push([name, field]);
      else writes.push(this.#property(name, field, property));
    }
    if (isFlexible) writes.push(this.#tags(tagged));
    return this.#add(writes.join("\n"));
  }

  #property(name: string, field: AnyField, property: string): string {
    const value = field.isOptional ? `${property} === undefined ? ${literal(field)} : ${property}` : property;
    const mayBeNull = field.nullable.from <= field.nullable.to || field.fallback === null;
    const isNullable = includesVersion(field.nullable, this.#context.version);
    const check = mayBeNull && !isNullable ? `if (value === null) isNull(${JSON.stringify(name)}); ` : "";
    return `{ const value = ${value}; ${check}${this.#write(field, "value", isNullable)} }`;
  }

  #tags(tagged: [name: string, field: AnyField][]): string {
    if (tagged.length === 0) return "w.unsignedVarint(0);";
    const lines = ["let tags = 0;"];
    for (const [name, field] of tagged) {
      lines.push(`if (${differs(field, `v[${JSON.stringify(name)}]`)}) tags += 1;`);
    }
    lines.push("w.unsignedVarint(tags);", "if (tags === 0) return;");
    for (const [name, field] of tagged.toSorted(([, a], [, b]) => a.tag - b.tag)) {
      const property = `v[${JSON.stringify(name)}]`;
      lines.push(`if (${differs(field, property)}) { const mark = w.beginTag(${field.tag});
${this.#property(name, field, property)}
w.endTag(mark); }`);
    }
    return lines.join("\n");
  }

  #write(field: AnyField, value: string, isNullable: boolean): string {
    const { isFlexible } = this.#context;
    if (field.kind === "array") return `${this.#array(field.element!, isNullable)}(w, ${value});`;
    if (field.kind === "struct") {
      const write = `${this.struct(field.fields!)}(w, ${value});`;
      return isNullable ? `if (${value} === null) w.int8(-1); else { w.int8(1); ${write} }` : write;
    }
    return `w.${methodName(field, isFlexible, isNullable)}(${value});`;
  }

  #array(element: AnyField, isNullable: boolean): string {
    const { version, isFlexible } = this.#context;
    const method = sizedName("arrayCount", isFlexible, false);
    return this.#add(`${isNullable ? `if (v === null) { w.${method}(-1); return; }` : ""}
w.${method}(v.length);
${element.kind === "struct" ? "if (v.parts !== undefined) { w.elements(v.parts, v.slabs); return; }" : ""}
for (let index = 0; index < v.length; index += 1) { ${this.#write(element, "v[index]", includesVersion(element.nullable, version))} }`);
  }

  #add(body: string): string {
    const name = `write${this.#count++}`;
    this.text += `function ${name}(w, v) {\n${body}\n}\n`;
    return name;
  }
}

/** The fewest bytes that one element of an array can take. */
function elementBytesMin(field: AnyField, version: number, isFlexible: boolean): number {
  const fixed = FIXED_BYTES[field.kind];
  if (fixed !== undefined) return fixed;
  if (field.kind === "struct") {
    if (includesVersion(field.nullable, version)) return 1;
    let sum = isFlexible ? 1 : 0;
    for (const inner of Object.values(field.fields!)) {
      if (inner.tag === -1 && includesVersion(inner.versions, version))
        sum += elementBytesMin(inner, version, isFlexible);
    }
    return sum;
  }
  if (isFlexible) return 1;
  return field.kind === "string" ? 2 : 4;
}

/** The default of a field as an expression. */
function literal(field: AnyField): string {
  if (Array.isArray(field.fallback)) return "[]";
  if (field.kind === "bytes" && field.fallback === "") return "Buffer.alloc(0)";
  return JSON.stringify(field.fallback);
}

/** An expression that is true when a property is there and is not the field's default. */
function differs(field: AnyField, property: string): string {
  const isGiven = `${property} !== undefined`;
  if (field.kind === "array" || field.kind === "bytes") {
    if (field.fallback === null) return `${isGiven} && ${property} !== null`;
    return `${isGiven} && (${property} === null || ${property}.length !== 0)`;
  }
  return `${isGiven} && ${property} !== ${JSON.stringify(field.kind === "uuid" ? ZERO_UUID : field.fallback)}`;
}

function readTags(tags: string[]): string {
  if (tags.length === 0) return "r.skipTags();";
  return `for (let tags = r.tagCount(); tags > 0; tags -= 1) {
const tag = r.unsignedVarint();
const size = r.unsignedVarint();
${tags.join("")}r.skipTag(size);
}`;
}

function methodName(field: AnyField, isFlexible: boolean, isNullable: boolean): string {
  if (field.kind === "string") return sizedName("string", isFlexible, isNullable);
  if (field.kind === "bytes" || field.kind === "records") return sizedName("bytes", isFlexible, isNullable);
  return field.kind;
}

/** `string` becomes `compactNullableString` and so on. */
function sizedName(name: string, isFlexible: boolean, isNullable: boolean): string {
  const words = [isFlexible ? "compact" : "", isNullable ? "nullable" : "", name].filter(
    (word) => word !== "",
  );
  return words.map((word, index) => (index === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join("");
}
