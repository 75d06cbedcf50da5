/** Every API that the codec knows, by its number; also the table for the documentation. */

import type { AnyApi } from "./api.ts";
import { apiVersionsApi } from "./apis/api-versions.ts";
import { fetchApi } from "./apis/fetch.ts";
import { metadataApi } from "./apis/metadata.ts";
import { produceApi } from "./apis/produce.ts";

/** In the order of their numbers. */
export const APIS: readonly AnyApi[] = [produceApi, fetchApi, metadataApi, apiVersionsApi];

const BY_KEY = new Map(APIS.map((api) => [api.key, api]));

export function apiByKey(key: number): AnyApi | undefined {
  return BY_KEY.get(key);
}

/** One line for each API, for docs/protocol.md: number, name, versions, first flexible version. */
export function apiTable(): string {
  const lines = ["| key | API | versions | flexible from |", "|---|---|---|---|"];
  for (const api of APIS) {
    const flexible = Number.isFinite(api.flexibleFrom) ? api.flexibleFrom : "never";
    lines.push(`| ${api.key} | ${api.name} | ${api.versionMin}-${api.versionMax} | ${flexible} |`);
  }
  return lines.join("\n");
}
