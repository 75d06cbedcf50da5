/**
 * The names of the simulated disk: paths to files and directories, as processes see them and as the disk holds them.
 *
 *   - A name that was created, renamed or removed since the last sync of its directory (or of everything) may be there after a power
 *     cut or not, each change by itself; a rename happens or does not, and a directory moves as a whole, with all that is in it.
 *   - Directories may be other file systems, as a link to another disk is; nothing moves between two.
 *   - What a real disk refuses is refused here, by the same names of errors (test/base/files.test.ts).
 *   - A sync of a directory that fails drops the changes that it was to make durable: a later sync succeeds without them.
 */

import { moved, moveNames, parentOf } from "./paths.ts";
import type { SimulatedInode } from "./simulated-inode.ts";
import { type Errno, systemError } from "./system-error.ts";

export type Entry = SimulatedInode | "directory";

/** `target`: it was renamed to that. `after`: undefined for a name that was removed. */
interface NameChange {
  path: string;
  readonly after: Entry | undefined;
  target?: string;
  isDropped: boolean;
}

export class SimulatedNames {
  #names = new Map<string, Entry>([["/", "directory"]]);
  #durable = new Map<string, Entry>([["/", "directory"]]);
  #changes: NameChange[] = [];
  /** Directories that are other file systems. */
  #mounts: { path: string; device: string }[] = [];

  /** Makes a directory that nothing is in yet another file system. */
  mount(directory: string): void {
    if (this.list(directory).length > 0) throw new Error(`${directory} is not empty`);
    this.#mounts.push({ path: directory, device: directory });
  }

  /** The file system that is mounted nearest above a path. */
  deviceOf(path: string): string {
    let nearest = { path: "", device: "/" };
    for (const mount of this.#mounts) {
      const isAbove = path === mount.path || path.startsWith(`${mount.path}/`);
      if (isAbove && mount.path.length > nearest.path.length) nearest = mount;
    }
    return nearest.device;
  }

  get(path: string): Entry | undefined {
    return this.#names.get(path);
  }

  /** @throws ENOENT, ENOTDIR */
  find(path: string, call: string): Entry {
    const entry = this.#names.get(path);
    if (entry !== undefined) return entry;
    for (let above = parentOf(path); ; above = parentOf(above)) {
      const found = this.#names.get(above);
      if (found !== undefined) throw systemError(found === "directory" ? "ENOENT" : "ENOTDIR", call);
    }
  }

  /** @throws ENOENT, ENOTDIR, EISDIR */
  findFile(path: string, call: string): SimulatedInode {
    const entry = this.find(path, call);
    if (entry === "directory") throw systemError("EISDIR", call);
    return entry;
  }

  /** @throws ENOENT, ENOTDIR: there is no such directory */
  checkDirectory(path: string, call: string): void {
    if (this.find(path, call) !== "directory") throw systemError("ENOTDIR", call);
  }

  /** With those above it. @throws EEXIST, ENOTDIR: something else is in the way */
  makeDirectory(directory: string): void {
    if (this.get(directory) === "directory") return;
    if (this.get(directory) !== undefined) throw systemError("EEXIST", "mkdir");
    const parent = parentOf(directory);
    if (this.get(parent) === undefined) this.makeDirectory(parent);
    this.checkDirectory(parent, "mkdir");
    this.set(directory, "directory");
  }

  entries(): Iterable<Entry> {
    return this.#names.values();
  }

  /** Names in a directory, sorted; directories end in "/". */
  list(directory: string): string[] {
    const prefix = directory === "/" ? "/" : `${directory}/`;
    const found: string[] = [];
    for (const [path, entry] of this.#names) {
      const rest = path.slice(prefix.length);
      if (!path.startsWith(prefix) || rest === "" || rest.includes("/")) continue;
      found.push(entry === "directory" ? `${rest}/` : rest);
    }
    return found.sort();
  }

  set(path: string, after: Entry | undefined): void {
    this.#changes.push({ path, after, isDropped: false });
    if (after === undefined) this.#names.delete(path);
    else this.#names.set(path, after);
  }

  rename(source: string, target: string): void {
    const entry = this.find(source, "rename");
    this.checkDirectory(parentOf(target), "rename");
    this.#checkRename(source, entry, target);
    this.#mounts = this.#mounts.map((mount) => ({ ...mount, path: moved(mount.path, source, target) }));
    moveNames(this.#names, source, target);
    this.#changes.push({ path: source, after: entry, target, isDropped: false });
  }

  #checkRename(source: string, entry: Entry, target: string): void {
    const refuse = (code: Errno) => {
      throw systemError(code, "rename");
    };
    if (this.deviceOf(parentOf(source)) !== this.deviceOf(parentOf(target))) refuse("EXDEV");
    if (target.startsWith(`${source}/`)) refuse("EINVAL");
    const there = this.get(target);
    if (there === undefined) return;
    if (entry !== "directory" && there === "directory") refuse("EISDIR");
    if (entry === "directory" && there !== "directory") refuse("ENOTDIR");
    if (there === "directory" && this.list(target).length > 0) refuse("ENOTEMPTY");
  }

