/** What `serve` says when it is ready: eleven lines for people, or one JSON object for machines. */

import { type Address, formatAddress, isLoopback } from "../src/base/address.ts";
import { formatBytes } from "../src/base/units.ts";
import type { Durability } from "../src/config/kinds.ts";
import { formatSetting } from "../src/config/manual.ts";
import type { Settings } from "../src/config/settings.ts";
import type { Finding } from "../src/storage/contract.ts";

/** What the server chose and found, beyond its settings. */
export interface Started {
  readonly version: string;
  readonly pid: number;
  /** The data directory, absolute. */
  readonly directory: string;
  readonly native: Address;
  readonly http: Address;
  readonly kafka: Address;
  /** What Kafka clients are told to connect to. */
  readonly advertised: { readonly host: string | null; readonly port: number };
  /** Connections of all listeners together, where `ulimit -n` leaves less than they may have; else null. */
  readonly connectionsLeft: number | null;
  readonly topics: number;
  readonly partitions: number;
  /** What recovery found and did. */
  readonly findings: readonly Finding[];
}

/** The lines for people. Each finding beyond those that fit is in the log. */
export function startedLines(settings: Settings, started: Started): string[] {
  const { native, http, kafka, advertised } = started;
  const sizes = `batches to ${formatBytes(settings.messageBytesMax)}, requests to ${formatBytes(settings.frameBytesMax)}`;
  return [
    `Obelisk ${started.version} is ready (node ${settings.nodeId}, process ${started.pid})`,
    `  native      ${formatAddress(native)}`,
    `  http        ${formatAddress(http)}`,
    `  kafka       ${formatAddress(kafka)}, advertised as ${advertisedWords(advertised)}`,
    `  data        ${started.directory}: ${count(started.topics, "topic")}, ${count(started.partitions, "partition")}`,
    `  durability  ${durabilityWords(settings.durability)}`,
    `  memory      ${formatBytes(settings.memoryBytes)} for buffers; ${sizes}`,
    `  limits      ${connectionWords(settings, started)}, ${count(settings.topicsMax, "topic")}, ${count(settings.partitionsMax, "partition")}`,
    `  new topics  ${settings.autoCreate ? `created on first use, ${count(settings.partitions, "partition")}` : "only by CreateTopics"}`,
    `  retention   ${retentionWords(settings)}, unless a topic says otherwise`,
    `  recovery    ${recoveryWords(started.findings)}`,
  ];
}

/** The object for --json. */
export function startedJson(settings: Settings, started: Started): object {
  return {
    event: "started",
    version: started.version,
    pid: started.pid,
    node: settings.nodeId,
    native: started.native,
    http: started.http,
    kafka: started.kafka,
    advertised: started.advertised,
    data: started.directory,
    durability: formatSetting("durability", settings.durability),
    memory: settings.memoryBytes,
    retentionMs: settings.retentionMs,
    retentionBytes: settings.retentionBytes,
    topics: started.topics,
    connectionsLeft: started.connectionsLeft,
    partitions: started.partitions,
    findings: started.findings,
  };
}

/** Why this listen address is dangerous; undefined for loopback. */
export function exposureWarning(host: string): string | undefined {
  if (isLoopback(host)) return undefined;
  return `listening on ${host} without authentication: everyone who reaches these ports can read, write and delete every topic`;
}

function connectionWords({ connectionsMax }: Settings, { connectionsLeft }: Started): string {
  if (connectionsLeft === null) return `${count(connectionsMax, "connection")} at each listener`;
  return `${count(connectionsLeft, "connection")} in all (more with a higher \`ulimit -n\`)`;
}

/** What clients are told, in words. */
function advertisedWords({ host, port }: Started["advertised"]): string {
  return host === null
    ? `the address that each client connects to, port ${port} (set --advertise where that is translated)`
    : formatAddress({ host, port });
}

function durabilityWords(durability: Durability): string {
  const word = formatSetting("durability", durability);
  if (durability.mode === "fsync") return `${word}: acknowledged when on disk`;
  if (durability.mode === "os")
    return `${word}: acknowledged before it is on disk; a power cut loses what was not yet written`;
  return `${word}: a power cut can lose the last ${durability.intervalMs} ms of what was acknowledged`;
}

function retentionWords({ retentionMs, retentionBytes }: Settings): string {
  const time =
    retentionMs === -1
      ? "records are kept for ever"
      : `records are kept ${formatSetting("retentionMs", retentionMs)}`;
  return retentionBytes === -1 ? time : `${time}, at most ${formatBytes(retentionBytes)} of each partition`;
}

function recoveryWords(findings: readonly Finding[]): string {
  if (findings.length === 0) return "nothing to repair";
  const kinds = new Map<string, number>();
  for (const { kind } of findings) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const words = [...kinds].map(([kind, number]) => `${number} ${kind}`).join(", ");
  return `${count(findings.length, "finding")} (${words}), each in the log`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
