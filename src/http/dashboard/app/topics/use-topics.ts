/** All topics. */

import { askAllPages } from "../api/all-pages.ts";
import type { TopicListed } from "../api/answers.ts";
import { routeOf } from "../api/ask.ts";
import { type Resource, useResource } from "../api/resource.ts";

export function useTopics(everyMs?: number): Resource<readonly TopicListed[]> {
  return useResource(routeOf(["topics"]), everyMs, load);
}

function load(path: string, signal: AbortSignal): Promise<TopicListed[]> {
  return askAllPages(path, "topics", signal);
}
