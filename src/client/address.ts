/** Broker addresses as a user of the client gives them: one, or a list of them (`a:9092,b:9092`, `[::1]:9092`, `localhost`). */

import { type Address, parseAddress } from "../base/address.ts";
import { ObeliskError } from "../base/errors.ts";

/** A list longer than this is an error (a file instead of a list), not a cluster. */
const ADDRESSES_MAX = 64;

/** Parses `HOST:PORT,HOST:PORT`; a missing port is `portDefault`. @throws ObeliskError INVALID_USAGE */
export function readAddresses(text: string, portDefault: number): Address[] {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  if (parts.length === 0 || parts.length > ADDRESSES_MAX) throw notAnAddress(text);
  return parts.map((part) => readAddress(part, portDefault));
}

/** Parses one `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`. @throws ObeliskError INVALID_USAGE */
export function readAddress(text: string, portDefault: number): Address {
  const address = parseAddress(text, portDefault);
  if (address === undefined) throw notAnAddress(text);
  return address;
}

function notAnAddress(text: string): ObeliskError {
  return new ObeliskError("INVALID_USAGE", {
    detail: `"${text}" is not an address`,
    remedy: "write HOST:PORT, for example localhost:9092 or [::1]:9092",
  });
}
