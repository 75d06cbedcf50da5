import { expect, test } from "bun:test";
import { editDistance, nearest } from "../../src/config/nearest.ts";

test("the distance counts letters to insert, remove or replace", () => {
  expect([editDistance("", "abc"), editDistance("kitten", "sitting"), editDistance("same", "same")]).toEqual([
    3, 3, 0,
  ]);
});

test("the nearest known word is found for a typo", () => {
  const known = ["consume", "produce", "serve"];
  expect(["consum", "prodcue", "sevre", "serv"].map((word) => nearest(word, known))).toEqual([
    "consume",
    "produce",
    "serve",
    "serve",
  ]);
});

test("a word that resembles nothing gets no suggestion", () => {
  expect(nearest("databases", ["data", "host"])).toBeUndefined();
});
