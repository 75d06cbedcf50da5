/**
 * Golden vectors: for each API and version one exchange of each client, as it was on the wire, with the values that are in
 * it. The files lie in test/vectors/kafka, one for each API.
 *
 *   bun test/protocol/kafka/golden-vectors.ts CLIENT=CAPTURE.json ...     makes them from files of capture-wire.ts
 *
 * Of the exchanges of a client with the same API and version the largest is taken that stays below `FRAME_BYTES_MAX`: it
 * has the most fields filled. The values are what our decoder gives, to be looked through once; after that they are law.
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { AnyApi } from "../../../src/protocol/kafka/api.ts";
import { APIS, apiByKey } from "../../../src/protocol/kafka/apis.ts";
import { decodeRequestHeader } from "../../../src/protocol/kafka/request-header.ts";
import type { Exchange } from "../../support/capture-wire.ts";

export interface GoldenVector {
  readonly client: string;
  readonly version: number;
  /** Header and body in hex, without the length. */
  readonly request: string;
  readonly requestValue: unknown;
  readonly response: string | null;
  readonly responseValue: unknown;
}

const DIRECTORY = join(import.meta.dir, "../../vectors/kafka");

/** Keeps the files readable. */
const FRAME_BYTES_MAX = 700;

/** The vectors of every API that has some. */
export async function readGoldenVectors(): Promise<[api: AnyApi, vectors: GoldenVector[]][]> {
  const sets: [AnyApi, GoldenVector[]][] = [];
  const names = new Set(readdirSync(DIRECTORY));
  for (const api of APIS) {
    if (!names.has(`${api.name}.json`)) continue;
    const text = await Bun.file(join(DIRECTORY, `${api.name}.json`)).text();
    sets.push([api, JSON.parse(text, (_name, value) => restoreBuffer(value)) as GoldenVector[]]);
  }
  return sets;
}

export function decodeRequestFrame(api: AnyApi, frame: Buffer): unknown {
  const { version, bodyPosition } = decodeRequestHeader(frame, 0, frame.length);
  return api.decodeRequest(version, frame, bodyPosition, frame.length);
}

function restoreBuffer(value: unknown): unknown {
  const isBuffer =
    typeof value === "object" && value !== null && "hex" in value && typeof value.hex === "string";
  return isBuffer ? Buffer.from(value.hex as string, "hex") : value;
}

function bytesAsHex(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return { hex: value.toString("hex") };
  if (Array.isArray(value)) return value.map(bytesAsHex);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, bytesAsHex(inner)]));
}

async function makeVectors(captures: string[]): Promise<void> {
  const chosen = new Map<string, [client: string, exchange: Exchange]>();
  for (const capture of captures) {
    const [client = "", file = ""] = capture.split("=");
    for (const exchange of (await Bun.file(file).json()) as Exchange[]) {
      const place = `${exchange.key}/${exchange.version}/${client}`;
      const rival = chosen.get(place);
      if (rival === undefined || weight(exchange) > weight(rival[1])) chosen.set(place, [client, exchange]);
    }
  }
  for (const api of APIS) {
    const own = [...chosen.values()].filter(([, exchange]) => apiByKey(exchange.key) === api);
    const small = own.filter(([, exchange]) => weight(exchange) > 0);
    const kept = own.filter(
      ([, exchange]) =>
        weight(exchange) > 0 || !small.some(([, other]) => other.version === exchange.version),
    );
    const vectors = kept.map(([client, exchange]) => vectorOf(api, client, exchange));
    vectors.sort((a, b) => a.version - b.version || a.client.localeCompare(b.client));
    const text = `[\n${vectors.map((vector) => JSON.stringify(vector)).join(",\n")}\n]\n`;
    if (vectors.length > 0) await Bun.write(join(DIRECTORY, `${api.name}.json`), text);
  }
}

/** Larger is better; what is too large, or has no response, comes last. */
function weight(exchange: Exchange): number {
  if (exchange.response === null) return -1e9;
  const bytes = (exchange.request.length + exchange.response.length) / 2;
  return bytes > FRAME_BYTES_MAX ? -bytes : bytes;
}

function vectorOf(api: AnyApi, client: string, exchange: Exchange): GoldenVector {
  const request = Buffer.from(exchange.request, "hex");
  const response = exchange.response === null ? null : Buffer.from(exchange.response, "hex");
  return {
    client,
    version: exchange.version,
    request: exchange.request,
    requestValue: bytesAsHex(decodeRequestFrame(api, request)),
    response: exchange.response,
    responseValue:
      response === null
        ? null
        : bytesAsHex(api.decodeResponse(exchange.version, response, 0, response.length)),
  };
}

if (import.meta.main) await makeVectors(process.argv.slice(2));
