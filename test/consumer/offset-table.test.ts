/** The packed table of committed offsets, against a plain map. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { type CommittedOffset, OffsetTable } from "../../src/consumer/offset-table.ts";

function committed(offset: number, metadata = ""): CommittedOffset {
  return { offset, leaderEpoch: offset % 7, metadata, committedAtMs: 1_700_000_000_000 + offset };
}

/** Everything in the table, found through its groups, as texts. */
function contentOf(table: OffsetTable): string[] {
  return [...table.groups()]
    .flatMap((group) =>
      table.rowsOf(group).map((row) => {
        const place = [table.groupOf(row), table.topicOf(row), table.partitionOf(row)];
        return `${place.join("/")} ${JSON.stringify(table.committedAt(row))} ${table.serialOf(row)}`;
      }),
    )
    .sort();
}

test("random commits and removals leave what a map has", () => {
  const place = fc.record({
    group: fc.constantFrom("a", "b", "", "é"),
    topic: fc.constantFrom("a", "t", "u"),
    partition: fc.constantFrom(0, 1, 2, 2_147_483_647),
  });
  const step = fc.oneof(
    fc.record({ kind: fc.constant("commit" as const), place, note: fc.constantFrom("", "n", "néé") }),
    fc.record({ kind: fc.constant("group" as const), place }),
    fc.record({ kind: fc.constant("topic" as const), place }),
    fc.record({ kind: fc.constant("row" as const), place }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = new OffsetTable();
      const model = new Map<
        string,
        { place: { group: string; topic: string; partition: number }; text: string; note: string }
      >();
      steps.forEach((each, index) => {
        const { group, topic, partition } = each.place;
        const key = `${group}/${topic}/${partition}`;
        if (each.kind === "commit") {
          const known = table.find(group, topic, partition);
          const row = known === -1 ? table.add(group, topic, partition) : known;
          table.set(row, committed(index, each.note), index);
          const text = `${key} ${JSON.stringify(committed(index, each.note))} ${index}`;
          model.set(key, { place: each.place, text, note: each.note });
        } else if (each.kind === "row") {
          const row = table.find(group, topic, partition);
          expect(row !== -1).toBe(model.delete(key));
          if (row !== -1) table.remove(row);
        } else {
          const isGroup = each.kind === "group";
          for (const row of isGroup ? table.rowsOf(group) : table.rowsOfTopic(topic, 0, 1000, 1000).rows)
            table.remove(row);
          for (const [name, entry] of model) {
            if (isGroup ? entry.place.group === group : entry.place.topic === topic) model.delete(name);
          }
        }
      });
      const left = [...model.values()];
      expect(contentOf(table)).toEqual(left.map(({ text }) => text).sort());
      expect(table.count).toBe(left.length);
      const names = [
        new Set(left.map((each) => each.place.group)),
        new Set(left.map((each) => each.place.topic)),
      ];
      const texts = [...names.flatMap((set) => [...set]), ...left.map(({ note }) => note)];
      expect(table.textBytes).toBe(texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0));
    }),
  );
});

test("it grows, and rows that were removed are taken again", () => {
  const table = new OffsetTable();
  const fill = (groups: number, topics: number, partitions: number) => {
    for (let group = 0; group < groups; group += 1) {
      for (let topic = 0; topic < topics; topic += 1) {
        for (let partition = 0; partition < partitions; partition += 1) {
          const row = table.add(`group-${group}`, `topic-${topic}`, partition);
          table.set(row, committed(group * 1_000_000 + topic * 1000 + partition), 1);
        }
      }
    }
  };
  fill(20, 10, 30);
  for (let group = 0; group < 20; group += 1) {
    const row = table.find(`group-${group}`, "topic-7", 29);
    expect(table.committedAt(row)).toEqual(committed(group * 1_000_000 + 7029));
  }
  const highest = Math.max(...[...table.groups()].flatMap((group) => table.rowsOf(group)));
  for (let topic = 0; topic < 10; topic += 1) {
    for (const row of table.rowsOfTopic(`topic-${topic}`, 0, 1e9, 1e9).rows) table.remove(row);
  }
  expect([table.count, table.textBytes, [...table.groups()]]).toEqual([0, 0, []]);
  fill(20, 10, 30);
  expect(Math.max(...[...table.groups()].flatMap((group) => table.rowsOf(group)))).toBe(highest);
  expect([table.count, table.find("group-3", "topic-3", 30), table.find("group-3", "other", 3)]).toEqual([
    6000, -1, -1,
  ]);
});
