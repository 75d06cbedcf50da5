/**
 * What each route does, and to what: the one place where permissions will be asked.
 *
 *     route -> documented({ access: ["read", "topic"], ... }) -> `x-access` of its operation -> app.ts asks before the handler
 *
 * The words are Kafka's operations and resources, so that its lists of permissions mean the same here. Nobody is refused anything yet
 * (security/principal.ts). A route without an access is refused at the start.
 */

import type { DocumentDecoration } from "elysia";

export type Operation =
  | "none"
  | "read"
  | "write"
  | "create"
  | "delete"
  | "alter"
  | "describe"
  | "describe-configs"
  | "alter-configs";

/** `server`: what belongs to nobody, such as a probe. */
export type Resource = "topic" | "group" | "cluster" | "server";

export type Access = readonly [operation: Operation, resource: Resource];

export interface DocumentedContent {
  /** JSON schema. */
  readonly schema: object;
  readonly example?: unknown;
}

/** What a status of a response means, with an example of it. Without a schema and a media type it has no body. */
export interface DocumentedResponse extends Partial<DocumentedContent> {
  readonly description: string;
  /** Default: application/json. */
  readonly mediaType?: string;
  /** What else may be asked for, by media type. */
  readonly also?: Readonly<Record<string, DocumentedContent>>;
}

export interface RouteDocument {
  readonly access: Access;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** An example of the body, whose schema is the route's. */
  readonly body?: unknown;
  /** Of a route that reads its body itself: what it takes, by media type. */
  readonly bodies?: Readonly<Record<string, DocumentedContent>>;
  /** What headers of the request say. */
  readonly headers?: Readonly<Record<string, string>>;
  /** By status. Problems need not be told: every route may answer them. */
  readonly responses?: Readonly<Record<number, DocumentedResponse>>;
}

/** Where a route's document stands among the options that elysia keeps for it. */
const DOCUMENT = "x-obelisk";

/** For the options of a route: `.get(path, handler, { ...documented({...}), query: ... })`. */
export function documented(document: RouteDocument): { detail: DocumentDecoration } {
  return { detail: { [DOCUMENT]: document } as DocumentDecoration };
}

/** What `documented` was given; undefined for a route without it. */
export function documentOf(hooks: { detail?: unknown }): RouteDocument | undefined {
  return (hooks.detail as Record<string, RouteDocument> | undefined)?.[DOCUMENT];
}
