/**
 * The brokers behind a bootstrap list: one connection to each in use, and what is known of topics and their leaders.
 *
 *   bootstrap a,b,c ──> Metadata ──> nodes {1: host:port, 2: ...}, topics {name: partitions with leaders}
 *                                          └── connection(node), leader(topic, partition), coordinator(group)
 *
 * Invariants
 *   - At most one connection to each address and purpose; whoever finds it closed opens a new one. Fetches have their own,
 *     and so have the members of groups, because a broker responds in order: a commit must not wait for a fetch that waits for
 *     records, nor for a JoinGroup that waits for other members.
 *   - What is cached may be old. Callers that get an error which says so call `evict` and request it again; `retry` bounds that.
 *   - The first contact does not wait for a broker that is not there: when no address of the list responds, it fails at once.
 */

import { type Address, formatAddress } from "../base/address.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { NO_ERROR, ObeliskError, toObeliskError } from "../base/errors.ts";
import { MINUTE_MS, SECOND_MS } from "../base/units.ts";
import { findCoordinatorApi } from "../protocol/kafka/apis/find-coordinator.ts";
import { type MetadataResponse, metadataApi } from "../protocol/kafka/apis/metadata.ts";
import { readAddresses } from "./address.ts";
import { brokerError, checkResponse } from "./broker-errors.ts";
import { Connection } from "./connection.ts";
import { type RetryOptions, retry } from "./retry.ts";

export const KAFKA_PORT = 9092;

/** Topics move rarely; partitions that were added are seen within this time. */
const METADATA_AGE_MAX_MS = 5 * MINUTE_MS;
/** From this version on FindCoordinator takes several groups at once. */
const COORDINATOR_BATCHES_FROM = 4;

type Purpose = "requests" | "fetches" | "group";

export interface ClusterOptions {
  /** `HOST:PORT,HOST:PORT`; any one that responds is enough. */
  readonly brokers: string;
  readonly clientId?: string;
  /** For one connection attempt. */
  readonly connectTimeoutMs?: number;
  /** For one response. */
  readonly requestTimeoutMs?: number;
  /** For a whole operation with all its attempts. */
  readonly retryTimeoutMs?: number;
  /** Its abort ends every wait for a further attempt (retry.ts). */
  readonly signal?: AbortSignal;
  /** Called with every failure that will be retried. */
  readonly onRetry?: RetryOptions["onRetry"];
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface ClusterMember extends Address {
  readonly id: number;
  readonly rack: string | null;
}

export interface ClusterMembers {
  /** Null: the broker does not say. */
  readonly clusterId: string | null;
  /** -1: there is none. */
  readonly controllerId: number;
  readonly brokers: readonly ClusterMember[];
}

export interface PartitionMetadata {
  readonly partition: number;
  /** Node id, -1 when there is no leader at the moment. */
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
}

export interface TopicMetadata {
  readonly name: string;
  readonly id: string;
  readonly isInternal: boolean;
  /** Sorted by partition. */
  readonly partitions: readonly PartitionMetadata[];
}

interface CachedTopic {
  readonly metadata: TopicMetadata;
  readonly readAtMs: number;
}

export class Cluster {
  readonly clock: Clock;
  readonly retryOptions: RetryOptions;
  readonly #options: ClusterOptions;
  readonly #bootstrap: Address[];
  readonly #connections = new Map<string, Promise<Connection>>();
  readonly #nodes = new Map<number, Address>();
  #brokers: readonly ClusterMember[] = [];
  readonly #topics = new Map<string, CachedTopic>();
  readonly #coordinators = new Map<string, number>();
  #clusterId: string | null = null;
  #controller = -1;
  #hasContact = false;
  #isClosed = false;

  /** Connects to nothing yet. @throws ObeliskError INVALID_USAGE for a broker list that is none */
  constructor(options: ClusterOptions) {
    this.clock = options.clock ?? systemClock;
    this.retryOptions = {
      clock: this.clock,
      random: options.random ?? Math.random,
      totalMs: options.retryTimeoutMs ?? 30 * SECOND_MS,
      signal: options.signal,
      onRetry: options.onRetry,
    };
    this.#options = options;
    this.#bootstrap = readAddresses(options.brokers, KAFKA_PORT);
  }

  /** Runs `work` with retries within the total time limit. Before the first contact, no connection means failure at once. */
  attempt<Result>(work: () => Promise<Result>): Promise<Result> {
    return retry(this.retryOptions, async () => {
      await this.contact();
      return await work();
    });
  }

