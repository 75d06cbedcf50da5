/** Why a port cannot be taken, for every listener in the same words. */

import { formatAddress } from "./address.ts";
import { errnoOf, ObeliskError } from "./errors.ts";

/** A failure to bind, in the words of whoever has to correct it. */
export function listenError(thrown: unknown, hostname: string, port: number): ObeliskError {
  const address = formatAddress({ host: hostname, port });
  switch (errnoOf(thrown)) {
    case "EADDRINUSE":
      return new ObeliskError(
        "PORT_IN_USE",
        {
          address,
          detail: "the port is in use",
          remedy: "stop the other program, or choose another port (0 takes a free one)",
        },
        thrown,
      );
    case "EACCES":
      return new ObeliskError(
        "INVALID_SETTING",
        { address, detail: "no permission to listen on this port", remedy: "choose a port of 1024 or above" },
        thrown,
      );
    case "EINVAL":
      return new ObeliskError(
        "INVALID_SETTING",
        {
          address,
          detail: "this machine cannot listen on that address",
          remedy: "an address that begins with fe80 needs its zone, as in fe80::1%eth0",
        },
        thrown,
      );
    default:
      return new ObeliskError(
        "INVALID_SETTING",
        {
          address,
          detail: "this machine cannot listen on that address",
          remedy:
            hostname === "::"
              ? "without IPv6 all addresses are 0.0.0.0"
              : "give one of its own addresses, or a name that stands for one",
        },
        thrown,
      );
  }
}
