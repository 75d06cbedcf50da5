/** Requests to the HTTP API. What it refuses comes as a `Refusal`, with the sentence that names cause and remedy. */

import { brokerIsLost } from "./broker.ts";

/** A problem document (RFC 9457), or what stands for one when nobody answered. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  /** Where in a filter or a body the fault is. */
  readonly position: number | null;

  constructor(status: number, code: string, detail: string, position: number | null) {
    super(detail);
    this.status = status;
    this.code = code;
    this.position = position;
  }
}

/** The broker was not reached: told by the page's banner, so that no view need tell it too. */
export const UNREACHABLE = "UNREACHABLE";

export interface Asked {
  readonly method?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @throws Refusal; an AbortError when its signal aborts it */
export async function ask<T>(path: string, asked: Asked = {}): Promise<T> {
  const response = await askResponse(path, asked);
  return (response.status === 204 ? null : await response.json()) as T;
}

/** @throws as `ask` */
export async function askResponse(path: string, asked: Asked = {}): Promise<Response> {
  const { method = "GET", body, signal, accept = "application/json", headers = {} } = asked;
  const options: RequestInit = { method, cache: "no-store", headers: { accept, ...headers } };
  if (signal !== undefined) options.signal = signal;
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { ...options.headers, "content-type": "application/json" };
  }
  let response: Response;
  try {
    response = await fetch(path, options);
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    brokerIsLost();
    throw new Refusal(0, UNREACHABLE, "The broker does not answer.", null);
  }
  if (response.ok) return response;
  throw await refusalOf(response);
}

async function refusalOf(response: Response): Promise<Refusal> {
  const text = await response.text();
  let problem: Readonly<Record<string, unknown>> = {};
  try {
    problem = JSON.parse(text) as typeof problem;
  } catch {
    // Not ours: something between the browser and the broker answered.
  }
  const textOf = (name: string) => (typeof problem[name] === "string" ? problem[name] : null);
  const position = typeof problem["position"] === "number" ? problem["position"] : null;
  const detail = textOf("detail") ?? textOf("message") ?? `The broker answered ${response.status}.`;
  return new Refusal(response.status, textOf("code") ?? "UNKNOWN", detail, position);
}

/** The address of a route: its parts encoded, its query without what is undefined. */
export function routeOf(
  parts: readonly (string | number)[],
  query: Readonly<Record<string, string | number | undefined>> = {},
): string {
  const path = `/${parts.map(encodeURIComponent).join("/")}`;
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? path : `${path}?${search}`;
}
