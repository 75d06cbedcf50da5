/**
 * Every error in one table: our code, Kafka's wire number (-1: the peer sees UNKNOWN_SERVER_ERROR), the category of
 * the Go Obelisk (transient, permanent, data, configuration), whether a client may try again, the HTTP status, the
 * exit code of a command, and a sentence. Numbers never change their meaning.
 *
 * `ObeliskError` is for what the world does to us (disk, peer, user). Facts travel as fields, the cause as `cause`.
 * Expected outcomes (duplicate, not yet, end of log) are returned, not thrown. Our own bugs are `fail()`.
 */

export type ErrorCategory = "transient" | "permanent" | "data" | "configuration";

interface ErrorRow {
  readonly wire: number;
  readonly category: ErrorCategory;
  readonly retriable: boolean;
  readonly http: number;
  readonly exit: number;
  readonly sentence: string;
}

function row(
  wire: number,
  category: ErrorCategory,
  retriable: boolean,
  http: number,
  exit: number,
  sentence: string,
): ErrorRow {
  return { wire, category, retriable, http, exit, sentence };
}

export const ERRORS = {
  UNKNOWN_SERVER_ERROR: row(-1, "permanent", false, 500, 2, "unexpected server error"),
  OFFSET_OUT_OF_RANGE: row(1, "permanent", false, 416, 2, "the offset is out of the partition's range"),
  CORRUPT_MESSAGE: row(
    2,
    "data",
    true,
    422,
    2,
    "the bytes are corrupt: a CRC mismatch, or an invalid length or field",
  ),
  UNKNOWN_TOPIC_OR_PARTITION: row(3, "permanent", true, 404, 1, "there is no such topic or partition"),
  LEADER_NOT_AVAILABLE: row(5, "transient", true, 503, 2, "the partition has no leader at the moment"),
  NOT_LEADER_OR_FOLLOWER: row(6, "transient", true, 503, 2, "this broker does not serve the partition"),
  REQUEST_TIMED_OUT: row(7, "transient", true, 504, 2, "the request took longer than its time limit"),
  MESSAGE_TOO_LARGE: row(10, "permanent", false, 413, 2, "the record batch is larger than the limit"),
  OFFSET_METADATA_TOO_LARGE: row(
    12,
    "permanent",
    false,
    413,
    2,
    "the metadata of a committed offset is too large",
  ),
  COORDINATOR_LOAD_IN_PROGRESS: row(14, "transient", true, 503, 2, "the coordinator is still loading"),
  COORDINATOR_NOT_AVAILABLE: row(15, "transient", true, 503, 2, "no coordinator is available"),
  NOT_COORDINATOR: row(16, "transient", true, 503, 2, "this broker is not the coordinator of the group"),
  INVALID_TOPIC_EXCEPTION: row(17, "permanent", false, 422, 64, "the topic name is not allowed"),
  INVALID_REQUIRED_ACKS: row(21, "permanent", false, 422, 64, "acks must be -1 (all), 0 or 1"),
  ILLEGAL_GENERATION: row(22, "permanent", false, 409, 2, "the group has moved on to another generation"),
  INVALID_GROUP_ID: row(24, "permanent", false, 422, 64, "the group name is not allowed"),
  UNKNOWN_MEMBER_ID: row(
    25,
    "permanent",
    false,
    409,
    2,
    "the member is unknown to the group, or the group has active members",
  ),
  INCONSISTENT_GROUP_PROTOCOL: row(
    23,
    "permanent",
    false,
    409,
    2,
    "the member's protocols do not fit those of the group",
  ),
  INVALID_SESSION_TIMEOUT: row(
    26,
    "permanent",
    false,
    422,
    64,
    "the session timeout is outside the range that the server allows",
  ),
  REBALANCE_IN_PROGRESS: row(27, "transient", true, 409, 2, "the group is rebalancing"),
  INVALID_COMMIT_OFFSET_SIZE: row(
    28,
    "permanent",
    false,
    413,
    2,
    "one commit of offsets carries too much text",
  ),
  INVALID_TIMESTAMP: row(32, "data", false, 422, 2, "a record's timestamp is not allowed"),
  UNSUPPORTED_VERSION: row(35, "permanent", false, 400, 2, "this version of the request is not supported"),
  TOPIC_ALREADY_EXISTS: row(36, "permanent", false, 409, 1, "the topic exists already"),
  INVALID_PARTITIONS: row(37, "permanent", false, 422, 64, "the number of partitions is not allowed"),
  INVALID_REPLICATION_FACTOR: row(38, "permanent", false, 422, 64, "the replication factor is not allowed"),
  INVALID_REPLICA_ASSIGNMENT: row(39, "permanent", false, 422, 64, "the replica assignment is not allowed"),
  INVALID_CONFIG: row(
    40,
    "configuration",
    false,
    422,
    64,
    "a topic setting is unknown or its value is not allowed",
  ),
  INVALID_REQUEST: row(
    42,
    "permanent",
    false,
    400,
    2,
    "the request is invalid: it contradicts itself or the protocol",
  ),
  UNSUPPORTED_FOR_MESSAGE_FORMAT: row(
    43,
    "permanent",
    false,
    422,
    2,
    "only record batches of magic 2 are supported",
  ),
  POLICY_VIOLATION: row(44, "permanent", false, 422, 2, "the request exceeds a limit of this server"),
  OUT_OF_ORDER_SEQUENCE_NUMBER: row(
    45,
    "permanent",
    false,
    409,
    2,
    "the producer's sequence number does not follow the last one",
  ),
  INVALID_PRODUCER_EPOCH: row(
    47,
    "permanent",
    false,
    409,
    2,
    "the producer is fenced: a newer one with the same id has taken over",
  ),
  KAFKA_STORAGE_ERROR: row(
    56,
    "transient",
    true,
    503,
    2,
    "storage error: the partition cannot be written or read",
  ),
  LOG_DIR_NOT_FOUND: row(57, "permanent", false, 404, 2, "the broker has no such log directory"),
  UNKNOWN_PRODUCER_ID: row(59, "permanent", false, 409, 2, "the producer id is unknown to the partition"),
  NON_EMPTY_GROUP: row(68, "permanent", false, 409, 1, "the group has members"),
  GROUP_ID_NOT_FOUND: row(69, "permanent", false, 404, 1, "there is no such group"),
  FETCH_SESSION_ID_NOT_FOUND: row(70, "transient", true, 404, 2, "there is no such fetch session"),
  INVALID_FETCH_SESSION_EPOCH: row(71, "transient", true, 409, 2, "the fetch session's epoch is wrong"),
  PREFERRED_LEADER_NOT_AVAILABLE: row(80, "transient", true, 503, 2, "the preferred leader is not available"),
  ELIGIBLE_LEADERS_NOT_AVAILABLE: row(83, "transient", true, 503, 2, "no replica can become the leader"),
  ELECTION_NOT_NEEDED: row(
    84,
    "permanent",
    false,
    409,
    0,
    "the partition has the leader that it should have",
  ),
  NO_REASSIGNMENT_IN_PROGRESS: row(
    85,
    "permanent",
    false,
    409,
    1,
    "no reassignment of the partition is under way",
  ),
  FENCED_LEADER_EPOCH: row(
    74,
    "transient",
    true,
    409,
    2,
    "the client's leader epoch is older than the partition's",
  ),
  UNKNOWN_LEADER_EPOCH: row(
    75,
    "transient",
    true,
    409,
    2,
    "the client's leader epoch is newer than the partition's",
  ),
  UNSUPPORTED_COMPRESSION_TYPE: row(76, "permanent", false, 422, 2, "the compression codec is not supported"),
  MEMBER_ID_REQUIRED: row(
    79,
    "transient",
    true,
    409,
    2,
    "the member has to join again with the id it was given",
  ),
  GROUP_MAX_SIZE_REACHED: row(81, "permanent", false, 409, 2, "the group has as many members as it may have"),
  FENCED_INSTANCE_ID: row(82, "permanent", false, 409, 2, "another member has the same group.instance.id"),
  GROUP_SUBSCRIBED_TO_TOPIC: row(
    86,
    "permanent",
    false,
    409,
    1,
    "the group has members that are subscribed to the topic",
  ),
  INVALID_RECORD: row(87, "data", false, 422, 2, "a record breaks a rule of its topic or of the format"),
  INCONSISTENT_TOPIC_ID: row(
    103,
    "transient",
    true,
    409,
    2,
    "the topic has another id than the client knows",
  ),
  FETCH_SESSION_TOPIC_ID_ERROR: row(
    106,
    "transient",
    true,
    409,
    2,
    "the fetch session names topics by ids, and the request by names, or the other way round",
  ),
  MISMATCHED_ENDPOINT_TYPE: row(
    114,
    "permanent",
    false,
    422,
    64,
    "endpoints of controllers are not told by a broker",
  ),
  UNSUPPORTED_ENDPOINT_TYPE: row(115, "permanent", false, 422, 64, "there is no such type of endpoints"),
  UNKNOWN_TOPIC_ID: row(100, "transient", true, 404, 1, "there is no topic with this id"),
  FENCED_MEMBER_EPOCH: row(
    110,
    "permanent",
    false,
    409,
    2,
    "the member's epoch is not the group's: it must give up its partitions and join again",
  ),
  UNRELEASED_INSTANCE_ID: row(
    111,
    "transient",
    true,
    409,
    2,
    "the group.instance.id is still that of another member",
  ),
  UNSUPPORTED_ASSIGNOR: row(112, "permanent", false, 422, 64, "the server has no such assignor"),
  STALE_MEMBER_EPOCH: row(113, "transient", true, 409, 2, "the member has another epoch by now"),
  INVALID_REGULAR_EXPRESSION: row(128, "permanent", false, 422, 64, "the regular expression is not valid"),
  DISK_FULL: row(56, "transient", true, 507, 2, "the disk is full"),
  DAMAGED_DATA: row(-1, "data", false, 500, 1, "a file of the data directory is damaged"),
  INVALID_UPDATE_VERSION: row(95, "permanent", false, 422, 2, "the feature cannot have this level"),
  GARBLED_RECORDS: row(
    -1,
    "data",
    false,
    422,
    2,
    "the batch is intact, its CRC matches, but its records do not decode: its producer wrote them so",
  ),
  RECORDS_TOO_LARGE: row(
    -1,
    "data",
    false,
    422,
    2,
    "the batch is valid, but its records decompress to more than the limit",
  ),
  DATA_DIRECTORY_LOCKED: row(
    -1,
    "configuration",
    false,
    500,
    2,
    "the data directory is locked by another process",
  ),
  DATA_DIRECTORY_UNUSABLE: row(-1, "configuration", false, 500, 2, "the data directory cannot be used"),
  STATE_UNUSABLE: row(56, "permanent", false, 500, 2, "the state file cannot be used"),
  PORT_IN_USE: row(-1, "configuration", false, 500, 2, "the port is in use"),
  TOO_FEW_DESCRIPTORS: row(-1, "configuration", false, 500, 2, "the limit of open files is too low"),
  INVALID_SETTING: row(-1, "configuration", false, 422, 64, "the configuration is not valid"),
  INVALID_USAGE: row(-1, "configuration", false, 400, 64, "the command line is not valid"),
  OUTPUT_FAILED: row(-1, "transient", false, 500, 2, "standard output cannot be written"),
  CONNECTION_FAILED: row(-1, "transient", true, 503, 2, "cannot connect to the broker"),
  CONNECTION_CLOSED: row(-1, "transient", true, 503, 2, "the broker closed the connection"),
  NOT_FOUND: row(-1, "permanent", false, 404, 2, "there is nothing at this path"),
  METHOD_NOT_ALLOWED: row(-1, "permanent", false, 405, 2, "the path does not take this method"),
  UPGRADE_REQUIRED: row(-1, "permanent", false, 426, 2, "the path is one of a WebSocket"),
  UNSUPPORTED_MEDIA_TYPE: row(-1, "permanent", false, 415, 2, "the body's content type is not supported"),
  NOT_ACCEPTABLE: row(-1, "permanent", false, 406, 2, "nothing can be answered in a type that is accepted"),
  INVALID_FILTER: row(-1, "permanent", false, 400, 64, "the filter is not understood"),
  INVALID_JSON: row(-1, "data", false, 400, 2, "the body is not valid JSON"),
  BODY_TOO_LARGE: row(-1, "permanent", false, 413, 2, "the body is larger than the limit"),
  FOREIGN_HOST: row(-1, "permanent", false, 403, 2, "the request is for another host"),
  FOREIGN_ORIGIN: row(-1, "permanent", false, 403, 2, "the request comes from a page of another origin"),
  IDEMPOTENCY_KEY_REUSED: row(
    -1,
    "permanent",
    false,
    422,
    2,
    "the Idempotency-Key was used for another body before",
  ),
  SLOW_READER: row(-1, "transient", true, 408, 2, "the reader took nothing for too long of what there was"),
  TOO_MANY_REQUESTS: row(-1, "transient", true, 503, 2, "too many requests are under way"),
  NOT_READY: row(-1, "transient", true, 503, 2, "the server is starting or stopping"),
  PROTOCOL_ERROR: row(-1, "data", false, 400, 2, "the peer violated the protocol"),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** Kafka's number for "no error". */
export const NO_ERROR = 0;

/** Kafka's wire number of a code. */
export function wireCode(code: ErrorCode): number {
  return ERRORS[code].wire;
}

const NAMES_BY_WIRE = new Map<number, ErrorCode>();
for (const [name, { wire }] of Object.entries(ERRORS)) {
  if (!NAMES_BY_WIRE.has(wire)) NAMES_BY_WIRE.set(wire, name as ErrorCode);
}

/** Our code for a wire number that a broker sent; UNKNOWN_SERVER_ERROR for one that is not in the table. */
export function errorCodeOf(wire: number): ErrorCode {
  return NAMES_BY_WIRE.get(wire) ?? "UNKNOWN_SERVER_ERROR";
}

/** Where it happened and what to do. Every field is optional; the message is built from those present. */
export interface ErrorFacts {
  detail?: string;
  remedy?: string;
  topic?: string;
  partition?: number;
  offset?: number;
  file?: string;
  position?: number;
  bytes?: number;
  limit?: number;
  address?: string;
  wire?: number;
}

export class ObeliskError extends Error {
  override name = "ObeliskError";
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, facts: ErrorFacts = {}, cause?: unknown) {
    super(describe(code, facts, cause), cause === undefined ? undefined : { cause });
    this.code = code;
    this.facts = facts;
  }

  get wire(): number {
    return ERRORS[this.code].wire;
  }

  get retriable(): boolean {
    return ERRORS[this.code].retriable;
  }

  get exitCode(): number {
    return ERRORS[this.code].exit;
  }

  get httpStatus(): number {
    return ERRORS[this.code].http;
  }
}

