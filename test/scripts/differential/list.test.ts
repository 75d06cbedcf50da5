/** Every deviation that the comparison lets pass is told to the users, in the same words. */

import { expect, test } from "bun:test";
import { ALLOWED } from "../../../scripts/differential/allowed.ts";

test("each sentence of the list stands in docs/protocol.md", async () => {
  const text = await Bun.file(new URL("../../../docs/protocol.md", import.meta.url)).text();
  const words = text.replace(/\s+/g, " ");
  expect(ALLOWED.map(({ sentence }) => sentence).filter((sentence) => !words.includes(sentence))).toEqual([]);
});
