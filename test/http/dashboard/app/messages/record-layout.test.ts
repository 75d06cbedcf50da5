import { expect, test } from "bun:test";
import { RecordLayout } from "../../../../../src/http/dashboard/app/messages/record-layout.ts";

test("lines follow one another, with what is open between them", () => {
  const layout = new RecordLayout(5, 10, [
    { index: 1, height: 100 },
    { index: 3, height: 7 },
  ]);
  expect([0, 1, 2, 3, 4].map((index) => layout.topOf(index))).toEqual([0, 10, 120, 130, 147]);
  expect(layout.height).toBe(157);
});

test("every pixel belongs to the message whose line or content is there", () => {
  const count = 40;
  const opened = [0, 7, 8, 39].map((index) => ({ index, height: 5 + index }));
  const layout = new RecordLayout(count, 3, opened);
  for (let y = 0; y < layout.height; y += 1) {
    const index = layout.indexAt(y);
    const end = index + 1 === count ? layout.height : layout.topOf(index + 1);
    expect([y, layout.topOf(index) <= y, y < end]).toEqual([y, true, true]);
  }
  expect([layout.indexAt(-100), layout.indexAt(1e9), new RecordLayout(0, 3, []).indexAt(5)]).toEqual([
    0, 39, 0,
  ]);
});