/** What was thrown, as an `ObeliskError`; anything unknown becomes UNKNOWN_SERVER_ERROR with it as cause. */
export function toObeliskError(thrown: unknown): ObeliskError {
  if (thrown instanceof ObeliskError) return thrown;
  return new ObeliskError("UNKNOWN_SERVER_ERROR", {}, thrown);
}

/** Whether storage is the cause: a full disk or an I/O error, with the state file as well. */
export function isStorageError({ wire }: ObeliskError): boolean {
  return wire === ERRORS.KAFKA_STORAGE_ERROR.wire;
}

/** The errno name (`ENOSPC`, `EACCES`) of a system error, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}

function describe(code: ErrorCode, facts: ErrorFacts, cause: unknown): string {
  const { detail, remedy, topic, partition, ...rest } = facts;
  const parts: string[] = [];
  if (topic !== undefined)
    parts.push(partition === undefined ? `topic ${topic}` : `partition ${topic}-${partition}`);
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) parts.push(`${name} ${value}`);
  let text = detail ?? ERRORS[code].sentence;
  if (parts.length > 0) text += ` (${parts.join(", ")})`;
  if (cause instanceof Error && detail === undefined) text += `: ${cause.message}`;
  return remedy === undefined ? text : `${text}; ${remedy}`;
}
