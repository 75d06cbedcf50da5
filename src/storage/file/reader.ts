/**
 * Finds whole batches of one partition, and vouches for them.
 *
 *     offset -> place (locator.ts, or where the last read ended) -> pieces (read-pieces.ts) -> check (batch-check.ts) -> span
 *
 *   - No batch stays in memory: they are checked piece by piece, and read again as they are sent (file-records.ts). What still lies in the
 *     shared buffer is sent from there, in the same turn.
 *   - Where one read ends the next begins: `READ_PLACES` such places are kept, so that a sequential reader needs no search.
 *   - A place that does not hold the batch that must come next is handed to the locator's `repair`, and the read goes on after the damage.
 *     Damaged bytes are never served.
 *   - Where the log's last batches are lost, a batch without records stands for their offsets, so that consumers go on after them.
 *   - A read error is no damage: the read throws the system's error, and nothing is remembered of it. An error further on than the
 *     first batch only makes the response shorter.
 *   - What the page cache has is read in place, whatever its size, because the way to the thread pool costs more; what must come
 *     from the disk leaves the event loop free, and so does a check for which this turn has no
 *     room (turn-bytes.ts).
 */

import { readWhole } from "../../base/byte-source.ts";
import { errnoOf } from "../../base/errors.ts";
import { turnBytes } from "../../base/loop/turn-bytes.ts";
import { batchLastOffset } from "../../protocol/record/batch.ts";
import { gapBatch } from "../../protocol/record/gap-batch.ts";
import type { RecordSpan } from "../contract.ts";
import { HeldRecords, noRecords } from "../held-records.ts";
import { BatchCheck, type ReadRequest } from "./batch-check.ts";
import { FileRecords, type Refuse } from "./file-records.ts";
import type { LogLocator, Place } from "./locator.ts";
import { RepairedLater } from "./range-repair.ts";
import type { Store } from "./store.ts";

/** As many sequential readers as one partition usually has. */
const READ_PLACES = 8;

export class LogReader {
  readonly #store: Store;
  readonly #locator: LogLocator;
  readonly #refuse: Refuse;
  readonly #places: Place[] = [];
  #placeNext = 0;

  /** `refuse` turns a system error of the second read into an error of ours. */
  constructor(store: Store, locator: LogLocator, refuse: Refuse) {
    this.#store = store;
    this.#locator = locator;
    this.#refuse = refuse;
  }

  /** As `PartitionLog.span`; the range was checked. @throws system errors */
  span(
    offset: number,
    limitOffset: number,
    bytesMax: number,
    atLeastOne: boolean,
  ): RecordSpan | Promise<RecordSpan> {
    const request = { offset, limitOffset, bytesMax, atLeastOne };
    const place = this.#takePlace(offset) ?? this.#locator.locate(offset);
    return place instanceof Promise ? this.#spanWhenLocated(place, request) : this.#spanAt(place, request);
  }

  /** The bytes of such a span. */
  async read(offset: number, limitOffset: number, bytesMax: number, atLeastOne: boolean): Promise<Buffer> {
    return await readWhole(await this.span(offset, limitOffset, bytesMax, atLeastOne));
  }

  /** Drops remembered places: segments were cut or removed. */
  reset(): void {
    this.#places.length = 0;
    this.#placeNext = 0;
    this.#store.pieces.invalidate();
  }

  #spanAt(place: Place, request: ReadRequest): RecordSpan | Promise<RecordSpan> {
    while (this.#locator.advance(place)) {
      const check = new BatchCheck(place, request);
      if (!this.#checkNow(check)) return this.#spanLater(check, place, request);
      if (!check.isFault) return this.#spanOf(check, request);
      const later = this.#repairFor(place, request);
      if (later !== null) return later;
    }
    const gap = gapBatch(request.offset, request.limitOffset);
    return new HeldRecords([gap], request.offset, batchLastOffset(gap, 0) + 1);
  }

