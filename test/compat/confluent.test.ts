/**
 * confluent-kafka for Python as a judge: the librdkafka of today and the one of two years before, which Debian's kcat may lie
 * between. `confluent.py` does what an application does and prints what it saw; what it should have seen stands here.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CONFLUENT_CLIENTS } from "../support/foreign-clients.ts";
import { SERVERS, type TestServer } from "../support/server.ts";

const SCRIPT = "test/compat/confluent.py";
const TIMEOUT_MS = 60_000;

for (const kind of SERVERS) {
  for (const client of CONFLUENT_CLIENTS) {
    const reason = client.missing ?? kind.missing;
    const title = `${client.name}, server ${kind.name}`;
    describe.skipIf(reason !== undefined)(`${title}${reason ? ` (skipped: ${reason})` : ""}`, () => {
      let server: TestServer;
      beforeAll(async () => {
        server = await kind.start();
      });
      afterAll(() => server.stop());
      const see = (name: string) => client.run(SCRIPT, name, server.kafka);

      test(
        "topics are created, listed, described and deleted",
        async () => {
          expect(await see("topics")).toEqual({
            created: { "confluent-topics": null },
            listed: [0, 1, 2],
            brokers: 1,
            one: ["confluent-topics"],
            described: [
              [0, 1],
              [1, 1],
              [2, 1],
            ],
            after: false,
          });
        },
        TIMEOUT_MS,
      );

      test(
        "records of every codec come back to an assigned consumer as they were sent",
        async () => {
          const whole = { offsets: true, same: true };
          expect(await see("codecs")).toEqual({
            none: whole,
            gzip: whole,
            snappy: whole,
            lz4: whole,
            zstd: whole,
          });
        },
        TIMEOUT_MS,
      );

      test(
        "bounds, offsets for times and a group's commit lead to the right records",
        async () => {
          expect(await see("places")).toEqual({
            times: [0, 1, 2, -1],
            first: "1",
            committed: 2,
            bounds: [0, 3],
          });
        },
        TIMEOUT_MS,
      );

      test(
        "an idempotent producer's records are there once, in order",
        async () => {
          expect(await see("idempotent")).toEqual({ offsets: true, bounds: [0, 1000] });
        },
        TIMEOUT_MS,
      );
    });
  }
}
