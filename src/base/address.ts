/**
 * Hosts and addresses as people write them, read by one rule wherever they are given: `--host`, `--advertise`, `--brokers`.
 *
 *     HOST        a name (`broker.example`), an IPv4 address of four numbers, or an IPv6 address, with a zone where it needs one
 *                 (`fe80::1%eth0`); brackets around it do no harm
 *     HOST:PORT   the same, an IPv6 address always in brackets: `[::1]:9092`. Ports are 1 to 65535
 *     all         `*`, `0`, `0.0.0.0`, `::` and its other spellings stand for all addresses of the machine
 *
 * These functions return an address in one spelling (`::0` is `::`, `::ffff:10.0.0.1` is `10.0.0.1`). Short forms of IPv4
 * (`127.1`, `0x7f.1`, `010.0.0.1`) mean different things to different programs and are refused; whether a name exists is not
 * checked.
 */

import { isIPv6 } from "node:net";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Listens on IPv4 and IPv6 loopback. */
export const LOOPBACK_NAME = "localhost";

const WILDCARD_IPV4 = "0.0.0.0";
const WILDCARD_IPV6 = "::";
const ADDRESS_PATTERN = /^(\[[^[\]]*\]|[^\s:[\]/]+)(?::(\d{1,5}))?$/;
const NAME_PATTERN =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;
const IPV4_PATTERN = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
/** A last label that other programs read as a number, and so the whole as an IPv4 address. */
const NUMBER_AT_END_PATTERN = /(^|\.)(\d+|0x[0-9a-f]*)\.?$/i;
const ZONE_PATTERN = /^[\w.-]{1,64}$/;
const PORT_MAX = 65_535;

/** Parses a host and returns it in its one spelling. Undefined when the text is none. */
export function parseHost(text: string): string | undefined {
  const given = text.trim();
  if (given === "*") return WILDCARD_IPV6;
  if (given === "0") return WILDCARD_IPV4;
  const isBracketed = given.startsWith("[") && given.endsWith("]");
  const host = isBracketed ? given.slice(1, -1) : given;
  if (isBracketed || host.includes(":")) return parseIPv6(host);
  if (NUMBER_AT_END_PATTERN.test(host)) return parseIPv4(host);
  if (!NAME_PATTERN.test(host)) return undefined;
  return host.toLowerCase() === LOOPBACK_NAME ? LOOPBACK_NAME : host;
}

/** Parses an address; without a port it has `portDefault`, or is none when that is null. Undefined when the text is no address. */
export function parseAddress(text: string, portDefault: number | null): Address | undefined {
  const match = ADDRESS_PATTERN.exec(text.trim());
  if (match === null) return undefined;
  const host = parseHost(match[1]!);
  const port = match[2] === undefined ? portDefault : Number(match[2]);
  if (host === undefined || port === null || port < 1 || port > PORT_MAX) return undefined;
  return { host, port };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether a host (as `parseHost` gives it) stands for all addresses of the machine. */
export function isWildcard(host: string): boolean {
  return host === WILDCARD_IPV4 || host === WILDCARD_IPV6;
}

/** Whether only this machine reaches a host (as `parseHost` gives it). */
export function isLoopback(host: string): boolean {
  return host === LOOPBACK_NAME || host === "::1" || (IPV4_PATTERN.test(host) && host.startsWith("127."));
}

function parseIPv4(host: string): string | undefined {
  const match = IPV4_PATTERN.exec(host);
  return match?.slice(1).every((part) => Number(part) <= 255) === true ? host : undefined;
}

function parseIPv6(host: string): string | undefined {
  const percent = host.indexOf("%");
  const address = percent === -1 ? host : host.slice(0, percent);
  if (!isIPv6(address)) return undefined;
  const spelled = new URL(`http://[${withoutDots(address)}]`).hostname.slice(1, -1);
  if (percent === -1) return unmapped(spelled);
  const zone = host.slice(percent + 1);
  return ZONE_PATTERN.test(zone) ? `${spelled}%${zone}` : undefined;
}

/** The last four bytes as two groups: not every spelling with dots is known to `URL`. */
function withoutDots(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
    const [first, second, third, fourth] = bytes.slice(0, 4).map(Number) as [number, number, number, number];
    return `${((first << 8) | second).toString(16)}:${((third << 8) | fourth).toString(16)}`;
  });
}

/** An IPv4 address that is written as an IPv6 one, `::ffff:a00:1`, as it is. */
function unmapped(spelled: string): string {
  const match = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(spelled);
  if (match === null) return spelled;
  const [high, low] = [Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** A socket's address as it is, an IPv4 one also where an IPv6 socket took the connection. */
export function socketHost(host: string): string {
  return host.startsWith("::ffff:") ? host.slice("::ffff:".length) : host;
}