  /** The index had to be built first. */
  async #spanWhenLocated(located: Promise<Place>, request: ReadRequest): Promise<RecordSpan> {
    const place = await located;
    return place.segment.isRemoved ? noRecords(request.offset) : this.#spanAt(place, request);
  }

  async #spanLater(check: BatchCheck, place: Place, request: ReadRequest): Promise<RecordSpan> {
    while (!check.isDone) {
      const { position } = check;
      const isDone = await turnBytes.run(
        check.workBytes,
        () => check.segment.isRemoved || this.#checkNow(check),
      );
      if (!isDone && check.position === position) await this.#checkLater(check);
      if (check.segment.isRemoved) return noRecords(request.offset);
    }
    if (!check.isFault) return this.#spanOf(check, request);
    return this.#repairFor(place, request) ?? this.#spanAt(place, request);
  }

  /** Checks what the page cache has, as far as this turn has room; true when the check is done. */
  #checkNow(check: BatchCheck): boolean {
    const { pieces } = this.#store;
    while (!check.isDone && turnBytes.hasRoom(check.workBytes)) {
      const { position } = check;
      try {
        const piece = pieces.now(check.segment, position, check.wantedBytes, check.neededBytes);
        if (piece === null) return false;
        turnBytes.spend(piece.length);
        check.take(piece);
      } catch (thrown) {
        stopBefore(check, thrown);
      }
      if (check.position === position && !check.isDone) return false;
    }
    return check.isDone;
  }

  /** Checks one piece that comes from the disk. */
  async #checkLater(check: BatchCheck): Promise<void> {
    const { position } = check;
    try {
      await this.#store.pieces.later(check.segment, position, check.wantedBytes, check.neededBytes, (piece) =>
        check.take(piece),
      );
    } catch (thrown) {
      stopBefore(check, thrown);
    }
    if (check.position === position && !check.isDone) check.stop();
  }

  /**
   * Repairs, and walks on to the requested batch: a damaged header may have ended the walk too early. Null when that is done; the
   * whole response when it takes long.
   */
  #repairFor(place: Place, request: ReadRequest): Promise<RecordSpan> | null {
    try {
      this.#locator.repair(place);
      if (place.offset < request.offset) this.#locator.walkTo(place, request.offset);
      return null;
    } catch (thrown) {
      if (!(thrown instanceof RepairedLater)) throw thrown;
      return this.#spanWhenRepaired(thrown, request);
    }
  }

  async #spanWhenRepaired(
    { segment, whenRepaired }: RepairedLater,
    request: ReadRequest,
  ): Promise<RecordSpan> {
    const { offset, limitOffset, bytesMax, atLeastOne } = request;
    await whenRepaired;
    return segment.isRemoved ? noRecords(offset) : await this.span(offset, limitOffset, bytesMax, atLeastOne);
  }

  /** Remembers where the response ends, and returns it. */
  #spanOf(check: BatchCheck, request: ReadRequest): RecordSpan {
    const { segment, start, end, nextOffset } = check;
    if (end === start) return noRecords(request.offset);
    check.recordVerified();
    this.#keepPlace({ segment, position: end, offset: nextOffset });
    return new FileRecords(this.#store.pieces, check, this.#refuse);
  }

  #takePlace(offset: number): Place | undefined {
    for (const place of this.#places) {
      if (place.offset === offset && !place.segment.isRemoved) {
        return { segment: place.segment, position: place.position, offset: place.offset };
      }
    }
    return undefined;
  }

  #keepPlace(place: Place): void {
    for (let slot = 0; slot < this.#places.length; slot += 1) {
      if (this.#places[slot]!.offset === place.offset) return;
    }
    this.#places[this.#placeNext] = place;
    this.#placeNext = (this.#placeNext + 1) % READ_PLACES;
  }
}

/** A read error further on than the first header ends the response before it. @throws system errors */
function stopBefore(check: BatchCheck, thrown: unknown): void {
  if (check.position === check.start || errnoOf(thrown) === undefined) throw thrown;
  check.stop();
}