  /** Makes sure that some broker has responded once. @throws ObeliskError CONNECTION_FAILED and the like, not retriable here */
  async contact(): Promise<void> {
    if (this.#hasContact) return;
    try {
      await this.refresh([]);
    } catch (thrown) {
      if (!this.#hasContact) throw new FirstContactError(toObeliskError(thrown));
      throw thrown;
    }
  }

  /** A connection to any broker, those of the bootstrap list first. */
  async any(): Promise<Connection> {
    let firstError: ObeliskError | null = null;
    for (const address of [...this.#bootstrap, ...this.#nodes.values()]) {
      try {
        return await this.#connect(address);
      } catch (thrown) {
        firstError ??= toObeliskError(thrown);
      }
    }
    throw this.#unreachable(firstError!);
  }

  /** A connection to a node of the cluster. @throws ObeliskError CONNECTION_FAILED that explains advertised addresses */
  async node(id: number, purpose: Purpose = "requests"): Promise<Connection> {
    const address = this.#nodes.get(id);
    if (address === undefined) {
      throw new ObeliskError("NOT_LEADER_OR_FOLLOWER", {
        detail: `the cluster has no broker with the id ${id}`,
      });
    }
    try {
      return await this.#connect(address, purpose);
    } catch (thrown) {
      throw this.#explainAdvertised(address, toObeliskError(thrown));
    }
  }

  /** The cluster's id, controller and brokers, as the last metadata said. */
  get members(): ClusterMembers {
    return { clusterId: this.#clusterId, controllerId: this.#controller, brokers: this.#brokers };
  }

  /** The broker that creates and deletes topics. */
  async controller(): Promise<Connection> {
    return this.#nodes.has(this.#controller) ? await this.node(this.#controller) : await this.any();
  }

  /** The connection to a partition's leader. @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER */
  async leader(topic: string, partition: number): Promise<Connection> {
    return await this.node(await this.leaderId(topic, partition));
  }

  /** The node id of a partition's leader. @throws as `leader` */
  async leaderId(topic: string, partition: number): Promise<number> {
    const { partitions } = await this.topic(topic);
    const found = partitions.find((candidate) => candidate.partition === partition);
    if (found === undefined) {
      const remedy = `the topic has the partitions 0 to ${partitions.length - 1}`;
      throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", {
        detail: "there is no such partition",
        topic,
        partition,
        remedy,
      });
    }
    if (found.leader < 0) {
      this.evict(topic);
      throw new ObeliskError("NOT_LEADER_OR_FOLLOWER", {
        detail: "the partition has no leader",
        topic,
        partition,
        remedy: "the log of the broker that holds it says why",
      });
    }
    return found.leader;
  }

  /** The connection to the broker that coordinates a group and keeps its offsets. */
  async coordinator(group: string, purpose: Purpose = "requests"): Promise<Connection> {
    const known = this.#coordinators.get(group);
    if (known !== undefined) return await this.node(known, purpose);
    const connection = await this.any();
    const hasBatches = connection.versionOf(findCoordinatorApi) >= COORDINATOR_BATCHES_FROM;
    const response = await connection.request(
      findCoordinatorApi,
      hasBatches ? { coordinatorKeys: [group] } : { key: group },
    );
    const found = hasBatches ? response.coordinators[0] : response;
    if (found === undefined) throw new ObeliskError("COORDINATOR_NOT_AVAILABLE");
    checkResponse(found.errorCode, found.errorMessage ? { detail: found.errorMessage } : {});
    this.#nodes.set(found.nodeId, { host: found.host, port: found.port });
    this.#coordinators.set(group, found.nodeId);
    return await this.node(found.nodeId, purpose);
  }

  /** The cluster's metadata of a topic, cached; requests its creation when `canCreate`. */
  async topic(name: string, options: { canCreate?: boolean } = {}): Promise<TopicMetadata> {
    const cached = this.#topics.get(name);
    if (cached !== undefined && this.clock.monotonicMs() - cached.readAtMs < METADATA_AGE_MAX_MS)
      return cached.metadata;
    const [topic] = await this.refresh([name], options);
    if (topic === undefined) throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name });
    return topic;
  }

  /** As `topic`, but undefined when there is none of this name; never from the cache, creates nothing. */
  async find(name: string): Promise<TopicMetadata | undefined> {
    try {
      return (await this.refresh([name]))[0];
    } catch (thrown) {
      if (toObeliskError(thrown).code === "UNKNOWN_TOPIC_OR_PARTITION") return undefined;
      throw thrown;
    }
  }

