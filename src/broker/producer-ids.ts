/**
 * Assigns producer ids, each once. How far they are assigned stands in the state store, "producer-id" -> {next}; they are
 * taken from there in blocks, so that not every new producer costs a sync. A crash skips the rest of a block.
 *
 *     ids    [ block ][ block ][ block ]
 *     next                     ^ stored before the first of the block below it is assigned
 *
 * The row can be lost, or be an older one: a start makes a new state file for one that is gone, and people put copies back. An id
 * that was assigned again would be a lie to its new owner: its first batches, sequences 0 and up, would be taken for those of the
 * old one, acknowledged and not stored. So a block begins above every id that a partition remembers as well, and at a whole
 * number of blocks: those of the last block that never stored anything are not assigned again either. What no partition has seen
 * in a later block is not known.
 */

import { ObeliskError } from "../base/errors.ts";
import type { StateStore } from "../storage/contract.ts";

const BLOCK_IDS = 1000;
const KEY = "producer-id";

export class ProducerIds {
  readonly #state: StateStore;
  readonly #largestSeen: () => number;
  #next = 0;
  #end = 0;
  #allocation: Promise<void> | null = null;

  /** `largestSeen`: the largest producer id that any partition remembers, -1 when there is none. */
  constructor(state: StateStore, largestSeen: () => number) {
    this.#state = state;
    this.#largestSeen = largestSeen;
  }

  /** An id that was never assigned before. @throws ObeliskError DISK_FULL, STATE_UNUSABLE, KAFKA_STORAGE_ERROR */
  async allocate(): Promise<number> {
    while (this.#next >= this.#end) {
      this.#allocation ??= this.#allocateBlock().finally(() => {
        this.#allocation = null;
      });
      await this.#allocation;
    }
    const producerId = this.#next;
    this.#next += 1;
    return producerId;
  }

  async #allocateBlock(): Promise<void> {
    const entry = await this.#state.get(KEY);
    const stored = entry === null ? 0 : (JSON.parse(entry.value) as { next: number }).next;
    const next = Math.max(stored, firstBlockAbove(this.#largestSeen()));
    const end = next + BLOCK_IDS;
    const isTaken = await this.#state.change([
      { key: KEY, value: JSON.stringify({ next: end }), expectedVersion: entry?.version ?? 0 },
    ]);
    if (!isTaken)
      throw new ObeliskError("STATE_UNUSABLE", { detail: "another process changed the producer ids" });
    this.#next = next;
    this.#end = end;
  }
}

function firstBlockAbove(producerId: number): number {
  return Math.ceil((producerId + 1) / BLOCK_IDS) * BLOCK_IDS;
}
