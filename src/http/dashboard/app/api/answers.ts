/** What the HTTP API answers, as far as the dashboard reads it. /openapi.json has the whole. */

export interface TopicListed {
  readonly name: string;
  readonly partitions: number;
  readonly unavailablePartitions: number;
  readonly bytes: number;
  readonly records: number;
  readonly cleanupPolicy: string;
}

export interface PartitionDescribed {
  readonly partition: number;
  readonly startOffset: number;
  readonly highWatermark: number;
  readonly bytes: number;
  readonly leader: number;
  readonly isUnavailable: boolean;
}

export interface ConfigDescribed {
  readonly name: string;
  readonly value: string;
  readonly default: string;
  readonly source: string;
  readonly type: string;
  readonly must?: string;
  /** Kept: it is stored, and changes nothing. Fixed: it cannot be changed. */
  readonly stance: "obeyed" | "kept" | "fixed";
  readonly documentation: string;
  readonly isReadOnly: boolean;
}

export interface TopicDescribed {
  readonly name: string;
  readonly id: string;
  readonly partitions: readonly PartitionDescribed[];
  readonly configs: readonly ConfigDescribed[];
}

export interface RecordHeader {
  readonly key: string;
  readonly keyIsBase64?: boolean;
  readonly value: string | null;
  readonly valueIsBase64?: boolean;
}

export interface RecordAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly keyIsBase64?: boolean;
  readonly valueIsBase64?: boolean;
  readonly headers?: readonly RecordHeader[];
}

export interface MessagesPage {
  readonly messages: readonly RecordAnswer[];
  /** By partition: the offset at which the next page begins. */
  readonly next?: Readonly<Record<string, number>>;
  readonly unreadable?: readonly {
    readonly partition: number;
    readonly firstOffset: number;
    readonly reason: string;
  }[];
}

export interface GroupListed {
  readonly group: string;
  readonly type: string;
  readonly state: string;
  readonly members: number;
  /** Null: not known. */
  readonly lag: number | null;
  /** Without it, the lag is at least so much. */
  readonly isLagComplete: boolean;
}

export interface GroupMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly host: string;
  /** Null: only the members can read it. */
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[] | null;
}

export interface GroupPartition {
  readonly topic: string;
  readonly partition: number;
  readonly committedOffset: number | null;
  readonly logEndOffset: number | null;
  readonly lag: number | null;
  /** Why the lag is not known. */
  readonly unknown: string | null;
  readonly metadata: string | null;
  readonly memberId: string | null;
}

export interface GroupDescribed {
  readonly group: string;
  readonly type: string;
  readonly state: string;
  readonly protocolType: string;
  readonly assignor: string;
  readonly lag: number | null;
  readonly isLagComplete: boolean;
  readonly members: readonly GroupMember[];
  readonly partitions: readonly GroupPartition[];
}

export interface ResetAnswer {
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    /** Null: nothing is committed. */
    readonly from: number | null;
    /** Null: it stays so. */
    readonly to: number | null;
    /** Why it is not what was asked for. */
    readonly note?: string;
  }[];
}

export type HealthStatus = "healthy" | "degraded" | "unhealthy";

export interface HealthAnswer {
  readonly status: HealthStatus;
  readonly uptime: string;
  readonly components: Readonly<
    Record<
      string,
      {
        readonly status: HealthStatus;
        readonly details: Readonly<Record<string, string | number | boolean | null>>;
      }
    >
  >;
}

/** Of the last seconds. */
export interface LatencyAnswer {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export interface OverviewAnswer {
  readonly at: number;
  readonly uptimeMs: number;
  readonly version: string;
  readonly health: HealthAnswer;
  readonly totals: Readonly<Record<string, number>>;
  readonly latency: Readonly<
    Record<"produce" | "fetch" | "fetchWait" | "sync" | "loopDelay", LatencyAnswer | null>
  >;
  readonly connections: readonly {
    readonly listener: string;
    readonly open: number;
    readonly refused: number;
  }[];
  readonly topics: number;
  readonly partitions: number;
  readonly groups: Readonly<Record<string, number>>;
  readonly lag: {
    readonly total: number | null;
    readonly groups: number;
    readonly unknownPartitions: number;
  };
  readonly disk: {
    readonly freeBytes: number | null;
    readonly totalBytes: number | null;
    readonly logBytes: number | null;
    readonly isFull: boolean;
  };
  readonly memory: {
    readonly residentBytes: number;
    readonly maxBytes: number;
    readonly shared: readonly {
      readonly use: string;
      readonly usedBytes: number;
      readonly limitBytes: number;
      readonly waiting: number;
    }[];
  };
}

export interface HistoryAnswer {
  readonly stepMs: number;
  readonly series: Readonly<Record<string, readonly (number | null)[]>>;
  readonly lagByGroup: Readonly<Record<string, readonly (number | null)[]>>;
}

export interface ConnectionAnswer {
  readonly id: string;
  readonly listener: string;
  readonly host: string;
  readonly port: number;
  /** Null: not said. */
  readonly clientId: string | null;
  readonly software: string | null;
  readonly since: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requests: number;
}

export interface SettingAnswer {
  readonly name: string;
  readonly value: string;
  readonly default: string;
  readonly source: string;
  readonly takes: string;
  readonly range: string;
  readonly advice: string;
  /** Of the environment. */
  readonly variable: string;
  /** It changes while the server runs. */
  readonly isLive: boolean;
}

export interface ClusterAnswer {
  readonly clusterId: string;
  readonly version: string;
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number }[];
  readonly features: readonly { readonly name: string; readonly level: number }[];
}
