/** Settings that were changed while the server runs, of one kind of resource: a row for each that has some, as JSON by the settings' names. */

import type { StateStore } from "../storage/contract.ts";
import type { TopicConfigValues } from "./topic-configs.ts";

const NONE: TopicConfigValues = {};

export class ConfigRows {
  readonly #state: StateStore;
  readonly #prefix: string;
  readonly #values = new Map<string, TopicConfigValues>();
  /** Changes are made one after the other. */
  #last: Promise<void> = Promise.resolve();

  /** `prefix`: of the rows' keys. */
  constructor(state: StateStore, prefix: string) {
    this.#state = state;
    this.#prefix = prefix;
  }

  async load(): Promise<void> {
    for (const { key, value } of await this.#state.list(this.#prefix))
      this.#values.set(key.slice(this.#prefix.length), JSON.parse(value) as TopicConfigValues);
  }

  get count(): number {
    return this.#values.size;
  }

  /** Resources with settings of their own. */
  names(): string[] {
    return [...this.#values.keys()];
  }

  of(name: string): TopicConfigValues {
    return this.#values.get(name) ?? NONE;
  }

  /**
   * Gives a resource the settings that `change` makes of those that it has; it throws for those that it cannot have. Durable when this
   * resolves with true; false: nothing was to be changed. @throws what `change` and the state throw
   */
  async alter(
    name: string,
    change: (values: TopicConfigValues) => TopicConfigValues,
    isValidateOnly: boolean,
  ): Promise<boolean> {
    const turn = this.#last.then(() => this.#alter(name, change, isValidateOnly));
    this.#last = turn.then(ignore, ignore);
    return await turn;
  }

  async #alter(
    name: string,
    change: (values: TopicConfigValues) => TopicConfigValues,
    isValidateOnly: boolean,
  ): Promise<boolean> {
    const values = change(this.of(name));
    if (isValidateOnly) return false;
    const isEmpty = Object.keys(values).length === 0;
    await this.#state.change([{ key: this.#prefix + name, value: isEmpty ? null : JSON.stringify(values) }]);
    if (isEmpty) this.#values.delete(name);
    else this.#values.set(name, values);
    return true;
  }
}

function ignore(): void {}
