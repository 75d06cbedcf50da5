import { expect, test } from "bun:test";
import { listenError } from "../../src/base/listen-error.ts";

function messageOf(code: string | undefined, hostname: string): string {
  return listenError(Object.assign(new Error("failed"), { code }), hostname, 9092).message;
}

test("why a listener cannot be opened, with the address as people write it and what to do", () => {
  expect([
    messageOf("EADDRINUSE", "::1"),
    messageOf("EACCES", "localhost"),
    messageOf("EINVAL", "fe80::1"),
    messageOf("EAFNOSUPPORT", "::"),
    messageOf(undefined, "no.such.name"),
  ]).toEqual([
    "the port is in use (address [::1]:9092); stop the other program, or choose another port (0 takes a free one)",
    "no permission to listen on this port (address localhost:9092); choose a port of 1024 or above",
    "this machine cannot listen on that address (address [fe80::1]:9092); an address that begins with fe80 needs its zone, as in fe80::1%eth0",
    "this machine cannot listen on that address (address [::]:9092); without IPv6 all addresses are 0.0.0.0",
    "this machine cannot listen on that address (address no.such.name:9092); give one of its own addresses, or a name that stands for one",
  ]);
});
