/**
 * A classic group as the state store keeps it: one entry, written when its leader's assignment is there, when a static member is
 * replaced, and when the last member is gone.
 *
 *     "group/NAME" -> {"type":"classic","generation":3,"protocolType":"consumer","protocol":"range","leader":"c-1","sinceMs":1700000000000,
 *                      "members":[{"id":"c-1","instance":null,"client":"c","host":"/127.0.0.1","session":45000,"rebalance":60000,
 *                                  "metadata":"BASE64","assignment":"BASE64"}]}
 *
 * (the name percent-encoded, so that a slash in it cannot leave its place; only the metadata for the chosen protocol)
 */

import type { StateEntry } from "../storage/contract.ts";
import type { Member } from "./group-members.ts";
import { NO_BYTES } from "./group-requests.ts";

export const GROUP_KEY_PREFIX = "group/";

export interface StoredGroup {
  readonly generationId: number;
  readonly protocol: string | null;
  readonly protocolName: string | null;
  readonly leaderId: string;
  readonly stateSinceMs: number;
  readonly members: readonly Member[];
}

export function groupKey(name: string): string {
  return `${GROUP_KEY_PREFIX}${encodeURIComponent(name.toWellFormed())}`;
}

export function encodeGroup(group: StoredGroup): string {
  return JSON.stringify({
    type: "classic",
    generation: group.generationId,
    protocolType: group.protocol,
    protocol: group.protocolName,
    leader: group.leaderId,
    sinceMs: group.stateSinceMs,
    members: group.members.map((member) => ({
      id: member.id,
      instance: member.instanceId,
      client: member.clientId,
      host: member.clientHost,
      session: member.sessionTimeoutMs,
      rebalance: member.rebalanceTimeoutMs,
      metadata: member.protocols[0]?.metadata.toString("base64") ?? "",
      assignment: member.assignment.toString("base64"),
    })),
  });
}

/** Null when the entry is none that can be read. */
export function readGroup({ key, value }: StateEntry): { name: string; group: StoredGroup } | null {
  try {
    const name = decodeURIComponent(key.slice(GROUP_KEY_PREFIX.length));
    const stored = JSON.parse(value) as Record<string, unknown> | null;
    const group = stored?.["type"] === "classic" ? toGroup(stored) : null;
    return group === null ? null : { name, group };
  } catch (thrown) {
    if (thrown instanceof URIError || thrown instanceof SyntaxError) return null;
    throw thrown;
  }
}

function toGroup(stored: Record<string, unknown>): StoredGroup | null {
  const { generation, protocolType, protocol, leader, sinceMs, members } = stored;
  if (!isCount(generation) || !isCount(sinceMs) || typeof leader !== "string" || !Array.isArray(members))
    return null;
  if (!isTextOrNull(protocolType) || !isTextOrNull(protocol)) return null;
  const read = members.map((member) => toMember(member, protocol ?? ""));
  const known = read.filter((member) => member !== null);
  if (known.length < read.length || new Set(known.map(({ id }) => id)).size < known.length) return null;
  return {
    generationId: generation,
    protocol: protocolType,
    protocolName: protocol,
    leaderId: leader,
    stateSinceMs: sinceMs,
    members: known,
  };
}

function toMember(stored: unknown, protocol: string): Member | null {
  if (typeof stored !== "object" || stored === null) return null;
  const { id, instance, client, host, session, rebalance, metadata, assignment } = stored as Record<
    string,
    unknown
  >;
  if (typeof id !== "string" || !isTextOrNull(instance)) return null;
  if (typeof client !== "string" || typeof host !== "string") return null;
  if (!isCount(session) || !isCount(rebalance)) return null;
  if (typeof metadata !== "string" || typeof assignment !== "string") return null;
  return {
    id,
    instanceId: instance,
    clientId: client,
    clientHost: host,
    sessionTimeoutMs: session,
    rebalanceTimeoutMs: rebalance,
    protocols: [{ name: protocol, metadata: Buffer.from(metadata, "base64") }],
    assignment: assignment === "" ? NO_BYTES : Buffer.from(assignment, "base64"),
    isNew: false,
    joinWaiter: null,
    syncWaiter: null,
    sessionEndsAtMs: Number.POSITIVE_INFINITY,
  };
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
