/**
 * What is compared: a case is a sequence of requests on one connection, with topics of its own, so that a difference in
 * one case does not make differences in the next.
 *
 * A request is the same bytes for both servers, except for what a server itself has made up (topic ids, producer ids):
 * `frame` gets the memory of its server and may take them from there.
 */

import type { AnyApi } from "../../src/protocol/kafka/api.ts";

/** What one server has told in this case. */
export interface Memory {
  /** The decoded responses to the case's steps so far; null where there was none. */
  readonly responses: unknown[];
  /** The id of a topic that was made for the run. */
  readonly topicId: (name: string) => string;
}

export interface Step {
  readonly api: AnyApi;
  readonly version: number;
  /** Header and body, without the length. */
  readonly frame: (memory: Memory) => Buffer;
  /** What distinguishes the step within its case. */
  readonly note?: string;
  /** The whole bytes with their length, where the length itself is what is tried. */
  readonly isRaw?: boolean;
  /** Before sending: waits until a topic is served (true) or gone (false) at both, uncompared. */
  readonly complete?: Readonly<Record<string, boolean>>;
  /** Sent again, at each server by itself, while this holds: for what a server does after its response. */
  readonly repeatWhile?: (response: unknown) => boolean;
}

export interface TopicPlan {
  readonly name: string;
  readonly partitions: number;
  readonly configs?: Readonly<Record<string, string>>;
}

export interface Case {
  readonly name: string;
  /** Made before the case starts. */
  readonly topics?: readonly TopicPlan[];
  readonly steps: readonly Step[];
}

const CORRELATION_ID = 77;
const CLIENT_ID = "differential";

/** A request of a value, or of a value that depends on earlier responses. */
export function ask(
  api: AnyApi,
  version: number,
  request: unknown | ((memory: Memory) => unknown),
  more: Partial<Step> = {},
): Step {
  const frame = (memory: Memory) =>
    encodeFrame(api, version, typeof request === "function" ? request(memory) : request);
  return { api, version, frame, ...more };
}

/** A request of bytes. */
export function send(api: AnyApi, version: number, frame: Buffer, more: Partial<Step> = {}): Step {
  return { api, version, frame: () => frame, ...more };
}

export function encodeFrame(api: AnyApi, version: number, request: unknown): Buffer {
  const { parts } = api.encodeRequest(version, CORRELATION_ID, CLIENT_ID, request as never);
  return Buffer.concat(parts).subarray(4);
}

/** Names that no other case of the run has; always of the same length, so that a seed always gives the same bytes. */
export class Names {
  #next = 0;

  topic(): string {
    return `topic-${this.#number()}`;
  }

  group(): string {
    return `group-${this.#number()}`;
  }

  /** As many bytes as `like` has (at least 4). */
  sameLength(like: string): string {
    const length = Math.max(4, Buffer.byteLength(like));
    return `x${this.#number()}`.slice(-length).padStart(length, "x");
  }

  #number(): string {
    this.#next += 1;
    return this.#next.toString(36).padStart(4, "0");
  }
}
