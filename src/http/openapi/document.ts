/**
 * The OpenAPI 3.1 document, made of what the routes say of themselves: their paths, the schemas by which elysia checks what comes in, and
 * their documents (access.ts). So there is nothing that could say otherwise.
 *
 *   - A schema with a title is told once, among the components, and named where it is used.
 *   - Every operation may answer a problem document (`default`); statuses that a route tells besides are its own.
 *   - The pages of the dashboard are no part of the API, and are left out.
 */

import { fail } from "../../base/assert.ts";
import { type DocumentedContent, documentOf, type RouteDocument } from "../access.ts";
import { PROBLEM, PROBLEM_EXAMPLE } from "./schemas/common.ts";

/** A route as elysia keeps it. */
export interface Route {
  readonly method: string;
  readonly path: string;
  readonly hooks: {
    readonly detail?: unknown;
    readonly body?: unknown;
    readonly query?: unknown;
    readonly params?: unknown;
  };
}

type Json = Record<string, unknown>;

const TAGS: Readonly<Record<string, string>> = {
  messages: "Messages in and out, and live tails.",
  topics: "Topics, their partitions and settings.",
  groups: "Groups of consumers, and consuming without a Kafka client.",
  cluster: "The server, its settings and connections.",
  health: "Probes and metrics.",
  api: "This document.",
};
const LEFT_OUT = "dashboard";
const JSON_TYPE = "application/json";
const PROBLEM_TYPE = "application/problem+json";

export function openApiDocument(routes: readonly Route[], version: string): Json {
  const components = new Components();
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const document = documentOf(route.hooks) ?? fail(`the route ${route.path} is not documented`);
    if (document.tag === LEFT_OUT) continue;
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route, document, components);
  }
  const problem = components.use(PROBLEM);
  return {
    openapi: "3.1.0",
    info: {
      title: "Obelisk",
      version,
      description:
        "The HTTP API of Obelisk, a message broker. What is stored here is read by Kafka clients and the other way round: there is one " +
        "log. There is no authentication. Errors are RFC 9457 problem documents.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/", description: "The server that this document is from." }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: components.schemas,
      responses: {
        Problem: {
          description: "Refused or failed; `detail` says why, and what to do.",
          content: { [PROBLEM_TYPE]: { schema: problem, ...examplesOf(PROBLEM_EXAMPLE) } },
        },
      },
    },
    security: [],
  };
}

function operationOf({ method, path, hooks }: Route, document: RouteDocument, components: Components): Json {
  const { tag, summary, description, access, headers = {}, responses = {} } = document;
  const body = bodyOf(hooks, document, components);
  const parameters = [
    ...pathParameters(path, hooks.params, components),
    ...queryParameters(hooks.query, components),
    ...Object.entries(headers).map(([name, text]) => ({
      name,
      in: "header",
      description: text,
      schema: { type: "string" },
    })),
  ];
  return {
    operationId: idOf(method, path),
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    "x-access": { operation: access[0], resource: access[1] },
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === null ? {} : { requestBody: { required: true, content: body } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(responses).map(([status, response]) => [
          status,
          { description: response.description, ...contentOf(response, components) },
        ]),
      ),
      default: { $ref: "#/components/responses/Problem" },
    },
  };
}

/** GET /topics/:topic/messages: getTopicsTopicMessages. */
function idOf(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  return method.toLowerCase() + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("");
}

function bodyOf(hooks: Route["hooks"], { body, bodies }: RouteDocument, components: Components): Json | null {
  if (bodies !== undefined) return mediaTypes(bodies, components);
  if (hooks.body === undefined) return null;
  return { [JSON_TYPE]: { schema: components.use(hooks.body as Json), ...examplesOf(body) } };
}

function contentOf(
  { schema, example, mediaType, also = {} }: NonNullable<RouteDocument["responses"]>[number],
  components: Components,
): { content?: Json } {
  if (schema === undefined && mediaType === undefined) return {};
  const first: DocumentedContent = {
    schema: schema ?? { type: "string" },
    ...(example === undefined ? {} : { example }),
  };
  return { content: mediaTypes({ [mediaType ?? JSON_TYPE]: first, ...also }, components) };
}

function mediaTypes(contents: Readonly<Record<string, DocumentedContent>>, components: Components): Json {
  return Object.fromEntries(
    Object.entries(contents).map(([type, { schema, example }]) => [
      type,
      { schema: components.use(schema as Json), ...examplesOf(example) },
    ]),
  );
}

/** A list with a name for the one that there is: of an `example` RapiDoc shows nothing. */
function examplesOf(example: unknown): Json {
  return example === undefined ? {} : { examples: { example: { value: example } } };
}

function pathParameters(path: string, params: unknown, components: Components): Json[] {
  const schemas = (params as { properties?: Record<string, Json> } | undefined)?.properties ?? {};
  return Array.from(path.matchAll(/:(\w+)/g), ([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    schema: components.use(schemas[name] ?? { type: "string" }),
  }));
}

function queryParameters(query: unknown, components: Components): Json[] {
  const { properties = {}, required = [] } = (query ?? {}) as {
    properties?: Record<string, Json>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, schema]) => {
    // Examples would be filled in for whoever tries a request in the page, all of them at once.
    const { description, examples: _, ...plain } = components.use(schema);
    return {
      name,
      in: "query",
      ...(description === undefined ? {} : { description }),
      ...(required.includes(name) ? { required: true } : {}),
      schema: plain,
    };
  });
}

/** Schemas as the document tells them. */
class Components {
  readonly schemas: Record<string, Json> = {};

  /** The schema, or a reference to it when it has a title. */
  use(schema: Json): Json {
    const plain = withTypes(withAnyMember(withoutText(schema)));
    const { title } = plain;
    if (typeof title !== "string") return this.#within(plain);
    this.schemas[title] ??= this.#within(plain);
    return { $ref: `#/components/schemas/${title}` };
  }

  #within(schema: Json): Json {
    return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, this.#value(key, value)]));
  }

  #value(key: string, value: unknown): unknown {
    if (Array.isArray(value)) return key === "anyOf" ? value.map((one) => this.use(one as Json)) : value;
    if (typeof value !== "object" || value === null) return value;
    if (key === "properties")
      return Object.fromEntries(
        Object.entries(value as Json).map(([name, one]) => [name, this.use(one as Json)]),
      );
    return key === "items" || key === "additionalProperties" ? this.use(value as Json) : value;
  }
}

/** Where a number may come as text, as elysia writes it, the number alone. */
function withoutText(schema: Json): Json {
  const { anyOf, ...rest } = schema;
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return schema;
  const [text, number] = anyOf as [Json, Json];
  const isText = text["type"] === "string" && TEXT_FORMATS.includes(text["format"]);
  return isText ? { ...number, ...rest } : schema;
}

/** A record, whose members may have any name, as most tools know it. */
function withAnyMember({ patternProperties, ...rest }: Json): Json {
  const patterns = Object.entries((patternProperties ?? {}) as Json);
  if (patterns.length !== 1) return patternProperties === undefined ? rest : { ...rest, patternProperties };
  return { ...rest, additionalProperties: patterns[0]![1] };
}

/** One of several types, where nothing more is said of them, as one list. */
function withTypes(schema: Json): Json {
  const { anyOf, ...rest } = schema;
  if (!Array.isArray(anyOf)) return schema;
  const types = (anyOf as Json[]).map((one) => (Object.keys(one).length === 1 ? one["type"] : undefined));
  return types.every((type) => typeof type === "string") ? { ...rest, type: types } : schema;
}

const TEXT_FORMATS: readonly unknown[] = ["integer", "numeric", "boolean"];
