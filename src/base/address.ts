/**
 * Where something listens, as people write it: `HOST:PORT`, with an IPv6 address in brackets (`[::1]:9092`).
 * A host is a name or an address; whether it exists is not checked.
 */

export interface Address {
  readonly host: string;
  readonly port: number;
}

const ADDRESS_PATTERN = /^(?:\[([0-9a-f:.%]+)\]|([^\s:[\]/@]+))(?::(\d{1,5}))?$/i;
const PORT_MAX = 65_535;

/** Parses an address; without a port it has `portDefault`, or is none when that is null. Undefined when the text is no address. */
export function parseAddress(text: string, portDefault: number | null): Address | undefined {
  const match = ADDRESS_PATTERN.exec(text.trim());
  if (match === null) return undefined;
  const port = match[3] === undefined ? portDefault : Number(match[3]);
  if (port === null || port < 1 || port > PORT_MAX) return undefined;
  return { host: match[1] ?? match[2]!, port };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
