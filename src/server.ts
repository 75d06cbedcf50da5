/**
 * The composition root: the only place that builds the parts and joins them, in the order in which a record flows.
 *
 *   data directory -> storage engine -> broker -> committed offsets, fetches -> listeners (native, Kafka, HTTP)
 *
 * The memory ceiling is divided here: the ring of recent batches first, then what remains in halves for requests that are
 * coming in and for responses that are going out.
 *
 * `stop` goes the same way backwards: the listeners accept no more and finish what is under way, the broker commits what is pending,
 * the engine syncs and sets the clean-shutdown flag.
 */

import { version } from "../package.json" with { type: "json" };
import { transactionWarning } from "./api/kafka/context.ts";
import { FEATURES } from "./api/kafka/features.ts";
import { KafkaApi } from "./api/kafka/kafka-api.ts";
import type { KafkaSession } from "./api/kafka/session.ts";
import { NativeProtocol } from "./api/native/native-protocol.ts";
import { type Address, isWildcard } from "./base/address.ts";
import { type Clock, systemClock } from "./base/clock.ts";
import { DescriptorBudget } from "./base/descriptors/descriptor-budget.ts";
import { descriptorLimit, openDescriptors } from "./base/descriptors/descriptor-limit.ts";
import { DescriptorWatch } from "./base/descriptors/descriptor-watch.ts";
import { SpareDescriptors } from "./base/descriptors/spare-descriptors.ts";
import { createDisk, type Disk } from "./base/disk.ts";
import { errnoOf } from "./base/errors.ts";
import type { Log } from "./base/log.ts";
import { loopTurns } from "./base/loop/loop-turns.ts";
import { LoopWatch } from "./base/loop/loop-watch.ts";
import { largeWithin, limitWithin, MemoryBudget } from "./base/memory/memory-budget.ts";
import { ProcessUsage } from "./base/process-usage.ts";
import { RateLimitedWarning } from "./base/rate-limited-warning.ts";
import { SlowWork } from "./base/slow-work.ts";
import { GiB, KiB, MiB } from "./base/units.ts";
import { Broker, type BrokerOptions } from "./broker/broker.ts";
import type { TopicDefaultsOptions } from "./broker/topic-rules.ts";
import { namedSettings } from "./config/kafka-names.ts";
import { readSettings } from "./config/readings.ts";
import { SETTINGS, type SettingKey, type Settings } from "./config/settings.ts";
import { FetchSessions, PARTITIONS_MAX } from "./consumer/fetch-sessions.ts";
import { Fetches } from "./consumer/fetches.ts";
import { GroupConfigs } from "./consumer/group-configs.ts";
import { GroupLag } from "./consumer/group-lag.ts";
import { Groups, type GroupsOptions } from "./consumer/groups.ts";
import { HeartbeatGroups } from "./consumer/heartbeat-groups/heartbeat-groups.ts";
import { HeartbeatGroupKind } from "./consumer/heartbeat-groups/kind.ts";
import { viewOf } from "./consumer/heartbeat-groups/topic-view.ts";
import { OffsetRetention } from "./consumer/offset-retention.ts";
import { GroupOffsets } from "./consumer/offsets.ts";
import { UNREADABLE_OFFSETS, warnOfUnreadable } from "./consumer/unreadable-rows.ts";
import type { ClientNames, OpenConnection } from "./http/connection-list.ts";
import type { ListenerStatus } from "./http/health.ts";
import { HttpApi } from "./http/http-api.ts";
import type { NetworkCounters } from "./network/counters.ts";
import { Listener } from "./network/listener.ts";
import { NATIVE_MESSAGE_BYTES_MAX } from "./protocol/native/message.ts";
import { RESPONSE_LINES, TOO_MANY_CONNECTIONS_LINE } from "./protocol/native/responses.ts";
import type { Finding, FindingListener } from "./storage/contract.ts";
import { openStorage, type StorageOptions } from "./storage/open.ts";

/** Long polls that may wait at once, over all connections: one for each, and some for consumers with several. */
const OPEN_FETCHES_MAX = 10_000;
/** Records in one fetch response, whatever the client allows: as much as is read at once (read-pieces.ts), and none is faster when larger. */
const FETCH_BYTES_MAX = 4 * MiB;
/** Unsent responses of one connection above which its requests wait. */
const OUTPUT_SOFT_BYTES = 256 * KiB;
/** What the listeners get of the time for a graceful shutdown; the rest is for the disk. */
const LISTENERS_SHARE_OF_STOP = 0.5;

