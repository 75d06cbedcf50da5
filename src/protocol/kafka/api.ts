/**
 * One API of the Kafka protocol: its number, its versions, and the way between bytes and values for each of them.
 * The functions of a version are built at its first use and kept.
 *
 *   request    int32 length | header: int16 key, int16 version, int32 correlation id, client id, [tags] | body
 *   response   int32 length | header: int32 correlation id, [tags]                                     | body
 *
 * The tags are there in flexible versions, except in the response header of ApiVersions: its reader cannot know yet
 * what the broker supports. The client id is a plain nullable string in every version.
 *
 * What an `Api` can do is not what a server offers; that list lives with the handlers.
 *
 * Bytes after a body are ignored, as Kafka does in every API and version: current librdkafka sends three after
 * Metadata for all topics. An int64 of a request may lie outside 53 bits; it is then rounded, and who keeps such a value
 * looks at it first. In a response it is refused: offsets there are taken at their word.
 *
 * Decoding throws ObeliskError PROTOCOL_ERROR (CORRUPT_MESSAGE for an integer of a response outside 53 bits) and nothing
 * else.
 * Encoding throws UNSUPPORTED_VERSION when a value needs a field that the version lacks.
 */

import { fail } from "../../base/assert.ts";
import type { ByteSource } from "../../base/byte-source.ts";
import { ObeliskError } from "../../base/errors.ts";
import { ArrayEncoder } from "./array-encoder.ts";
import {
  type CompileContext,
  compileReader,
  compileWriter,
  type ReadFunction,
  type WriteFunction,
} from "./compile.ts";
import { Reader } from "./reader.ts";
import { type Decoded, type Fields, type Input, parseVersions } from "./schema.ts";
import { type Encoded, Writer } from "./writer.ts";

export interface ApiDeclaration<Request extends Fields, Response extends Fields> {
  readonly key: number;
  readonly name: string;
  /** As in "3-11". */
  readonly versions: string;
  /** The first flexible version, or null when there is none. */
  readonly flexibleFrom: number | null;
  readonly request: Request;
  readonly response: Response;
}

/** Frames are encoded one at a time, so that all of them are cut from the same slabs. */
const writer = new Writer();

export class Api<RequestInput, Request, ResponseInput, Response> {
  readonly key: number;
  readonly name: string;
  readonly versionMin: number;
  readonly versionMax: number;
  /** Infinity when no version is flexible. */
  readonly flexibleFrom: number;
  readonly requestFields: Fields;
  readonly responseFields: Fields;
  readonly #requestReaders: (ReadFunction | undefined)[] = [];
  readonly #requestWriters: (WriteFunction | undefined)[] = [];
  readonly #responseReaders: (ReadFunction | undefined)[] = [];
  readonly #responseWriters: (WriteFunction | undefined)[] = [];
  /** For each version, by the names that lead to the array. */
  readonly #elementWriters: (Map<string, WriteFunction> | undefined)[] = [];

  constructor(declaration: ApiDeclaration<Fields, Fields>) {
    const { from, to } = parseVersions(declaration.versions);
    this.key = declaration.key;
    this.name = declaration.name;
    this.versionMin = from;
    this.versionMax = to;
    this.flexibleFrom = declaration.flexibleFrom ?? Number.POSITIVE_INFINITY;
    this.requestFields = declaration.request;
    this.responseFields = declaration.response;
  }

  hasVersion(version: number): boolean {
    return version >= this.versionMin && version <= this.versionMax;
  }

  /** Decodes the body that lies from `position` (after the header) to `end`. Buffers in it are views of `buffer`. */
  decodeRequest(version: number, buffer: Buffer, position: number, end: number): Request {
    return this.readRequest(version, Reader.ofRequest(buffer, position, end));
  }

  /** As `decodeRequest`, for callers that read from the reader afterwards what that took. */
  readRequest(version: number, reader: Reader): Request {
    const read = (this.#requestReaders[version] ??= compileReader(
      this.requestFields,
      this.#context(version, true),
    ));
    return read(reader) as Request;
  }

  /** Encodes a whole frame: length, header, body. */
  encodeRequest(
    version: number,
    correlationId: number,
    clientId: string | null,
    request: RequestInput,
  ): Encoded {
    const write = (this.#requestWriters[version] ??= compileWriter(
      this.requestFields,
      this.#context(version, true),
    ));
    writer.begin();
    writer.int16(this.key);
    writer.int16(version);
    writer.int32(correlationId);
    writer.nullableString(clientId);
    if (version >= this.flexibleFrom) writer.unsignedVarint(0);
    write(writer, request);
    return writer.finish() as Encoded;
  }

  /** Decodes a frame that starts with its header (the correlation id) at `position`. Buffers in it are views of `buffer`. */
  decodeResponse(version: number, buffer: Buffer, position: number, end: number): Response {
    const read = (this.#responseReaders[version] ??= compileReader(
      this.responseFields,
      this.#context(version, false),
    ));
    const reader = new Reader(buffer, position, end);
    reader.int32();
    if (this.#hasTaggedResponseHeader(version)) reader.skipTags();
    return read(reader) as Response;
  }

  /** Encodes a whole frame: length, header, body. Large records in it are parts of the result, not copies. */
  encodeResponse(
    version: number,
    correlationId: number,
    response: ResponseInput,
  ): Encoded<Buffer | ByteSource> {
    const write = (this.#responseWriters[version] ??= compileWriter(
      this.responseFields,
      this.#context(version, false),
    ));
    writer.begin();
    writer.int32(correlationId);
    if (this.#hasTaggedResponseHeader(version)) writer.unsignedVarint(0);
    write(writer, response);
    return writer.finish();
  }

  /** Encodes an array of structures in a response piece by piece: the one under these field names. */
  responseArray<Element>(version: number, ...path: readonly string[]): ArrayEncoder<Element> {
    const place = path.join(".");
    const writers = (this.#elementWriters[version] ??= new Map());
    const known = writers.get(place);
    if (known !== undefined) return new ArrayEncoder(known);
    const write = compileWriter(elementFields(this.responseFields, path), this.#context(version, false));
    writers.set(place, write);
    return new ArrayEncoder(write);
  }

  #hasTaggedResponseHeader(version: number): boolean {
    return version >= this.flexibleFrom && this.key !== API_VERSIONS_KEY;
  }

  #context(version: number, isRequest: boolean): CompileContext {
    if (!this.hasVersion(version)) {
      throw new ObeliskError("UNSUPPORTED_VERSION", {
        detail: `version ${version} of ${this.name} is not supported`,
      });
    }
    return { apiName: this.name, version, isFlexible: version >= this.flexibleFrom, isRequest };
  }
}

/** What one element of an array has, found by the names of fields that lead to it. */
function elementFields(fields: Fields, path: readonly string[]): Fields {
  let found = fields;
  for (const name of path) {
    const inner = found[name]?.element?.fields ?? null;
    if (inner === null) fail(`there is no array of structures at ${path.join(".")}`);
    found = inner;
  }
  return found;
}

/** Any API, where only its number, its versions and the bytes matter. */
export type AnyApi = Api<never, unknown, never, unknown>;

const API_VERSIONS_KEY = 18;

export function defineApi<const Request extends Fields, const Response extends Fields>(
  declaration: ApiDeclaration<Request, Response>,
): Api<Input<Request>, Decoded<Request>, Input<Response>, Decoded<Response>> {
  return new Api(declaration);
}
