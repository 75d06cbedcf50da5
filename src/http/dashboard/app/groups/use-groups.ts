/** All groups: which of them lags most is known only of all together. */

import { askAllPages } from "../api/all-pages.ts";
import type { GroupListed } from "../api/answers.ts";
import { routeOf } from "../api/ask.ts";
import { type Resource, useResource } from "../api/resource.ts";

export function useGroups(everyMs?: number): Resource<readonly GroupListed[]> {
  return useResource(routeOf(["groups"]), everyMs, load);
}

function load(path: string, signal: AbortSignal): Promise<GroupListed[]> {
  return askAllPages(path, "groups", signal);
}