export interface Server {
  readonly addresses: { native: Address; http: Address; kafka: Address };
  /** What was found, for whoever announces the start. */
  describe(): {
    advertised: { host: string | null; port: number };
    /** Of all listeners together, where `ulimit -n` leaves less than they may have; else null. */
    connectionsLeft: number | null;
    topics: number;
    partitions: number;
    findings: readonly Finding[];
  };
  /** Graceful shutdown: responds to what is under way, commits, syncs, sets the clean-shutdown flag. */
  stop(): Promise<void>;
}

/** What only whoever starts the server knows. */
export interface Surroundings {
  /** How many lines the log could not write. */
  readonly logLinesLost?: () => number;
  /** The settings that are in force, and where each came from, as far as that is known. */
  readonly loaded?: () => {
    readonly settings: Settings;
    readonly origins: Readonly<Partial<Record<SettingKey, string>>>;
  };
}

/** Opens everything; when a part cannot be opened, those before it are closed again. @throws ObeliskError */
export async function startServer(
  settings: Settings,
  log: Log,
  clock: Clock = systemClock,
  surroundings: Surroundings = {},
): Promise<Server> {
  const undo: (() => Promise<void> | void)[] = [];
  try {
    return await start(settings, log, clock, surroundings, undo);
  } catch (thrown) {
    for (const step of undo.reverse()) await step();
    throw thrown;
  }
}

