/** Lists that the API answers in pages, read whole: what is sorted by something else than its name must be known whole. */

import { ask } from "./ask.ts";

/** Pages of one list: a hundred thousand groups. */
const PAGES_MAX = 100;

/** All rows of `path`, which has no query. @throws as `ask` */
export async function askAllPages<Row>(path: string, name: string, signal: AbortSignal): Promise<Row[]> {
  const rows: Row[] = [];
  let after = "";
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = after === "" ? "" : `?after=${encodeURIComponent(after)}`;
    const answer = await ask<Record<string, Row[]> & { next?: string }>(path + query, { signal });
    rows.push(...(answer[name] ?? []));
    if (answer.next === undefined) break;
    after = answer.next;
  }
  return rows;
}
