/**
 * Our own bugs. A violated invariant means that the state can no longer be trusted, so the process (or the
 * partition that catches it) stops. The world's faults are `ObeliskError` (errors.ts).
 *
 * On hot paths write `if (!(next >= base)) fail("...")`, so that no text is built while all is well.
 */

export class InvariantError extends Error {
  override name = "InvariantError";
}

/** Stops the current work because of a bug in Obelisk itself. @throws InvariantError always */
export function fail(message: string): never {
  throw new InvariantError(message);
}
