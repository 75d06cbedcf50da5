/** What every state store must do. `reopen` gives the same entries through a fresh store; null with a reason in `cannotReopen`. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { StateChange, StateEntry, StateStore } from "../../../src/storage/contract.ts";

export interface StateUnderTest {
  store: StateStore;
  reopen(): Promise<StateStore>;
  dispose(): Promise<void>;
}

export interface StateFactory {
  name: string;
  create(): Promise<StateUnderTest>;
  cannotReopen: string | null;
}

export function testState(factory: StateFactory): void {
  describe(`the ${factory.name} state store`, () => {
    const withState = (work: (subject: StateUnderTest) => Promise<void>) => async () => {
      const subject = await factory.create();
      try {
        await work(subject);
      } finally {
        await subject.dispose();
      }
    };

    test(
      "gives back what was stored, with a version that counts its changes",
      withState(async ({ store }) => {
        expect(await store.get("a")).toBeNull();
        expect(await store.change([{ key: "a", value: '{"n":1}' }])).toBe(true);
        expect(await store.get("a")).toEqual({ key: "a", value: '{"n":1}', version: 1 });
        await store.change([{ key: "a", value: "2" }]);
        expect(await store.get("a")).toEqual({ key: "a", value: "2", version: 2 });
        await store.change([{ key: "a", value: null }]);
        expect(await store.get("a")).toBeNull();
        await store.change([{ key: "a", value: "again" }]);
        expect(await store.get("a")).toEqual({ key: "a", value: "again", version: 1 });
      }),
    );

    test(
      "gives pages of what begins with a prefix, in the order of keys, each behind the last",
      withState(async ({ store }) => {
        const keys = ["a", "b/1", "b/10", "b/2", "b/é", "b0", "c"];
        for (const key of keys) await store.change([{ key, value: key }]);
        const pages: string[][] = [];
        for (let after = "", page: StateEntry[]; ; after = page.at(-1)!.key) {
          page = await store.page("b/", after, 3);
          pages.push(page.map(({ key }) => key));
          if (page.length === 0) break;
        }
        expect(pages).toEqual([["b/1", "b/10", "b/2"], ["b/é"], []]);
        expect(await store.page("", "c", 10)).toEqual([]);
        expect(await store.page("d", "", 10)).toEqual([]);
        expect((await store.page("", "", 2)).map(({ key }) => key)).toEqual(["a", "b/1"]);
      }),
    );

    test(
      "changes nothing when one expected version does not hold",
      withState(async ({ store }) => {
        await store.change([{ key: "a", value: "1" }]);
        const both: StateChange[] = [
          { key: "b", value: "new" },
          { key: "a", value: "2", expectedVersion: 7 },
        ];
        expect(await store.change(both)).toBe(false);
        expect(await store.list("")).toEqual([{ key: "a", value: "1", version: 1 }]);
        expect(await store.change([{ key: "a", value: "2", expectedVersion: 0 }])).toBe(false);
        expect(await store.change([{ key: "b", value: "2", expectedVersion: 0 }])).toBe(true);
        expect(await store.change([{ key: "a", value: null, expectedVersion: 1 }])).toBe(true);
        expect(await store.list("")).toEqual([{ key: "b", value: "2", version: 1 }]);
      }),
    );

    test(
      "lists what starts with a prefix, in the order of the keys' bytes",
      withState(async ({ store }) => {
        const keys = [
          "topic/b",
          "topic/a",
          "topic/",
          "topic",
          "topid",
          "topic/é",
          "topic/z",
          "topic/%",
          "topic/_",
          "other",
        ];
        await store.change(keys.map((key) => ({ key, value: key })));
        const listed = (await store.list("topic/")).map((entry) => entry.key);
        expect(listed).toEqual(["topic/", "topic/%", "topic/_", "topic/a", "topic/b", "topic/z", "topic/é"]);
        expect(await store.list("none")).toEqual([]);
      }),
    );

    test(
      "lets one of many win who expect the same version at once",
      withState(async ({ store }) => {
        const verdicts = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            store.change([{ key: "id", value: String(index), expectedVersion: 0 }]),
          ),
        );
        expect(verdicts.filter((isApplied) => isApplied).length).toBe(1);
        expect((await store.get("id"))!.value).toBe(String(verdicts.indexOf(true)));
      }),
    );

    test(
      "keeps values of any text whole",
      withState(async ({ store }) => {
        const value = JSON.stringify({ text: `'";--\u{1f600}\n${"x".repeat(100_000)}` });
        await store.change([{ key: "k'ey", value }]);
        expect((await store.get("k'ey"))!.value).toBe(value);
      }),
    );

    test("does as a map with versions does", async () => {
      const key = fc.constantFrom("a", "b", "a/b", "c");
      const change = fc.record(
        { key, value: fc.option(fc.string({ maxLength: 5 })), expectedVersion: fc.nat(3) },
        { requiredKeys: ["key", "value"] },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(change, { maxLength: 3 }), { maxLength: 12 }), async (calls) => {
          const subject = await factory.create();
          try {
            let model = new Map<string, StateEntry>();
            for (const changes of calls) {
              const next = apply(model, changes);
              expect(await subject.store.change(changes)).toBe(next !== null);
              model = next ?? model;
            }
            const expected = [...model.values()].sort((left, right) => (left.key < right.key ? -1 : 1));
            expect(await subject.store.list("")).toEqual(expected);
          } finally {
            await subject.dispose();
          }
        }),
        { numRuns: 25 },
      );
    });

    const name = "gives everything back when it is opened again";
    if (factory.cannotReopen !== null) test.skip(`${name} (${factory.cannotReopen})`, () => {});
    else
      test(
        name,
        withState(async ({ store, reopen }) => {
          await store.change([{ key: "a", value: "1" }]);
          await store.change([{ key: "a", value: "2" }]);
          const again = await reopen();
          expect(await again.get("a")).toEqual({ key: "a", value: "2", version: 2 });
        }),
      );
  });
}

/** The entries after a call, or null when an expected version does not hold. Changes of one call see each other. */
function apply(
  model: ReadonlyMap<string, StateEntry>,
  changes: readonly StateChange[],
): Map<string, StateEntry> | null {
  const next = new Map(model);
  for (const { key, value, expectedVersion } of changes) {
    const version = next.get(key)?.version ?? 0;
    if (expectedVersion !== undefined && expectedVersion !== version) return null;
    if (value === null) next.delete(key);
    else next.set(key, { key, value, version: version + 1 });
  }
  return next;
}
