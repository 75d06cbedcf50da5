/**
 * Checks which way imports point. Prints each violation as `file: why` and exits 1 when there are any.
 *
 *     commands -> server -> (network, api, http) -> consumer -> broker -> storage -> protocol/record -> base
 *                 config -> base                     client -> protocol -> base
 *                 network, api, http -> security -> base     http, commands -> filter -> base
 *
 *   - an area imports only the areas that ALLOWED names for it, and itself; types count
 *   - no cycle of files, no barrel (`export ... from`), relative imports end in the file's extension
 *   - a file that stands behind an interface of its area (INTERNAL) is imported only within it
 *   - a package or a global that has one home (HOMES, GLOBALS) is used only there
 */

/** What each area may import besides itself. The longest name that a path starts with is its area. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "src/base": [],
  "src/config": ["src/base"],
  "src/protocol/record": ["src/base"],
  "src/protocol/native": ["src/base"],
  "src/protocol/group": ["src/base"],
  "src/protocol/kafka": ["src/base", "src/protocol/record"],
  // The native frames are also what the Go Obelisk's log files hold, which storage imports.
  "src/storage": ["src/base", "src/protocol/record", "src/protocol/native"],
  "src/broker": ["src/base", "src/protocol/record", "src/storage"],
  "src/consumer": ["src/base", "src/protocol/record", "src/protocol/group", "src/storage", "src/broker"],
  "src/filter": ["src/base"],
  "src/security": ["src/base"],
  "src/network": ["src/base", "src/security"],
  // The handlers implement the interface by which the network hands them frames.
  "src/api": [
    "src/base",
    "src/protocol",
    "src/storage",
    "src/broker",
    "src/consumer",
    "src/security",
    "src/network",
  ],
  "src/http": [
    "src/base",
    "src/protocol",
    "src/storage",
    "src/broker",
    "src/consumer",
    "src/security",
    "src/network",
    "src/filter",
  ],
  // It runs in browsers: what it knows of the server is what the HTTP API answers.
  "src/http/dashboard/app": [],
  "src/client": ["src/base", "src/protocol"],
  "src/server": [
    "src/base",
    "src/config",
    "src/protocol",
    "src/storage",
    "src/broker",
    "src/consumer",
    "src/network",
    "src/api",
    "src/http",
    "package.json",
  ],
  commands: [
    "src/base",
    "src/config",
    "src/protocol",
    "src/storage",
    "src/client",
    "src/filter",
    "src/server",
    "package.json",
  ],
};

/** What others see of an area is its interface; these implement it, and only the area itself may know them. */
const INTERNAL: readonly { readonly pattern: RegExp; readonly area: string; readonly instead: string }[] = [
  {
    pattern:
      /^src\/broker\/(log-partitions?|owned-partition|pending-appends|producers|producer-state|standing|group-commit|recent-(batches|records))\.ts$/,
    area: "src/broker",
    instead: "src/broker/partition.ts",
  },
];

/** Packages with one home. */
const HOMES: readonly { readonly pattern: RegExp; readonly homes: readonly string[] }[] = [
  { pattern: /^citty$/, homes: ["commands/"] },
  { pattern: /^(elysia|@elysiajs\/.*|prom-client)$/, homes: ["src/http/"] },
  { pattern: /^(preact|@preact\/signals|uplot)(\/.*)?$/, homes: ["src/http/dashboard/app/"] },
  { pattern: /^re2js$/, homes: ["src/consumer/heartbeat-groups/topic-regex.ts"] },
  { pattern: /^consola$/, homes: ["src/base/log.ts"] },
  {
    pattern: /^(node:)?fs(\/promises)?$/,
    homes: ["src/base/disk.ts", "src/base/descriptors/descriptor-limit.ts"],
  },
  { pattern: /^bun:ffi$/, homes: ["src/base/c-library.ts"] },
];