async function start(
  settings: Settings,
  log: Log,
  clock: Clock,
  { logLinesLost = () => 0, loaded = () => ({ settings, origins: {} }) }: Surroundings,
  undo: (() => Promise<void> | void)[],
): Promise<Server> {
  const startedMonotonicMs = clock.monotonicMs();

  const plainDisk = createDisk();
  const descriptors = new DescriptorBudget({
    limit: descriptorLimit(),
    openAtStart: await openDescriptors(plainDisk),
    filesMax: settings.openFilesMax,
  });
  const places = {
    native: descriptors.listener(settings.connectionsMax),
    kafka: descriptors.listener(settings.connectionsMax),
    http: descriptors.listener(settings.httpConnectionsMax, "http-connections-max"),
  };
  const spares = new SpareDescriptors(plainDisk);
  spares.hold(descriptors.spareCount);
  undo.push(() => spares.close());
  const disk = createDisk(spares);
  disk.startThreads(settings.durability.mode === "fsync");
  undo.push(() => disk.endThreads());

  const storage = await openStorage(settings.data, storageOptions(settings, disk, descriptors, log, clock));
  undo.push(() => storage.engine.close());
  for (const finding of storage.findings) logFinding(log, finding);

  const parts = { engine: storage.engine, clock, log, newId: () => crypto.randomUUID() };
  const broker = await Broker.open(brokerOptions(settings, storage.clusterId), parts);
  const offsets = await GroupOffsets.open(broker.state, clock);
  warnOfUnreadable(log, offsets.unreadable, UNREADABLE_OFFSETS);
  broker.topics.onRemoved(offsets);
  const groupConfigs = await GroupConfigs.open(broker.state, {
    sessionTimeoutMs: settings.groupConsumerSessionTimeoutMs,
    heartbeatIntervalMs: settings.groupConsumerHeartbeatIntervalMs,
    assignmentIntervalMs: settings.groupConsumerAssignmentIntervalMs,
  });
  const heartbeatGroups = await HeartbeatGroups.open({
    state: broker.state,
    topics: viewOf(broker.topics),
    clock,
    log,
    newId: parts.newId,
    membersMax: settings.groupConsumerMaxSize,
    migrationPolicy: settings.groupConsumerMigrationPolicy,
    configs: groupConfigs,
  });
  undo.push(() => heartbeatGroups.close());
  const groups = await Groups.open(groupsOptions(settings), {
    state: broker.state,
    offsets,
    clock,
    log,
    newId: parts.newId,
  });
  undo.push(() => groups.close());
  groups.attach(new HeartbeatGroupKind(heartbeatGroups, viewOf(broker.topics)));
  heartbeatGroups.attach(groups);
  const groupLag = new GroupLag({ offsets, topics: broker.topics, clock });
  const retention = new OffsetRetention(settings.offsetsRetentionMs, { groups, offsets, clock, log });
  undo.push(() => retention.close());
  void broker.topics.finishRemovals(); // nobody waits for that but who wants the same names

  const responseBudget = new MemoryBudget(shareBytes(settings), clock);
  const fetches = new Fetches(clock, {
    openMax: OPEN_FETCHES_MAX,
    responseBytesMax: FETCH_BYTES_MAX,
  });
  const sessionLimits = { sessionsMax: settings.fetchSessionsMax, partitionsMax: PARTITIONS_MAX };
  const fetchSessions = new FetchSessions(sessionLimits, clock, randomSessionId);
  const requestBudget = new MemoryBudget(limitWithin(shareBytes(settings)), clock);
  const listener = {
    hostname: settings.host,
    budget: requestBudget,
    responseBudget,
    outputSoftBytes: OUTPUT_SOFT_BYTES,
    outputHardBytes: outputBytesMax(settings),
    clock,
    log,
  };
  const nativeProtocol = new NativeProtocol(broker, { clock, log });
  const native = new Listener({
    ...listener,
    port: settings.nativePort,
    places: places.native,
    handler: nativeProtocol,
    byteOrder: "little-endian",
    frameBytesMax: NATIVE_MESSAGE_BYTES_MAX,
    idleTimeoutMs: settings.nativeIdleTimeoutMs,
    refusal: TOO_MANY_CONNECTIONS_LINE,
  });
  undo.push(() => native.stopNow());
  const advertised = {
    host: settings.advertise?.host ?? (isWildcard(settings.host) ? null : settings.host),
    port: settings.advertise?.port ?? 0,
  };
  const kafkaApi = new KafkaApi({
    broker,
    offsets,
    heartbeatGroups,
    groupConfigs,
    groups,
    fetches,
    fetchSessions,
    serverSettings: () => namedSettings(settings, kafka.port),
    clock,
    log,
    transactionWarning: transactionWarning(log, clock),
    advertised,
  });
  const kafka: Listener<KafkaSession> = new Listener({
    ...listener,
    port: settings.kafkaPort,
    places: places.kafka,
    handler: kafkaApi,
    byteOrder: "big-endian",
    frameBytesMax: requestBytesMax(settings),
    idleTimeoutMs: settings.kafkaIdleTimeoutMs,
    refusal: "",
  });
  undo.push(() => kafka.stopNow());
  advertised.port = settings.advertise?.port ?? kafka.port;
  retention.start();

  let isReady = true;
  const loopWatch = new LoopWatch(loopTurns, clock, log);
  undo.push(() => loopWatch.stop());
  const http: HttpApi = HttpApi.start({
    host: settings.host,
    port: settings.httpPort,
    places: places.http,
    broker,
    listeners: () => [
      listenerStatus("native", native, isReady),
      listenerStatus("kafka", kafka, isReady),
      { ...listenerStatus("http", http, isReady), bytesIn: null, bytesOut: null },
    ],
    threshold: settings.healthThreshold,
    startedMonotonicMs,
    clock,
    log,
    isReady: () => isReady,
    activity: () => ({
      requests: kafkaApi.requests,
      malformedRequests: kafkaApi.malformedCount,
      nativeResponses: RESPONSE_LINES.map((line, status) => [
        line.trim(),
        nativeProtocol.counters.responses[status]!,
      ]),
      waitingFetches: fetches.openCount,
      throttledFetches: fetches.throttledCount,
      fetchWaitSeconds: fetches.waitSeconds,
      fetchSessions: fetchSessions.count,
      fetchSessionPartitions: fetchSessions.partitionCount,
      committedOffsets: offsets.count,
      groups: [
        ["classic", groups.count],
        ["consumer", heartbeatGroups.count],
      ],
      memory: [
        ["requests", requestBudget],
        ["answers", responseBudget],
      ],
    }),
    stall: () => loopWatch.recentStall,
    groups,
    heartbeatGroups,
    offsets,
    groupLag,
    settings: () => readSettings(loaded().settings, loaded().origins),
    connections: [
      { listener: "kafka", connections: () => connectionsOf(kafka, ({ names }) => names) },
      { listener: "native", connections: () => connectionsOf(native, () => NO_NAMES) },
    ],
    advertised,
    features: FEATURES,
    groupLags: () => groupLag.totals(),
    loopTurns,
    loopDelay: loopWatch.delaySeconds,
    process: new ProcessUsage(plainDisk, clock),
    memoryBytesMax: settings.memoryBytes,
    seriesLimits: {
      topicsMax: settings.metricsTopicsMax,
      partitionsMax: settings.metricsPartitionsMax,
      groupsMax: settings.metricsGroupsMax,
    },
    build: { version, runtime: `bun ${Bun.version}` },
    logLinesLost,
    requestBudget,
    responseBudget,
    bodyBytesMax: settings.httpBodyBytesMax,
    hosts: settings.httpHosts,
    corsOrigins: settings.httpCorsOrigins,
  });

  const knownDescriptors = () => native.counters.open + kafka.counters.open + storage.engine.openFiles;
  /** Descriptors that no part counts: the process's own, and HTTP's connections. What comes or goes meanwhile does not add. */
  const countUnknown = async () => {
    const before = knownDescriptors();
    try {
      const all = (await openDescriptors(plainDisk)) ?? 0;
      return all - Math.max(before, knownDescriptors());
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      return unknownAtStart + http.counters.open;
    }
  };
  const unknownAtStart: number = await countUnknown();
  let isLookingAtHttp = false;
  const lookAtHttp = async (isAccepting: boolean) => {
    if (isLookingAtHttp) return;
    isLookingAtHttp = true;
    const unknown = await countUnknown();
    isLookingAtHttp = false;
    if (isReady) http.look(Math.max(0, unknown - unknownAtStart), isAccepting);
  };
  const watch = new DescriptorWatch({
    files: plainDisk,
    limit: descriptorLimit,
    spares,
    budget: descriptors,
    accept: (isAccepting) => {
      if (!isReady) return;
      for (const listener of [native, kafka]) listener.setAccepting(isAccepting);
      void lookAtHttp(isAccepting);
    },
    clock,
    log,
  });

  async function stop(): Promise<void> {
    isReady = false;
    watch.stop();
    loopWatch.stop();
    const graceMs = settings.shutdownTimeoutMs * LISTENERS_SHARE_OF_STOP;
    const listeners = Promise.all([native.stop(graceMs), kafka.stop(graceMs)]);
    fetches.respondToAll();
    http.endTails();
    heartbeatGroups.close();
    const progress = new SlowWork(log, clock, "still stopping");
    try {
      progress.step("completing requests under way");
      await listeners;
      groups.close();
      retention.close();
      progress.step("committing what is pending");
      await broker.close();
      progress.step("syncing, and writing small files", () => ({ files: storage.engine.filesToWrite }));
      await storage.engine.close();
      await http.stop();
      disk.endThreads();
      spares.close();
    } finally {
      progress.end();
    }
  }

  return {
    addresses: {
      native: { host: settings.host, port: native.port },
      http: { host: settings.host, port: http.port },
      kafka: { host: settings.host, port: kafka.port },
    },
    describe: () => ({
      advertised,
      connectionsLeft: descriptors.isTight ? descriptors.connectionsMax : null,
      topics: broker.topics.count,
      partitions: broker.topics.partitionCount,
      findings: [...storage.findings, ...storage.engine.findings],
    }),
    stop,
  };
}