  /** Requests the metadata of nodes and the topics named (null: all of them), and caches it. @throws the first topic's error */
  async refresh(
    names: readonly string[] | null,
    options: { canCreate?: boolean } = {},
  ): Promise<TopicMetadata[]> {
    const connection = await this.any();
    const response = await connection.request(metadataApi, {
      topics: names === null ? null : names.map((name) => ({ name })),
      allowAutoTopicCreation: options.canCreate ?? false,
    });
    this.#hasContact = true;
    this.#nodes.clear();
    for (const { nodeId, host, port } of response.brokers) this.#nodes.set(nodeId, { host, port });
    this.#controller = response.controllerId;
    this.#clusterId = response.clusterId;
    this.#brokers = response.brokers.map(({ nodeId, host, port, rack }) => ({
      id: nodeId,
      host,
      port,
      rack,
    }));
    return response.topics.map((topic) => this.#remember(topic));
  }

  /** Drops what is cached of a topic, because a response showed that it is old. */
  evict(topic: string): void {
    this.#topics.delete(topic);
  }

  /** Drops what is known of a group's coordinator. */
  evictCoordinator(group: string): void {
    this.#coordinators.delete(group);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const connections = [...this.#connections.values()];
    this.#connections.clear();
    for (const opening of connections) {
      await opening.then(
        (connection) => connection.close(),
        () => {}, // It never opened.
      );
    }
  }

  #remember(topic: MetadataResponse["topics"][number]): TopicMetadata {
    const name = topic.name ?? "";
    if (topic.errorCode !== NO_ERROR) {
      this.#topics.delete(name);
      throw brokerError(topic.errorCode, { topic: name });
    }
    const metadata: TopicMetadata = {
      name,
      id: topic.topicId,
      isInternal: topic.isInternal,
      partitions: topic.partitions
        .map((partition) => ({
          partition: partition.partitionIndex,
          leader: partition.leaderId,
          leaderEpoch: partition.leaderEpoch,
          replicas: partition.replicaNodes,
        }))
        .sort((a, b) => a.partition - b.partition),
    };
    this.#topics.set(name, { metadata, readAtMs: this.clock.monotonicMs() });
    return metadata;
  }

  async #connect(address: Address, purpose: Purpose = "requests"): Promise<Connection> {
    if (this.#isClosed) throw new ObeliskError("CONNECTION_CLOSED", { detail: "the client is closed" });
    const key = `${purpose} ${formatAddress(address)}`;
    const current = this.#connections.get(key);
    if (current !== undefined) {
      const connection = await current;
      if (!connection.isClosed) return connection;
      if (this.#connections.get(key) !== current) return await this.#connect(address, purpose);
    }
    const { connectTimeoutMs, requestTimeoutMs } = this.#options;
    const opening = Connection.open({
      address,
      clientId: this.#options.clientId ?? "obelisk",
      clock: this.clock,
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    });
    this.#connections.set(key, opening);
    try {
      return await opening;
    } catch (thrown) {
      if (this.#connections.get(key) === opening) this.#connections.delete(key);
      throw thrown;
    }
  }

  #unreachable(error: ObeliskError): ObeliskError {
    if (this.#bootstrap.length === 1) return error;
    const list = this.#bootstrap.map(formatAddress).join(", ");
    return new ObeliskError(
      error.code,
      { detail: `no broker responds at ${list}`, remedy: error.facts.remedy ?? "" },
      error,
    );
  }

  /** The bootstrap address responded, the address that it advertises does not: the usual riddle with containers. */
  #explainAdvertised(address: Address, error: ObeliskError): ObeliskError {
    if (error.code !== "CONNECTION_FAILED" || this.#isBootstrap(address)) return error;
    const via = this.#bootstrap.map(formatAddress).join(",");
    return new ObeliskError(
      "CONNECTION_FAILED",
      {
        detail: `the broker at ${via} advertises ${formatAddress(address)}, and that address cannot be reached from here`,
        remedy: "start the server with --advertise HOST:PORT, an address that its clients can reach",
      },
      error,
    );
  }

  #isBootstrap(address: Address): boolean {
    return this.#bootstrap.some((one) => one.host === address.host && one.port === address.port);
  }
}

/** No broker of the list has ever responded: the user should hear of it now, not after all retries. */
class FirstContactError extends ObeliskError {
  constructor(error: ObeliskError) {
    super(error.code, error.facts, error.cause);
  }

  override get retriable(): boolean {
    return false;
  }
}
