/** Which methods a path takes, asked only when a request has found no route. */

export interface RoutePaths {
  /** Sorted; HEAD with GET, and OPTIONS with any. Empty: there is nothing at the path. */
  methodsAt(pathname: string): string[];
}

interface Route {
  readonly method: string;
  readonly path: string;
}

export function pathsOf(routes: readonly Route[]): RoutePaths {
  const patterns = routes.map(({ method, path }) => ({ method, pattern: patternOf(path) }));
  return {
    methodsAt: (pathname) => {
      const found = new Set(
        patterns.filter(({ pattern }) => pattern.test(pathname)).map(({ method }) => method),
      );
      if (found.size === 0) return [];
      if (found.has("GET")) found.add("HEAD");
      found.add("OPTIONS");
      return [...found].sort();
    },
  };
}

/** `:name` stands for one part of a path, `*` for the rest. */
function patternOf(path: string): RegExp {
  const parts = path.split("/").map((part) => {
    if (part.startsWith(":")) return "[^/]+";
    return part === "*" ? ".*" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("/")}/?$`);
}