/** Unsent responses above which a connection is closed: two of the largest, which may be a single batch. */
function outputBytesMax(settings: Settings): number {
  return 2 * Math.max(FETCH_BYTES_MAX, requestBytesMax(settings));
}

/** What is left of the memory ceiling beside the recent batches, in halves: requests coming in, responses going out. */
function shareBytes(settings: Settings): number {
  return Math.floor((settings.memoryBytes - settings.recentBytes) / 2);
}

/** A request must fit the part of the memory for requests that is for large ones, whatever its own limit says. */
function requestBytesMax(settings: Settings): number {
  return Math.min(settings.frameBytesMax, largeWithin(shareBytes(settings)));
}

function logFinding(log: Log, { file, position, bytes, kind, detail }: Finding): void {
  log.warn(detail, { kind, file, position, bytes });
}

/** Each that is kept has its line; of those beyond, one now and then, so that a disk that fails everywhere still leaves room. */
function tellFindings(log: Log, clock: Clock): FindingListener {
  const further = new RateLimitedWarning(log, clock, "more findings than are kept: run `obelisk verify`");
  return (finding, isKept) => {
    if (isKept) logFinding(log, finding);
    else further.tell({ ...finding });
  };
}

function storageOptions(
  settings: Settings,
  files: Disk,
  fileBounds: DescriptorBudget,
  log: Log,
  clock: Clock,
): StorageOptions {
  return {
    files,
    clock,
    log,
    nodeId: settings.nodeId,
    pid: process.pid,
    newId: () => crypto.randomUUID(),
    segmentBytesMax: GiB, // each partition rolls by its topic's own segment.bytes and segment.ms
    segmentAgeMsMax: Number.POSITIVE_INFINITY,
    indexIntervalBytes: settings.indexIntervalBytes,
    fileBounds,
    fileIdleMs: settings.fileIdleMs,
    canSyncContinuously: settings.durability.mode === "fsync",
    onFinding: tellFindings(log, clock),
  };
}

