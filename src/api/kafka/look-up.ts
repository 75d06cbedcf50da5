/** A look-up of one partition whose outcome comes later: a refusal is an error of that partition alone, and not of the request. */

import { toObeliskError } from "../../base/errors.ts";

/** @throws what is no error of the protocol */
export async function lookedUp<Found, Response>(
  search: Promise<Found>,
  respond: (found: Found) => Response,
  refuse: (errorCode: number) => Response,
): Promise<Response> {
  try {
    return respond(await search);
  } catch (thrown) {
    const error = toObeliskError(thrown);
    if (error.wire < 0) throw thrown;
    return refuse(error.wire);
  }
}
