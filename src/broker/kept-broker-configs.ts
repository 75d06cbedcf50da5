/**
 * Settings of Kafka's brokers that can be changed while they run, and that tune what is not here: thread pools, replication, the cleaner
 * of compacted logs, Kerberos. They are kept and returned, so that tools which set them work, and change nothing.
 */

import { type ConfigKind, double, int, long, text } from "./config-kinds.ts";

export interface KeptBrokerConfig {
  readonly name: string;
  readonly kind: ConfigKind;
  readonly default: string;
  readonly documentation: string;
}

const THREADS =
  "Threads of Kafka's broker. Obelisk serves everybody in one, with helpers where the system blocks.";
const CLEANER = "Of Kafka's log cleaner. It changes nothing here.";
const REPLICATION = "Of replication between Kafka's brokers. There is one broker.";
const KERBEROS = "Of Kerberos, which is not there.";

const TABLE: readonly KeptBrokerConfig[] = [
  row("background.threads", int(1), "10", THREADS),
  row("log.cleaner.backoff.ms", long(0), "15000", CLEANER),
  row("log.cleaner.dedupe.buffer.size", long(0), "134217728", CLEANER),
  row("log.cleaner.io.buffer.load.factor", double(0, Number.MAX_VALUE), "0.9", CLEANER),
  row("log.cleaner.io.buffer.size", int(0), "524288", CLEANER),
  row("log.cleaner.io.max.bytes.per.second", double(0, Number.MAX_VALUE), "1.7976931348623157E308", CLEANER),
  row("log.cleaner.threads", int(0), "1", CLEANER),
  row("num.io.threads", int(1), "8", THREADS),
  row("num.network.threads", int(1), "3", THREADS),
  row("num.recovery.threads.per.data.dir", int(1), "2", THREADS),
  row("num.replica.fetchers", int(1), "1", REPLICATION),
  row("sasl.kerberos.kinit.cmd", text(), "/usr/bin/kinit", KERBEROS),
  row("sasl.kerberos.min.time.before.relogin", long(0), "60000", KERBEROS),
  row("sasl.kerberos.ticket.renew.jitter", double(0, 1), "0.05", KERBEROS),
  row("sasl.kerberos.ticket.renew.window.factor", double(0, 1), "0.8", KERBEROS),
];

/** By name. */
export const KEPT_BROKER_CONFIGS: ReadonlyMap<string, KeptBrokerConfig> = new Map(
  TABLE.map((config) => [config.name, config]),
);

function row(name: string, kind: ConfigKind, value: string, documentation: string): KeptBrokerConfig {
  return { name, kind, default: value, documentation };
}