function groupsOptions(settings: Settings): GroupsOptions {
  return {
    initialRebalanceDelayMs: settings.groupInitialRebalanceDelayMs,
    membersMax: settings.groupMaxSize,
    sessionTimeoutMsMin: settings.groupMinSessionTimeoutMs,
    sessionTimeoutMsMax: settings.groupMaxSessionTimeoutMs,
  };
}

/** From 0 to 2^31-1. */
function randomSessionId(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1;
}

function brokerOptions(settings: Settings, clusterId: string): BrokerOptions {
  return {
    clusterId,
    nodeId: settings.nodeId,
    durability: settings.durability,
    isAutoCreating: settings.autoCreate,
    partitionsDefault: settings.partitions,
    topicsMax: settings.topicsMax,
    partitionsMax: settings.partitionsMax,
    messageBytesLimit: requestBytesMax(settings),
    topicDefaults: topicDefaults(settings),
    batchCountMax: settings.batchCount,
    batchBytesMax: settings.batchBytes,
    lingerMs: settings.lingerMs,
    recentBytesMax: settings.recentBytes,
    producerIdExpirationMs: settings.producerIdExpirationMs,
    healthWindow: settings.healthWindow,
  };
}

/** The settings of topics that the server has settings for. */
function topicDefaults(settings: Settings): TopicDefaultsOptions {
  const keys = {
    "max.message.bytes": "messageBytesMax",
    "retention.bytes": "retentionBytes",
    "retention.ms": "retentionMs",
    "segment.bytes": "segmentBytes",
    "segment.ms": "segmentMs",
  } as const;
  const rows = Object.entries(keys).map(([name, key]) => ({ name, key, value: String(settings[key]) }));
  return {
    server: Object.fromEntries(rows.map(({ name, value }) => [name, value])),
    serverSet: new Set(
      rows.filter(({ key, value }) => value !== String(SETTINGS[key].default)).map(({ name }) => name),
    ),
  };
}

/** Of the native protocol clients say nothing about themselves. */
const NO_NAMES: ClientNames = { clientId: "", software: "" };

function* connectionsOf<State>(
  { connections }: Listener<State>,
  namesOf: (state: State) => ClientNames,
): Generator<{ connection: OpenConnection; names: ClientNames }> {
  for (const connection of connections) yield { connection, names: namesOf(connection.state) };
}

function listenerStatus(
  name: string,
  { counters }: { readonly counters: NetworkCounters },
  isListening: boolean,
): ListenerStatus {
  const { accepted, refused, open, violations, faults } = counters;
  const cut = counters.cutIdle + counters.cutSlow + counters.cutForMemory;
  return {
    name,
    isListening,
    connectionsActive: open,
    connectionsTotal: accepted,
    connectionErrors: refused["connections-max"] + refused.descriptors + violations + cut + faults,
    connectionsRefused: refused,
    bytesIn: counters.bytesIn,
    bytesOut: counters.bytesOut,
  };
}
