/**
 * Bytes on their way to somebody who may take them slowly: not held, but read again whenever some of them are needed.
 *
 *     length                 peek                         skip(n)
 *     [==================]   [=====]..............        [  ][===]..............
 *                            lent: look at them now        n of them were taken
 *
 * What `peek` lends is valid until something else is read or anybody else runs: whoever does not take it calls it again later, and
 * gets the same bytes. So a thousand peers that do not read hold nothing.
 */

export interface ByteSource {
  /** Bytes that nobody has taken yet. */
  readonly length: number;
  /**
   * Some of the bytes at the front, one at least. Null: they must come from the disk; `ready` is called when they are there, and only
   * within that call they certainly are.
   * @throws ObeliskError when they cannot be had any more
   */
  peek(ready: () => void): Buffer | null;
  /** The first `bytes` bytes of what `peek` gave, in the same turn, were taken. */
  skip(bytes: number): void;
}

/** All that is left of a source, in a buffer of its own. */
export function readWhole(source: ByteSource): Promise<Buffer> {
  const target = Buffer.allocUnsafeSlow(source.length);
  let filled = 0;
  return new Promise((resolve, reject) => {
    const goOn = (): void => {
      try {
        while (filled < target.length) {
          const piece = source.peek(goOn);
          if (piece === null) return;
          piece.copy(target, filled);
          filled += piece.length;
          source.skip(piece.length);
        }
        resolve(target);
      } catch (thrown) {
        reject(thrown);
      }
    };
    goOn();
  });
}
