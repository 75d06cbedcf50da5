/** Answers with lists that may be long: written in slices of the loop's time, so that nobody waits for all of it. */

import type { Clock } from "../base/clock.ts";
import { TurnShare } from "../base/loop/turn-share.ts";

/** Elements between two looks at the clock. */
const AT_ONCE = 64;
const JSON_TYPE = { "content-type": "application/json", "cache-control": "no-store" };

/** An object whose lists are written element by element; what is not a list is written at once. */
export async function longJson(
  value: object,
  clock: Pick<Clock, "monotonicMs">,
  init: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Response> {
  const share = new TurnShare(clock);
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const text = Array.isArray(member) ? await listText(member, share) : JSON.stringify(member);
    members.push(`${JSON.stringify(name)}:${text}`);
  }
  return new Response(`{${members.join(",")}}`, {
    status: init.status ?? 200,
    headers: { ...JSON_TYPE, ...init.headers },
  });
}

async function listText(list: readonly unknown[], share: TurnShare): Promise<string> {
  const texts: string[] = [];
  for (const [index, element] of list.entries()) {
    if (index % AT_ONCE === 0 && share.isUsedUp) await share.rest();
    texts.push(JSON.stringify(element));
  }
  return `[${texts.join(",")}]`;
}
