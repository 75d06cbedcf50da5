/**
 * Apache Kafka's own Java client as a judge. `JavaClient.java` does what an application does and prints what it saw; what it
 * should have seen stands here.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { JAVA_CLIENT } from "../support/foreign-clients.ts";
import { SERVERS, type TestServer } from "../support/server.ts";

const PROGRAM = "test/compat/JavaClient.java";
const TIMEOUT_MS = 90_000;

for (const kind of SERVERS) {
  const reason = JAVA_CLIENT.missing ?? kind.missing;
  const title = `${JAVA_CLIENT.name}, server ${kind.name}${reason ? ` (skipped: ${reason})` : ""}`;
  describe.skipIf(reason !== undefined)(title, () => {
    let server: TestServer;
    beforeAll(async () => {
      server = await kind.start();
    });
    afterAll(() => server.stop());
    const see = (name: string) => JAVA_CLIENT.run(PROGRAM, name, server.kafka);

    test(
      "topics are created, listed, described by name and by id, and deleted",
      async () => {
        expect(await see("topics")).toEqual({
          listed: true,
          partitions: 3,
          sameId: true,
          byId: "java-topics 3",
          unknownId: "UnknownTopicIdException",
          listedAfter: false,
        });
      },
      TIMEOUT_MS,
    );

    test(
      "records of every codec come back to an assigned consumer as they were sent",
      async () => {
        expect(await see("codecs")).toEqual({ none: true, gzip: true, snappy: true, lz4: true, zstd: true });
      },
      TIMEOUT_MS,
    );

    test(
      "bounds, offsets for times and a group's commit lead to the right records",
      async () => {
        expect(await see("places")).toEqual({
          times: [0, 1, 1, -1],
          bounds: [0, 3],
          largest: 1,
          committed: "2 a note",
        });
      },
      TIMEOUT_MS,
    );
  });
}
