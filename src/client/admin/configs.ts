/**
 * Settings of topics and brokers: what they are, where each value comes from, and single changes of them. A broker's own
 * settings are requested from that broker, because no other knows them.
 */

import { ObeliskError } from "../../base/errors.ts";
import { describeConfigsApi } from "../../protocol/kafka/apis/describe-configs.ts";
import { incrementalAlterConfigsApi } from "../../protocol/kafka/apis/incremental-alter-configs.ts";
import { checkResponse } from "../broker-errors.ts";
import type { Cluster } from "../cluster.ts";
import type { Connection } from "../connection.ts";

const RESOURCE_TYPES = { topic: 2, broker: 4 } as const;

/** Whose settings: a topic's by its name, a broker's by its id; the empty broker stands for the defaults of all brokers. */
export interface ConfigResource {
  readonly type: keyof typeof RESOURCE_TYPES;
  readonly name: string;
}

export interface Config {
  readonly name: string;
  /** Null where it is secret, or not set. */
  readonly value: string | null;
  readonly source: ConfigSource;
  readonly isReadOnly: boolean;
  readonly isSensitive: boolean;
}

/** By their numbers in the protocol. */
const SOURCES = [
  "unknown",
  "topic",
  "broker",
  "all brokers",
  "start-up",
  "default",
  "logger",
  "client metrics",
  "group",
] as const;

export type ConfigSource = (typeof SOURCES)[number];

const OPERATIONS = { set: 0, unset: 1, append: 2, subtract: 3 } as const;

export interface ConfigChange {
  readonly name: string;
  readonly operation: keyof typeof OPERATIONS;
  /** Null where the operation is unset. */
  readonly value: string | null;
}

/** Sorted by name. `names`: only these. */
export async function describeConfigs(
  cluster: Cluster,
  resource: ConfigResource,
  names: readonly string[] | null,
): Promise<Config[]> {
  return await cluster.attempt(async () => {
    const connection = await connectionFor(cluster, resource);
    const response = await connection.request(describeConfigsApi, {
      resources: [
        {
          resourceType: RESOURCE_TYPES[resource.type],
          resourceName: resource.name,
          configurationKeys: names,
        },
      ],
    });
    const found = response.results[0];
    if (found === undefined) throw leftOut();
    checkConfigs(found, resource);
    return found.configs
      .map(({ name, value, configSource, readOnly, isSensitive }) => ({
        name,
        value,
        source: SOURCES[configSource] ?? "unknown",
        isReadOnly: readOnly,
        isSensitive,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  });
}

/** All of them, or none when one is refused. */
export async function alterConfigs(
  cluster: Cluster,
  resource: ConfigResource,
  changes: readonly ConfigChange[],
  isDryRun: boolean,
): Promise<void> {
  await cluster.attempt(async () => {
    const connection = await connectionFor(cluster, resource);
    const response = await connection.request(incrementalAlterConfigsApi, {
      resources: [
        {
          resourceType: RESOURCE_TYPES[resource.type],
          resourceName: resource.name,
          configs: changes.map(({ name, operation, value }) => ({
            name,
            configOperation: OPERATIONS[operation],
            value,
          })),
        },
      ],
      validateOnly: isDryRun,
    });
    const found = response.responses[0];
    if (found === undefined) throw leftOut();
    checkConfigs(found, resource);
  });
}

async function connectionFor(cluster: Cluster, { type, name }: ConfigResource): Promise<Connection> {
  return type === "broker" && name !== "" ? await cluster.node(Number(name)) : await cluster.controller();
}

function checkConfigs(
  { errorCode, errorMessage }: { errorCode: number; errorMessage: string | null },
  { type, name }: ConfigResource,
): void {
  const place = type === "topic" ? { topic: name } : {};
  checkResponse(
    errorCode,
    errorMessage === null || errorMessage === "" ? place : { ...place, detail: errorMessage },
  );
}

function leftOut(): ObeliskError {
  return new ObeliskError("PROTOCOL_ERROR", { detail: "the response leaves out the settings" });
}
