/**
 * The features of the cluster, as ApiVersions tells them: what can be switched on, and what is. Their levels are Kafka's. One machine that
 * is always of one release has nothing to switch: what is supported is finalized.
 */

export interface Feature {
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** What is switched on; 0: not at all. */
  readonly level: number;
}

/** By name. group.version 1: consumer groups by heartbeats (KIP-848). */
export const FEATURES: readonly Feature[] = [
  { name: "group.version", minVersion: 0, maxVersion: 1, level: 1 },
];

/** Nothing has ever been changed. */
export const FINALIZED_FEATURES_EPOCH = 0;