/** Time, randomness and environment enter through one module each. Commands stand outside. */
const GLOBALS: readonly { readonly pattern: RegExp; readonly homes: readonly string[] }[] = [
  {
    pattern: /\bDate\.now\(|\bperformance\.now\(|\bset(Timeout|Interval)\(/,
    homes: ["src/base/clock.ts", "src/client/process-hold.ts", "src/http/dashboard/app/base/time.ts"],
  },
  { pattern: /\bprocess\.env\b|\bBun\.env\b/, homes: [] },
  { pattern: /\bMath\.random\(/, homes: [] },
  { pattern: /\bBun\.(write|file)\(/, homes: ["src/base/disk.ts"] },
];

export interface Violation {
  readonly file: string;
  readonly why: string;
}

/** Every violation in a set of files, given by their path from the root of the repository. */
export function findViolations(sources: ReadonlyMap<string, string>): Violation[] {
  const violations: Violation[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, source] of sources) {
    const code = withoutComments(source);
    const imports = importsOf(code);
    violations.push(...imports.flatMap((specifier) => checkImport(file, specifier)));
    violations.push(...checkGlobals(file, code));
    if (/^\s*export\s+(type\s+)?(\*|\{[^}]*\})\s*(as\s+\w+\s+)?from\b/m.test(code)) {
      violations.push({ file, why: "re-exports another file: import from where a thing is defined" });
    }
    graph.set(
      file,
      imports.filter(isRelative).map((specifier) => resolvePath(file, specifier)),
    );
  }
  return [...violations, ...findCycles(graph)];
}

/** The area of a file, or undefined for one that no rule covers. */
export function areaOf(path: string): string | undefined {
  return Object.keys(ALLOWED)
    .filter((area) => path === `${area}.ts` || path === area || path.startsWith(`${area}/`))
    .sort((first, second) => second.length - first.length)[0];
}

function checkImport(file: string, specifier: string): Violation[] {
  const home = HOMES.find(({ pattern }) => pattern.test(specifier));
  if (home !== undefined && !home.homes.some((place) => file.startsWith(place))) {
    return [{ file, why: `imports ${specifier}, which lives only in ${home.homes.join(", ")}` }];
  }
  if (!isRelative(specifier)) return [];
  if (!/\.(ts|tsx|json|html|css)$/.test(specifier))
    return [{ file, why: `imports ${specifier} without its extension` }];
  const area = areaOf(file);
  const target = resolvePath(file, specifier);
  const targetArea = areaOf(target) ?? target;
  const internal = INTERNAL.find(({ pattern }) => pattern.test(target));
  if (internal !== undefined && internal.area !== area)
    return [{ file, why: `imports ${target}, which stands behind ${internal.instead}` }];
  if (area === undefined || targetArea === area) return [];
  const isAllowed = ALLOWED[area]!.some(
    (allowed) => targetArea === allowed || targetArea.startsWith(`${allowed}/`),
  );
  return isAllowed ? [] : [{ file, why: `${area} must not import ${targetArea} (${target})` }];
}

function checkGlobals(file: string, code: string): Violation[] {
  if (!file.startsWith("src/")) return [];
  return GLOBALS.flatMap(({ pattern, homes }) => {
    const found = pattern.exec(code);
    if (found === null || homes.includes(file)) return [];
    return [
      {
        file,
        why: `uses ${found[0]}, which ${homes.length === 0 ? "is handed in from outside" : `lives only in ${homes.join(", ")}`}`,
      },
    ];
  });
}

/** One violation for each import that closes a cycle, found depth first. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): Violation[] {
  const violations: Violation[] = [];
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start !== -1) {
      violations.push({
        file: path.at(-1)!,
        why: `closes a cycle: ${[...path.slice(start), file].join(" -> ")}`,
      });
      return;
    }
    if (finished.has(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
    finished.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return violations;
}

function importsOf(code: string): string[] {
  const patterns = [
    /^\s*(?:import|export)\s[^;"'`]*?\bfrom\s*["']([^"']+)["']/gm,
    /^\s*import\s*["']([^"']+)["']/gm,
    /\bimport\(\s*["']([^"']+)["']\s*\)/g,
    /\brequire\(\s*["']([^"']+)["']\s*\)/g,
  ];
  return [...new Set(patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]!)))];
}

function withoutComments(source: string): string {
  return source.replace(/^\s*\/\*[\s\S]*?\*\//gm, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

function isRelative(specifier: string): boolean {
  return specifier.startsWith("./") || specifier.startsWith("../");
}

function resolvePath(file: string, specifier: string): string {
  const parts = file.split("/").slice(0, -1);
  for (const step of specifier.split("/")) {
    if (step === "..") parts.pop();
    else if (step !== ".") parts.push(step);
  }
  return parts.join("/");
}

if (import.meta.main) {
  const root = new URL("..", import.meta.url).pathname;
  const sources = new Map<string, string>();
  for (const folder of ["src", "commands"]) {
    for (const file of new Bun.Glob(`${folder}/**/*.{ts,tsx}`).scanSync({ cwd: root })) {
      sources.set(file, await Bun.file(root + file).text());
    }
  }
  const violations = findViolations(sources);
  for (const { file, why } of violations) console.log(`${file}: ${why}`);
  process.exit(violations.length === 0 ? 0 : 1);
}
