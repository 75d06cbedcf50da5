/**
 * The rows of topics in the state: "topic/NAME" -> `TopicState`, the authority on which topics there are. (The row of a removed topic goes
 * with the rest of it: topic-removals.ts.)
 */

import { fail } from "../base/assert.ts";
import { ObeliskError } from "../base/errors.ts";
import type { StateEntry, StateStore } from "../storage/contract.ts";
import { TOPIC_KEY_PREFIX, type TopicState, topicKey } from "./topic.ts";

/** Within a process a row changes in its topic's turn, so that a change is lost to somebody else at most now and then. */
const TRIES = 5;

export class TopicRows {
  readonly #state: StateStore;

  constructor(state: StateStore) {
    this.#state = state;
  }

  /** Of all topics, in the order of their names. */
  async list(): Promise<{ name: string; state: TopicState }[]> {
    const entries = await this.#state.list(TOPIC_KEY_PREFIX);
    return entries.map((entry) => ({ name: entry.key.slice(TOPIC_KEY_PREFIX.length), state: read(entry) }));
  }

  /** @throws ObeliskError TOPIC_ALREADY_EXISTS when there is a row */
  async add(name: string, state: TopicState): Promise<void> {
    const isNew = await this.#state.change([
      { key: topicKey(name), value: JSON.stringify(state), expectedVersion: 0 },
    ]);
    if (!isNew) throw new ObeliskError("TOPIC_ALREADY_EXISTS", { topic: name });
  }

  /** Whatever was there. */
  async put(name: string, state: TopicState): Promise<void> {
    await this.#state.change([{ key: topicKey(name), value: JSON.stringify(state) }]);
  }

  /**
   * What `change` makes of the row as it is; durable when this resolves. Null when there is none with this id.
   * @throws ObeliskError when the state takes nothing
   */
  async change(
    name: string,
    id: string,
    change: (state: TopicState) => TopicState,
  ): Promise<TopicState | null> {
    for (let left = TRIES; left > 0; left -= 1) {
      const entry = await this.#state.get(topicKey(name));
      const state = entry === null ? null : read(entry);
      if (entry === null || state === null || state.id !== id) return null;
      const changed = change(state);
      const { key, version } = entry;
      const row = { key, value: JSON.stringify(changed), expectedVersion: version };
      if (await this.#state.change([row])) return changed;
    }
    return fail("the row of a topic never stays as it was read");
  }
}

function read({ value }: StateEntry): TopicState {
  return JSON.parse(value) as TopicState;
}
