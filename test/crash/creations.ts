/**
 * kill -9 while topics are created: start the server, create topics with several partitions one after the other, kill it at a random
 * moment, and let `verify` judge what is left. The next round starts on the same directory, so what was interrupted is repaired.
 *
 * bun test/crash/creations.ts [rounds] [seed] is the long run.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiled, runObelisk } from "../support/obelisk-command.ts";
import { startServer } from "../support/obelisk-server.ts";
import { createTopic, Gone, Wire } from "./wire.ts";

const PARTITIONS = 3;
/** Creations that a round lets through before it kills at most. */
const CREATIONS_MAX = 12;

/** Returns the output of the rounds in which `verify` did not end with 0. */
export async function killDuringCreations(rounds: number, seed: number): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "obelisk-creations-"));
  const random = randomOf(seed);
  const wrong: string[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      await using server = await startServer(join(folder, "data"), [], { program: compiled });
      const wire = await Wire.kafka(server.started.kafka.port);
      const killed = killAfter(server, Math.floor(random() * CREATIONS_MAX), random());
      await createUntilGone(wire, round, killed.created);
      await killed.done;
      const { exitCode, stdout } = await runObelisk(["verify", join(folder, "data")], { program: compiled });
      if (exitCode !== 0) wrong.push(`round ${round}, seed ${seed}: ${stdout}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return wrong;
}

/** Kills while the creation after the first `count` ones is under way, at `part` of its response's usual time. */
function killAfter(server: { stop(signal: NodeJS.Signals): Promise<number> }, count: number, part: number) {
  let made = 0;
  let startedAt = performance.now();
  let usualMs = 2;
  let resolve: () => void = () => undefined;
  const done = new Promise<void>((completed) => {
    resolve = completed;
  });
  const kill = () => void server.stop("SIGKILL").then(resolve);
  const created = () => {
    made += 1;
    usualMs = performance.now() - startedAt;
    startedAt = performance.now();
    if (made === count + 1) setTimeout(kill, usualMs * part);
  };
  return { created, done };
}

async function createUntilGone(wire: Wire, round: number, created: () => void): Promise<void> {
  try {
    for (let index = 0; ; index += 1) {
      await createTopic(wire, `topic-${round}-${index}`, PARTITIONS);
      created();
    }
  } catch (thrown) {
    if (!(thrown instanceof Gone)) throw thrown;
  }
}

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

if (import.meta.main) {
  const [rounds = "100", seed = `${Date.now() % 2 ** 31}`] = process.argv.slice(2);
  const wrong = await killDuringCreations(Number(rounds), Number(seed));
  console.log(`seed ${seed}: ${rounds} rounds, ${wrong.length} in which verify found something`);
  for (const story of wrong) console.log(story);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}
