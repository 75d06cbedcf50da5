/**
 * The clients that `scripts/install-clients` puts into .tools: confluent-kafka for Python (librdkafka) in its current version
 * and in one of two years before, Apache Kafka's Java client, and sarama for Go. A judge is a program of this repository in the
 * client's language; it prints what it saw as JSON.
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/** One small heap and the first compiler only: a judge lives for seconds, beside others. */
const JAVA_OPTIONS = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=OFF"];

export interface ForeignClient {
  readonly name: string;
  /** Why it cannot run here; undefined when it can. */
  readonly missing: string | undefined;
  /** Runs a program (a path from the root) with arguments; the JSON that it printed. Throws its standard error when it failed. */
  run(program: string, ...args: string[]): Promise<unknown>;
  /** Starts a program that prints lines as it goes. Whoever starts it ends it. */
  start(program: string, ...args: string[]): Bun.Subprocess<"ignore", "pipe", "inherit">;
}

export const CONFLUENT_CLIENTS: readonly ForeignClient[] = contentOf("test/compat/confluent-versions")
  .trim()
  .split("\n")
  .map((version) => pythonClient(`confluent-kafka ${version}`, `.tools/confluent-kafka-${version}`));

export const JAVA_CLIENT: ForeignClient = javaClient(
  /.*<version>(.*)<\/version>/s.exec(contentOf("test/compat/kafka-clients.pom"))![1]!,
);

/** websockets and sseclient-py for Python. */
export const PYTHON_WEB_CLIENT: ForeignClient = pythonClient(
  contentOf("test/compat/live/web-clients").trim().replace("\n", " and "),
  ".tools/web-clients",
);

/** Node, with the packages of this repository. */
export const NODE_CLIENT: ForeignClient = nodeClient();

/** Apache Kafka's command line tools. */
export const KAFKA_TOOLS = kafkaTools(
  /.*<version>(.*)<\/version>/s.exec(contentOf("test/compat/kafka-tools.pom"))![1]!,
);

export const SARAMA_CLIENT: ForeignClient = saramaClient(
  /sarama v(\S+)/.exec(contentOf("test/compat/sarama/go.mod"))![1]!,
);

function pythonClient(name: string, folder: string): ForeignClient {
  const python = Bun.which("python3");
  const environment = { PYTHONPATH: join(ROOT, folder), PYTHONDONTWRITEBYTECODE: "1" };
  return {
    name,
    missing: reasonOf("python3", python, name, folder),
    run: (program, ...args) => outputOf([python!, join(ROOT, program), ...args], environment),
    start: (program, ...args) => startOf([python!, join(ROOT, program), ...args], environment),
  };
}

function nodeClient(): ForeignClient {
  const node = Bun.which("node");
  return {
    name: "Node",
    missing: node === null ? "node is not installed" : undefined,
    run: (program, ...args) => outputOf([node!, join(ROOT, program), ...args], {}),
    start: (program, ...args) => startOf([node!, join(ROOT, program), ...args], {}),
  };
}

function javaClient(version: string): ForeignClient {
  const java = Bun.which("java");
  const folder = `.tools/kafka-clients-${version}`;
  const name = `kafka-clients ${version} (Java)`;
  const options = [...JAVA_OPTIONS, "-cp", join(ROOT, folder, "*")];
  return {
    name,
    missing: reasonOf("java", java, name, folder),
    run: (program, ...args) => outputOf([java!, ...options, join(ROOT, program), ...args], {}),
    start: (program, ...args) => startOf([java!, ...options, join(ROOT, program), ...args], {}),
  };
}

function kafkaTools(version: string) {
  const java = Bun.which("java");
  const folder = `.tools/kafka-tools-${version}`;
  const missing = reasonOf("java", java, `kafka-tools ${version}`, folder);
  const commandOf = (tool: string, args: readonly string[]) => [
    java!,
    ...JAVA_OPTIONS,
    "-cp",
    join(ROOT, folder, "*"),
    tool,
    ...args,
  ];
  /** What a tool prints, given the name of its class; throws its standard error when it failed. */
  const run = (tool: string, args: readonly string[], input = "") =>
    printedBy(commandOf(tool, args), {}, input);
  return { missing, run, commandOf };
}

/** Its judge is compiled when it is installed; one of another source does not count. */
function saramaClient(version: string): ForeignClient {
  const folder = `.tools/sarama-${version}`;
  const source = "test/compat/sarama/main.go";
  const isCurrent =
    existsSync(join(ROOT, folder, "main.go")) && contentOf(`${folder}/main.go`) === contentOf(source);
  const name = `sarama ${version} (Go)`;
  return {
    name,
    missing: isCurrent ? undefined : `${name} is not in .tools: run scripts/install-clients, which needs Go`,
    run: (_program, ...args) => outputOf([join(ROOT, folder, "sarama"), ...args], {}),
    start: (_program, ...args) => startOf([join(ROOT, folder, "sarama"), ...args], {}),
  };
}

function reasonOf(command: string, path: string | null, name: string, folder: string): string | undefined {
  if (path === null) return `${command} is not installed`;
  if (!existsSync(join(ROOT, folder))) return `${name} is not in .tools: run scripts/install-clients`;
  return undefined;
}

function startOf(command: readonly string[], environment: Record<string, string>) {
  return Bun.spawn([...command], {
    env: { ...process.env, ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
}

async function outputOf(command: readonly string[], environment: Record<string, string>): Promise<unknown> {
  return JSON.parse(await printedBy(command, environment, ""));
}

async function printedBy(command: readonly string[], environment: Record<string, string>, input: string) {
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...environment },
    stdin: new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (exitCode !== 0) {
    throw new Error(`${command.slice(1).join(" ")} ended with ${exitCode}: ${stderr}${stdout}`);
  }
  return stdout;
}

function contentOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
