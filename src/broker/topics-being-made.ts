/**
 * Topics whose rows still say that they are being made: until records of one are on disk, and with them the names of its folders, a
 * folder that is missing is no loss. Then, or at a graceful shutdown, the row says so no more.
 */

import { type ErrorCode, ObeliskError } from "../base/errors.ts";
import type { Topic } from "./topic.ts";
import type { TopicRows } from "./topic-rows.ts";

export class TopicsBeingMade {
  readonly #rows: TopicRows;
  readonly #inTurn: (name: string, work: () => Promise<void>) => Promise<void>;
  /** Name to id. */
  readonly #ids = new Map<string, string>();

  /** `inTurn` does the work after whatever is under way for the name. */
  constructor(rows: TopicRows, inTurn: (name: string, work: () => Promise<void>) => Promise<void>) {
    this.#rows = rows;
    this.#inTurn = inTurn;
  }

  /** Nobody waits for what is written then. */
  recordWhenUsed(topic: Topic): void {
    const { name, id } = topic;
    this.#ids.set(name, id);
    let isRecorded = false;
    topic.whenUsed((error: ErrorCode | null) => {
      if (error !== null || isRecorded) return;
      isRecorded = true; // by the first of its partitions
      void this.#record(name, id);
    });
  }

  removed(name: string): void {
    this.#ids.delete(name);
  }

  /** A graceful shutdown: everything is synced when the directory is marked clean. */
  async recordAll(): Promise<void> {
    await Promise.all([...this.#ids].map(([name, id]) => this.#record(name, id)));
  }

  /** What the disk refuses stays as it is: the next start knows no better. */
  async #record(name: string, id: string): Promise<void> {
    await this.#inTurn(name, async () => {
      if (this.#ids.get(name) !== id) return;
      this.#ids.delete(name);
      try {
        await this.#rows.change(name, id, ({ isBeingMade: _, ...made }) => made);
      } catch (thrown) {
        if (!(thrown instanceof ObeliskError)) throw thrown;
      }
    });
  }
}