  /** What a sync of the directory that begins now would make durable. */
  changesIn(directory: string): readonly NameChange[] {
    const isIn = (path: string | undefined) => path !== undefined && parentOf(path) === directory;
    return this.#changes.filter(({ path, target, isDropped }) => !isDropped && (isIn(path) || isIn(target)));
  }

  /** The same for a whole file system. */
  changesOn(device: string): readonly NameChange[] {
    return this.#changes.filter(
      ({ path, isDropped }) => !isDropped && this.deviceOf(parentOf(path)) === device,
    );
  }

  /** Makes changes durable, unless that has happened or they were dropped in the meantime. */
  complete(changes: readonly NameChange[]): void {
    for (const change of changes) {
      const slot = this.#changes.indexOf(change);
      if (slot === -1 || change.isDropped) continue;
      this.#changes.splice(slot, 1);
      apply(this.#durable, change);
      const { path, after, target } = change;
      // What was changed in a directory before it moved is found where the directory is now.
      if (target !== undefined && after === "directory")
        for (const earlier of this.#changes.slice(0, slot)) moveChange(earlier, path, target);
    }
  }

  drop(changes: readonly NameChange[]): void {
    for (const change of changes) change.isDropped = true;
  }

  /** The files in a directory that are there after a power cut for sure, as far as names go. */
  *durableIn(directory: string): Iterable<SimulatedInode> {
    if (!hasParents(this.#durable, `${directory}/`)) return;
    for (const [path, entry] of this.#durable) {
      if (entry !== "directory" && parentOf(path) === directory) yield entry;
    }
  }

  /** As they are found after a power cut. */
  afterPowerCut(random: () => number): SimulatedNames {
    const names = new Map(this.#durable);
    const unmoved: { path: string; target: string }[] = [];
    const placeOf = (path: string) =>
      unmoved.reduce((found, move) => moved(found, move.target, move.path), path);
    for (const change of this.#changes) {
      const { path, after, target } = change;
      const isKept = random() >= 0.5;
      if (target !== undefined && isKept) moveNames(names, placeOf(path), placeOf(target));
      else if (target !== undefined && after === "directory") unmoved.unshift({ path, target });
      if (target !== undefined || !isKept) continue;
      // What was changed in a directory that did not move after all was changed where it still is.
      apply(names, { path: placeOf(path), after });
    }
    for (const path of [...names.keys()]) if (!hasParents(names, path)) names.delete(path);
    const found = new SimulatedNames();
    found.#names = names;
    found.#durable = new Map(names);
    found.#mounts = this.#mounts.map(({ path, device }) => ({ path: placeOf(path), device }));
    return found;
  }

  /** As the next process finds them. */
  afterKill(): SimulatedNames {
    const next = new SimulatedNames();
    next.#names = new Map(this.#names);
    next.#durable = new Map(this.#durable);
    next.#changes = this.#changes.map((change) => ({ ...change }));
    next.#mounts = this.#mounts;
    return next;
  }

  /** Puts other files in the place of these, under the same names. */
  replaceInodes(replace: (inode: SimulatedInode) => SimulatedInode): void {
    const replaced = new Map<SimulatedInode, SimulatedInode>();
    const of = (entry: Entry): Entry => {
      if (entry === "directory") return entry;
      let other = replaced.get(entry);
      if (other === undefined) {
        other = replace(entry);
        replaced.set(entry, other);
      }
      return other;
    };
    for (const names of [this.#names, this.#durable])
      for (const [path, entry] of names) names.set(path, of(entry));
    this.#changes = this.#changes.map((change) =>
      change.after === undefined ? change : { ...change, after: of(change.after) },
    );
  }
}

function moveChange(change: NameChange, source: string, target: string): void {
  change.path = moved(change.path, source, target);
  if (change.target !== undefined) change.target = moved(change.target, source, target);
}

function apply(names: Map<string, Entry>, change: Pick<NameChange, "path" | "after" | "target">): void {
  if (change.target !== undefined) moveNames(names, change.path, change.target);
  else if (change.after === undefined) names.delete(change.path);
  else names.set(change.path, change.after);
}

function hasParents(names: ReadonlyMap<string, unknown>, path: string): boolean {
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    if (names.get(path.slice(0, end)) !== "directory") return false;
  }
  return true;
}
