/**
 * What who fetches committed offsets may see, whatever happens:
 *
 *   - the offset of the last commit that was acknowledged or seen, or of one that was made after it; of none that was refused
 *   - with the wait for commits under way (OffsetFetch's requireStable): all that were made before have ended, and none that is older
 *     than one of them that is stored
 *   - and none is made below one that was acknowledged: who commits owns the partition, and went on where the last owner stopped
 */

export interface Commit {
  readonly serial: number;
  readonly offset: number;
  /** Unknown: the server crashed meanwhile. */
  state: "under way" | "stored" | "refused" | "unknown";
}

export class OffsetOracle {
  readonly #broken: string[];
  /** By place, in the order in which they were made. */
  readonly #made = new Map<string, Commit[]>();
  /** By place: the last one acknowledged or seen. */
  readonly #last = new Map<string, Commit>();
  /** Of the last commit that was made. */
  serial = 0;

  constructor(broken: string[]) {
    this.#broken = broken;
  }

  made(place: string, offset: number): Commit {
    const commit: Commit = { serial: (this.serial += 1), offset, state: "under way" };
    const own = this.#made.get(place);
    if (own === undefined) this.#made.set(place, [commit]);
    else own.push(commit);
    return commit;
  }

  /** As `made`, of an owner that reads on. */
  madeOn(place: string, offset: number): Commit {
    const last = this.#last.get(place);
    if (last !== undefined && offset < last.offset)
      this.#broken.push(`${place} goes back to ${offset}, acknowledged is ${last.offset}`);
    return this.made(place, offset);
  }

  acknowledged(place: string, commit: Commit): void {
    commit.state = "stored";
    if ((this.#last.get(place)?.serial ?? 0) < commit.serial) this.#last.set(place, commit);
  }

  refused(commit: Commit): void {
    commit.state = "refused";
  }

  fetched(place: string, offset: number | null): void {
    const last = this.#last.get(place);
    if (offset === null && last === undefined) return;
    const seen = this.#since(place, last).find((commit) => commit.offset === offset);
    // Whoever has seen it never sees an older one.
    if (seen !== undefined) this.acknowledged(place, seen);
    else this.#broken.push(`${place} is ${offset}, acknowledged is ${last?.offset ?? "nothing"}`);
  }

  /** The server has crashed: what is under way may come as a surprise, or not at all. */
  crashed(): void {
    for (const commits of this.#made.values())
      for (const commit of commits) if (commit.state === "under way") commit.state = "unknown";
  }

  /** What was fetched when all commits up to the serial number `until` had ended. */
  settled(place: string, until: number, offset: number | null): void {
    const before = (this.#made.get(place) ?? []).filter(({ serial }) => serial <= until);
    if (before.some(({ state }) => state === "under way"))
      this.#broken.push(`${place} is fetched as ${offset}, and a commit from before is under way still`);
    const last = before.findLast(({ state }) => state === "stored");
    if (offset === null && last === undefined) return;
    if (this.#since(place, last).some((commit) => commit.offset === offset)) return;
    this.#broken.push(
      `${place} is fetched as ${offset}, ${last?.offset ?? "nothing"} was under way and is stored`,
    );
  }

  #since(place: string, last: Commit | undefined): Commit[] {
    const own = this.#made.get(place) ?? [];
    return own.filter(({ serial, state }) => serial >= (last?.serial ?? 0) && state !== "refused");
  }
}
