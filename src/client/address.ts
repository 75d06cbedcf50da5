/**
 * Where a broker listens: `HOST:PORT`, and lists of them as users write them (`a:9092,b:9092`, `[::1]:9092`, `localhost`).
 * It refuses anything else with INVALID_USAGE and says what it would accept.
 */

import { ObeliskError } from "../base/errors.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A list longer than this is a mistake (a file instead of a list), not a cluster. */
const ADDRESSES_MAX = 64;
const PORT_MAX = 65_535;

/** Parses `HOST:PORT,HOST:PORT`; a missing port is `portDefault`. @throws ObeliskError INVALID_USAGE */
export function parseAddresses(text: string, portDefault: number): Address[] {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  if (parts.length === 0 || parts.length > ADDRESSES_MAX) throw notAnAddress(text);
  return parts.map((part) => parseAddress(part, portDefault));
}

/** Parses one `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`. @throws ObeliskError INVALID_USAGE */
export function parseAddress(text: string, portDefault: number): Address {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]/@]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) throw notAnAddress(text);
  const host = match[1] ?? match[2] ?? "";
  const port = match[3] === undefined ? portDefault : Number(match[3]);
  if (port < 1 || port > PORT_MAX) throw notAnAddress(text);
  return { host, port };
}

/** `HOST:PORT`, with brackets around an IPv6 address. */
export function formatAddress(address: Address): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function notAnAddress(text: string): ObeliskError {
  return new ObeliskError("INVALID_USAGE", {
    detail: `"${text}" is not an address`,
    remedy: "write HOST:PORT, for example localhost:9092",
  });
}
