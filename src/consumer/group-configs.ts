/**
 * The settings of consumer groups, under Kafka's names: what an operator changes for one group while the server runs. Those of groups of
 * the consumer protocol (KIP-848) are obeyed; those of share and streams groups, which are not there, are kept.
 *
 *     row "group-config/GROUP"  ->  {"consumer.session.timeout.ms": "50000"}
 *
 * A group need not be there to have settings.
 */

import { ObeliskError } from "../base/errors.ts";
import { boolean, type ConfigKind, int, oneOf } from "../broker/config-kinds.ts";
import { ConfigRows } from "../broker/config-rows.ts";
import type { TopicConfigValues } from "../broker/topic-configs.ts";
import type { StateStore } from "../storage/contract.ts";

/** Groups with settings of their own: each is named by somebody who administers it. */
export const CONFIGURED_GROUPS_MAX = 10_000;

export interface GroupConfig {
  readonly name: string;
  readonly kind: ConfigKind;
  /** Kafka's default, where the server has no setting of its own. */
  readonly default: string;
  /** The broker setting that is its default, under Kafka's name. */
  readonly brokerName: string;
  readonly documentation: string;
}

/** Times of a group of the consumer protocol, in milliseconds. */
export interface GroupTimes {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly assignmentIntervalMs: number;
}

const SESSION = "consumer.session.timeout.ms";
const HEARTBEAT = "consumer.heartbeat.interval.ms";
const ASSIGNMENT = "consumer.assignment.interval.ms";

const SHARE = "Of share groups, which are not there.";
const STREAMS = "Of streams groups, which are not there.";

const TABLE: readonly GroupConfig[] = [
  ofBroker(
    ASSIGNMENT,
    int(0, 15_000),
    "1000",
    "The shortest time between two divisions of the group's partitions.",
  ),
  ofBroker(HEARTBEAT, int(5_000, 15_000), "5000", "How often members are told to report."),
  ofBroker(SESSION, int(45_000, 60_000), "45000", "A member that is not heard of for so long is removed."),
  ofBroker("share.assignment.interval.ms", int(0, 15_000), "1000", SHARE),
  plain("share.auto.offset.reset", oneOf("latest", "earliest"), "latest", SHARE),
  ofBroker("share.delivery.count.limit", int(2, 10), "5", SHARE),
  ofBroker("share.heartbeat.interval.ms", int(5_000, 15_000), "5000", SHARE),
  plain("share.isolation.level", oneOf("read_uncommitted", "read_committed"), "read_uncommitted", SHARE),
  ofBroker("share.partition.max.record.locks", int(100, 10_000), "2000", SHARE),
  ofBroker("share.record.lock.duration.ms", int(15_000, 60_000), "30000", SHARE),
  plain("share.renew.acknowledge.enable", boolean(), "true", SHARE),
  ofBroker("share.session.timeout.ms", int(45_000, 60_000), "45000", SHARE),
  ofBroker("streams.assignment.interval.ms", int(0, 15_000), "1000", STREAMS),
  ofBroker("streams.heartbeat.interval.ms", int(5_000, 15_000), "5000", STREAMS),
  ofBroker("streams.initial.rebalance.delay.ms", int(0), "3000", STREAMS),
  ofBroker("streams.num.standby.replicas", int(0, 2), "0", STREAMS),
  ofBroker("streams.session.timeout.ms", int(45_000, 60_000), "45000", STREAMS),
];

/** By name. */
export const GROUP_CONFIGS: ReadonlyMap<string, GroupConfig> = new Map(TABLE.map((row) => [row.name, row]));

export class GroupConfigs {
  readonly #rows: ConfigRows;
  readonly #server: TopicConfigValues;
  readonly #times: GroupTimes;

  private constructor(state: StateStore, times: GroupTimes) {
    this.#rows = new ConfigRows(state, "group-config/");
    this.#times = times;
    this.#server = {
      [SESSION]: String(times.sessionTimeoutMs),
      [HEARTBEAT]: String(times.heartbeatIntervalMs),
      [ASSIGNMENT]: String(times.assignmentIntervalMs),
    };
  }

  /** `times`: the server's settings, for groups that do not say otherwise. */
  static async open(state: StateStore, times: GroupTimes): Promise<GroupConfigs> {
    const configs = new GroupConfigs(state, times);
    await configs.#rows.load();
    return configs;
  }

  /** What a group sets itself. */
  of(group: string): TopicConfigValues {
    return this.#rows.of(group);
  }

  /** The value for a group that does not set it. */
  defaultOf({ name, default: value }: GroupConfig): string {
    return this.#server[name] ?? value;
  }

  /** Groups with settings of their own. */
  names(): string[] {
    return this.#rows.names();
  }

  timesOf(group: string): GroupTimes {
    const own = this.#rows.of(group);
    const { sessionTimeoutMs, heartbeatIntervalMs, assignmentIntervalMs } = this.#times;
    return {
      sessionTimeoutMs: Number(own[SESSION] ?? sessionTimeoutMs),
      heartbeatIntervalMs: Number(own[HEARTBEAT] ?? heartbeatIntervalMs),
      assignmentIntervalMs: Number(own[ASSIGNMENT] ?? assignmentIntervalMs),
    };
  }

  /** @throws ObeliskError INVALID_REQUEST, INVALID_CONFIG, POLICY_VIOLATION, what `change` throws, and what the state throws */
  async alter(
    group: string,
    change: (values: TopicConfigValues) => TopicConfigValues,
    isValidateOnly: boolean,
  ): Promise<void> {
    if (group === "") throw new ObeliskError("INVALID_REQUEST", { detail: "a group has a name" });
    const checked = (values: TopicConfigValues) => {
      const changed = change(values);
      for (const [name, value] of Object.entries(changed)) checkGroupConfig(name, value);
      if (values === changed || Object.keys(values).length > 0) return changed;
      if (this.#rows.count >= CONFIGURED_GROUPS_MAX)
        throw new ObeliskError("POLICY_VIOLATION", {
          detail: "the limit of groups with settings of their own is reached",
          remedy: "take the settings of other groups away",
          limit: CONFIGURED_GROUPS_MAX,
        });
      return changed;
    };
    await this.#rows.alter(group, checked, isValidateOnly);
  }
}

function checkGroupConfig(name: string, value: string): void {
  const config = GROUP_CONFIGS.get(name);
  if (config === undefined)
    throw new ObeliskError("INVALID_CONFIG", {
      detail: `there is no group setting ${name}`,
      remedy: `there are ${[...GROUP_CONFIGS.keys()].join(", ")}`,
    });
  if (config.kind.accepts(value)) return;
  throw new ObeliskError("INVALID_CONFIG", {
    detail: `the group setting ${name} cannot be ${JSON.stringify(value)}`,
    remedy: `it must be ${config.kind.must}`,
  });
}

function ofBroker(name: string, kind: ConfigKind, value: string, documentation: string): GroupConfig {
  return { name, kind, default: value, brokerName: `group.${name}`, documentation };
}

function plain(name: string, kind: ConfigKind, value: string, documentation: string): GroupConfig {
  return { name, kind, default: value, brokerName: name, documentation };
}
