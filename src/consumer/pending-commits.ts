/** The commits of offsets that are on their way to the disk, by group: who has to know how they end waits for those that were called before. */

export class PendingCommits {
  readonly #byGroup = new Map<string, Set<Promise<void>>>();

  /** Counts the work as on its way until it has ended, and ends as it does. */
  async track(group: string, work: Promise<void>): Promise<void> {
    let own = this.#byGroup.get(group);
    if (own === undefined) {
      own = new Set();
      this.#byGroup.set(group, own);
    }
    own.add(work);
    try {
      await work;
    } finally {
      own.delete(work);
      if (own.size === 0 && this.#byGroup.get(group) === own) this.#byGroup.delete(group);
    }
  }

  /** Resolves when those of the group have ended, well or not; null: there are none. */
  ended(group: string): Promise<unknown> | null {
    const own = this.#byGroup.get(group);
    return own === undefined ? null : Promise.allSettled([...own]);
  }

  /** The same of all groups. */
  allEnded(): Promise<unknown> {
    return Promise.allSettled([...this.#byGroup.values()].flatMap((own) => [...own]));
  }
}
