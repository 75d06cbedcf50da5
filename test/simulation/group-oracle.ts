/**
 * What members and committers of groups may see, whatever happens:
 *
 *   - in one generation of a group a partition is assigned to one member at most (one that came back under its instance id is the same)
 *   - what a member was told of an assignment is still the newest generation, or an older one, after a crash of the server
 *   - a commit that is taken comes from the newest generation that anybody was told an assignment of
 *   - a committed offset is that of the last commit that was acknowledged or seen, or of one that was made after it
 */

interface Commit {
  readonly serial: number;
  readonly offset: number;
}

export class GroupOracle {
  readonly broken: string[] = [];
  /** "group/generation/partition" -> who has it. */
  readonly #owners = new Map<string, string>();
  readonly #newest = new Map<string, number>();
  /** "group/partition" -> the last one acknowledged or seen, and those that were made after it. */
  readonly #acknowledged = new Map<string, Commit>();
  readonly #made = new Map<string, Commit[]>();
  #serial = 0;

  newestOf(group: string): number {
    return this.#newest.get(group) ?? 0;
  }

  assigned(group: string, generation: number, owner: string, partitions: readonly number[]): void {
    for (const partition of partitions) {
      const place = `${group}/${generation}/${partition}`;
      const known = this.#owners.get(place) ?? owner;
      if (known !== owner) this.broken.push(`${place} is assigned to ${known} and to ${owner}`);
      this.#owners.set(place, owner);
    }
    this.#newest.set(group, Math.max(this.newestOf(group), generation));
  }

  /** The server has come back with this generation. */
  restored(group: string, generation: number): void {
    if (generation < this.newestOf(group))
      this.broken.push(`${group} comes back in generation ${generation}, ${this.newestOf(group)} was told`);
  }

  /** A commit of a member of this generation is taken; it is made now. */
  taken(group: string, generation: number, partition: number, offset: number): Commit {
    if (generation < this.newestOf(group))
      this.broken.push(
        `${group} takes a commit of generation ${generation}, ${this.newestOf(group)} was told`,
      );
    this.#serial += 1;
    const commit = { serial: this.#serial, offset };
    const place = `${group}/${partition}`;
    this.#made.set(place, [...(this.#made.get(place) ?? []), commit]);
    return commit;
  }

  acknowledged(group: string, partition: number, commit: Commit): void {
    const place = `${group}/${partition}`;
    if ((this.#acknowledged.get(place)?.serial ?? 0) < commit.serial) this.#acknowledged.set(place, commit);
  }

  fetched(group: string, partition: number, offset: number | null): void {
    const place = `${group}/${partition}`;
    const last = this.#acknowledged.get(place);
    const later = (this.#made.get(place) ?? []).filter(({ serial }) => serial >= (last?.serial ?? 0));
    if (offset === null && last === undefined) return;
    const seen = later.find((commit) => commit.offset === offset);
    if (seen !== undefined) {
      // Whoever has seen it never sees an older one.
      this.acknowledged(group, partition, seen);
      return;
    }
    this.broken.push(`${place} is ${offset}, acknowledged is ${last?.offset ?? "nothing"}`);
  }
}
