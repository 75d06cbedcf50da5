/** What clients in other languages make of single messages of a live topic: every value comes as it was stored, by every way. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ForeignClient, NODE_CLIENT, PYTHON_WEB_CLIENT } from "../support/foreign-clients.ts";
import { SERVERS, type TestServer } from "../support/server.ts";

const TIMEOUT_MS = 60_000;
/** What a stream of lines could break at, and what is no text. */
const VALUES = [
  "plain",
  "",
  "two\nlines\n\nand an empty one",
  "\r\n \r",
  "data: not a field\nid: 7\n: no comment",
  "\u2028\u2029\u0085\u000b\u000c",
  "\ufeffa mark first",
  "\0nothing\u0001",
  "Zoë \u{1f600} 漢字",
  '{"a":"\\n","b":[1.0,12345678901234567890]}',
  "x".repeat(200_000),
];
const BYTES = Buffer.from([0xff, 0x00, 0x0a, 0x0d, 0xc3]).toString("base64");

const CLIENTS: readonly (readonly [string, ForeignClient, string])[] = [
  ["Python", PYTHON_WEB_CLIENT, "test/compat/live/once.py"],
  ["Node", NODE_CLIENT, "test/compat/live/once.mjs"],
];

for (const kind of SERVERS.filter(({ name }) => name === "compiled")) {
  for (const [language, client, program] of CLIENTS) {
    const reason = kind.missing ?? client.missing;
    describe.skipIf(reason !== undefined)(`${language}${reason ? ` (skipped: ${reason})` : ""}`, () => {
      let server: TestServer;
      beforeAll(async () => {
        server = await kind.start();
        const messages = [...VALUES.map((value) => ({ value })), { value: BYTES, valueIsBase64: true }];
        const response = await fetch(`http://127.0.0.1:${server.httpPort}/topics/t/messages`, {
          method: "POST",
          body: JSON.stringify(messages),
        });
        expect(response.status).toBe(200);
      }, TIMEOUT_MS);
      afterAll(() => server.stop());
      const address = () => `127.0.0.1:${server.httpPort}`;

      for (const way of ["sse", "websocket"]) {
        test(
          `every value comes as it was stored: ${way}`,
          async () => {
            const seen = (await client.run(program, way, address(), "t", `${VALUES.length + 1}`)) as {
              value: string;
              valueIsBase64?: boolean;
            }[];
            expect(seen.map(({ value }) => value)).toEqual([...VALUES, BYTES]);
            expect(seen.at(-1)!.valueIsBase64).toBe(true);
          },
          TIMEOUT_MS,
        );
      }

      test(
        "values are stored over a WebSocket, in order, and a close has a code and a reason",
        async () => {
          await fetch(`http://127.0.0.1:${server.httpPort}/topics`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: `{"name":"written","partitions":1}`,
          });
          const values = ["a", "Zoë\n", "c"];
          expect(await client.run(program, "produce", address(), "written", ...values)).toEqual({
            answers: values.map((_, offset) => ({
              type: "produced",
              id: offset,
              partition: 0,
              offset,
              timestamp: expect.any(Number),
            })),
            closed: [1003, "UNSUPPORTED_MEDIA_TYPE: messages are text"],
          });
          const read = await fetch(`http://127.0.0.1:${server.httpPort}/topics/written/messages`);
          const { messages } = (await read.json()) as { messages: { value: string }[] };
          expect(messages.map(({ value }) => value)).toEqual(values);
        },
        TIMEOUT_MS,
      );
    });
  }

  const reason = kind.missing ?? NODE_CLIENT.missing;
  test.skipIf(reason !== undefined)(
    `an EventSource hears that its topic is deleted, and does not come back for ever${reason ? ` (skipped: ${reason})` : ""}`,
    async () => {
      const server = await kind.start();
      try {
        await fetch(`http://127.0.0.1:${server.httpPort}/topics/gone/messages`, {
          method: "POST",
          body: `{"value":1}`,
        });
        const address = `127.0.0.1:${server.httpPort}`;
        expect(await NODE_CLIENT.run("test/compat/live/once.mjs", "gone", address, "gone")).toEqual({
          problems: ["UNKNOWN_TOPIC_OR_PARTITION"],
          errors: [null, 404],
        });
      } finally {
        await server.stop();
      }
    },
    TIMEOUT_MS,
  );
}
