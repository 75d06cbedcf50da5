/**
 * How a lost `meta.db` is told from one that was never written, for the start and for `verify`. A server creates the file at its
 * first start, before any partition, and a clean shutdown leaves it there; a crash within the first start may leave none, or an
 * empty one.
 */

/** `isClean`: the last shutdown was clean. `hasTopics`: there is a partition on disk. */
export function isStateLost(isClean: boolean, hasTopics: boolean): boolean {
  return isClean || hasTopics;
}

/** What is lost with it, in one sentence. */
export function lostStateDetail(isEmpty: boolean): string {
  const what = isEmpty ? "it is empty" : "it is missing";
  return `${what}, and with it the committed offsets of all groups and the ids and configs of all topics`;
}
