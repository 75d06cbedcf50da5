/** Names of files and directories on a simulated disk. */

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

export function moveNames<Node>(names: Map<string, Node>, source: string, target: string): void {
  for (const [path, node] of [...names]) {
    const place = moved(path, source, target);
    if (place === path) continue;
    names.delete(path);
    names.set(place, node);
  }
}

/** Where a path is once `source` is called `target`. */
export function moved(path: string, source: string, target: string): string {
  return path === source || path.startsWith(`${source}/`) ? target + path.slice(source.length) : path;
}
