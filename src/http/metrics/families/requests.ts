/** Requests by API, and what waits. */

import { counter, counterBy, type Family, gauge, histogram, histogramBy } from "../family.ts";

export const REQUEST_FAMILIES: readonly Family[] = [
  counterBy("api", "obelisk_requests_total", "Kafka requests.", function* ({ activity }) {
    for (const [api, { count }] of activity.requests) yield [api, count];
  }),
  histogramBy(
    "api",
    "obelisk_request_duration_seconds",
    "Seconds from a Kafka request to its response, without what a fetch waits for records as its client asks.",
    function* ({ activity }) {
      for (const [api, { seconds }] of activity.requests) yield [api, seconds];
    },
  ),
  counterBy("status", "obelisk_http_responses_total", "Answers over HTTP.", function* ({ parts }) {
    for (const [status, count] of parts.http.responses) yield [String(status), count];
  }),
  histogramBy(
    "route",
    "obelisk_http_duration_seconds",
    "Seconds from a request over HTTP to the begin of its answer; a long poll waits as it was asked to.",
    function* ({ parts }) {
      for (const [route, seconds] of parts.http.seconds) yield [inBraces(route), seconds];
    },
  ),
  gauge("obelisk_live_tails", "Live tails of topics that are open.", ({ parts }) => parts.live.count),
  counter(
    "obelisk_live_tails_cut_total",
    "Live tails that were cut because their readers took nothing.",
    ({ parts }) => parts.live.cutSlow,
  ),
  counter(
    "obelisk_malformed_requests_total",
    "Connections closed because what they sent is no Kafka request.",
    ({ activity }) => activity.malformedRequests,
  ),
  counterBy(
    "answer",
    "obelisk_native_answers_total",
    "Responses of the native protocol.",
    ({ activity }) => activity.nativeResponses,
  ),
  gauge(
    "obelisk_waiting_fetches",
    "Fetches that wait for records.",
    ({ activity }) => activity.waitingFetches,
  ),
  histogram(
    "obelisk_fetch_wait_seconds",
    "Seconds that fetches waited for records; those that found some at once are not counted.",
    ({ activity }) => activity.fetchWaitSeconds,
  ),
  counter(
    "obelisk_throttled_fetches_total",
    "Fetches that were throttled because too many waited.",
    ({ activity }) => activity.throttledFetches,
  ),
  gauge("obelisk_fetch_sessions", "Fetch sessions that are kept.", ({ activity }) => activity.fetchSessions),
  gauge(
    "obelisk_fetch_session_partitions",
    "Partitions in fetch sessions.",
    ({ activity }) => activity.fetchSessionPartitions,
  ),
];

/** `/topics/:topic` as documents have it: `/topics/{topic}`. */
function inBraces(route: string): string {
  return route.replaceAll(/:(\w+)/g, "{$1}");
}
