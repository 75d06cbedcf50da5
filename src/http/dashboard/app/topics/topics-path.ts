/** Where all topics are listed, and what is answered there. */

import type { TopicsPage } from "../api/answers.ts";
import { routeOf } from "../api/ask.ts";

export type TopicsAnswer = TopicsPage;

/** As many as the API lists in one answer. */
export const TOPICS_PATH = routeOf(["topics"], { limit: 10_000 });
