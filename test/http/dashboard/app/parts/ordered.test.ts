import { expect, test } from "bun:test";
import { ordered } from "../../../../../src/http/dashboard/app/parts/ordered.ts";

const rows = [
  { name: "t-10", lag: 3 },
  { name: "t-2", lag: null },
  { name: "T-1", lag: 0 },
  { name: "t-3", lag: 40 },
];
const values = { name: (row: (typeof rows)[0]) => row.name, lag: (row: (typeof rows)[0]) => row.lag };
const names = (by: string, isDescending: boolean) =>
  ordered(rows, { by, isDescending }, values).map(({ name }) => name);

test("numbers within names count by their value", () => {
  expect(names("name", false)).toEqual(["T-1", "t-2", "t-3", "t-10"]);
  expect(names("name", true)).toEqual(["t-10", "t-3", "t-2", "T-1"]);
});

test("what is not known comes last either way, after a zero too", () => {
  expect(names("lag", true)).toEqual(["t-3", "t-10", "T-1", "t-2"]);
  expect(names("lag", false)).toEqual(["T-1", "t-10", "t-3", "t-2"]);
});
