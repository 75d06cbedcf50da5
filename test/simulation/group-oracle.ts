/**
 * What members and committers of classic groups may see, whatever happens:
 *
 *   - in one generation of a group a partition is assigned to one member at most (one that came back under its instance id is the same)
 *   - what a member was told of an assignment is still the newest generation, or an older one, after a crash of the server
 *   - a commit that is taken comes from the newest generation that anybody was told an assignment of
 *   - and what the oracle of offsets says (offset-oracle.ts)
 */

import { type Commit, OffsetOracle } from "./offset-oracle.ts";

export class GroupOracle {
  readonly broken: string[] = [];
  readonly offsets = new OffsetOracle(this.broken);
  /** "group/generation/partition" -> who has it. */
  readonly #owners = new Map<string, string>();
  readonly #newest = new Map<string, number>();

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
  taken(group: string, generation: number, place: string, offset: number): Commit {
    if (generation < this.newestOf(group))
      this.broken.push(
        `${group} takes a commit of generation ${generation}, ${this.newestOf(group)} was told`,
      );
    return this.offsets.made(place, offset);
  }
}
