/**
 * Errors as RFC 9457 problem documents: the only shape in which the HTTP API refuses anything.
 *
 *   {"type": "urn:obelisk:error:UNKNOWN_TOPIC_OR_PARTITION", "title": "there is no such topic or partition", "status": 404,
 *    "detail": "there is no such topic or partition (topic t)", "code": "UNKNOWN_TOPIC_OR_PARTITION", "isRetriable": true, "topic": "t"}
 *
 * `code` is the error's name in the table of all errors (base/errors.ts), which has its status too; `detail` names cause and remedy in
 * one line. Further members are the error's facts, and what a route adds.
 */

import { ERRORS, type ErrorCode, type ErrorFacts, ObeliskError } from "../base/errors.ts";

const MEDIA_TYPE = "application/problem+json";

/** Facts that a client can act on; others (a file of ours) stand in the detail alone. */
const MEMBERS = ["topic", "partition", "offset", "position", "limit"] as const satisfies (keyof ErrorFacts)[];

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  isRetriable: boolean;
  [member: string]: unknown;
}

export function problemOf(error: ObeliskError, members: Readonly<Record<string, unknown>> = {}): Problem {
  const { code, facts } = error;
  const { http, sentence, retriable } = ERRORS[code];
  const problem: Problem = {
    type: `urn:obelisk:error:${code}`,
    title: sentence,
    status: http,
    detail: error.message,
    code,
    isRetriable: retriable,
  };
  for (const name of MEMBERS) if (facts[name] !== undefined) problem[name] = facts[name];
  return { ...problem, ...members };
}

export function problemResponse(
  error: ObeliskError,
  members?: Readonly<Record<string, unknown>>,
  headers?: Readonly<Record<string, string>>,
): Response {
  const problem = problemOf(error, members);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "content-type": MEDIA_TYPE, ...headers },
  });
}

/** For a fault of our own, of which a client learns nothing more. */
export function unexpectedProblem(): Response {
  return problemResponse(new ObeliskError("UNKNOWN_SERVER_ERROR"));
}
