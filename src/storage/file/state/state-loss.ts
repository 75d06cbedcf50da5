/**
 * How a lost `meta.db` is told from one that was never written, for the start and for `verify`. A server makes the file at its
 * first start, before any partition, and stops in order only with it; a crash within the first start may leave none, or an
 * empty one.
 */

/** `isClean`: the last owner stopped in order. `hasTopics`: there is a partition on disk. */
export function isStateLost(isClean: boolean, hasTopics: boolean): boolean {
  return isClean || hasTopics;
}

/** What is gone with it, in one sentence. */
export function lostStateDetail(isEmpty: boolean): string {
  const what = isEmpty ? "it is empty" : "it is missing";
  return `${what}, and with it the committed offsets of all groups and the ids and settings of all topics`;
}
