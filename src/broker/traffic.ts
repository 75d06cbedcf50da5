/**
 * What has gone into a partition and out of it since the start, as plain fields: bumped once for each batch that is stored and for each
 * read that is answered, and read by whoever exposes metrics. What partitions count is added up in `whole` too, which goes on when
 * their topic is removed.
 *
 * Bytes are record batches as they are stored. Records out are those from the offset that was requested, although the bytes begin with
 * the batch that it lies in.
 */

export class Traffic {
  recordsIn = 0;
  bytesIn = 0;
  recordsOut = 0;
  bytesOut = 0;
}

export class PartitionTraffic extends Traffic {
  readonly #whole: Traffic;

  constructor(whole: Traffic) {
    super();
    this.#whole = whole;
  }

  /** A batch was stored. */
  stored(records: number, bytes: number): void {
    const whole = this.#whole;
    this.recordsIn += records;
    this.bytesIn += bytes;
    whole.recordsIn += records;
    whole.bytesIn += bytes;
  }

  /** Whole batches go to a reader who requested them from `offset`. */
  read(offset: number, nextOffset: number, bytes: number): void {
    const whole = this.#whole;
    const records = nextOffset - offset;
    this.recordsOut += records;
    this.bytesOut += bytes;
    whole.recordsOut += records;
    whole.bytesOut += bytes;
  }
}
