/** What every state store must do, but for what it cannot, with the reason. `reopen` gives the same entries through a fresh store. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { StateChange, StateEntry, StateStore } from "../../../src/storage/contract.ts";
import { testWatching } from "./state-watch-suite.ts";

export interface StateUnderTest {
  store: StateStore;
  reopen(): Promise<StateStore>;
  dispose(): Promise<void>;
}

export interface StateFactory {
  name: string;
  create(): Promise<StateUnderTest>;
  cannotReopen: string | null;
  /** Why those who watch are told to list again, and not of each change. */
  cannotTellEach: string | null;
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
      "gives back what was stored, with a version that ascends with each change",
      withState(async ({ store }) => {
        expect(await store.get("a")).toBeNull();
        expect(await store.change([{ key: "a", value: '{"n":1}' }])).toBe(true);
        const first = (await store.get("a"))!;
        expect(first).toMatchObject({ key: "a", value: '{"n":1}' });
        await store.change([{ key: "a", value: "2" }]);
        const second = (await store.get("a"))!;
        expect(second).toMatchObject({ key: "a", value: "2" });
        expect(second.version).toBeGreaterThan(first.version);
        expect(first.version).toBeGreaterThan(0);
        await store.change([{ key: "a", value: null }]);
        expect(await store.get("a")).toBeNull();
      }),
    );

    test(
      "tells an entry that was removed and created again from what it was",
      withState(async ({ store }) => {
        await store.change([{ key: "a", value: "1" }]);
        const before = (await store.get("a"))!.version;
        await store.change([{ key: "a", value: null }]);
        await store.change([{ key: "a", value: "1" }]);
        expect((await store.get("a"))!.version).toBeGreaterThan(before);
        expect(await store.change([{ key: "a", value: "lost", expectedVersion: before }])).toBe(false);
        const again: StateChange[] = [
          { key: "a", value: null },
          { key: "a", value: "in one call" },
        ];
        const between = (await store.get("a"))!.version;
        await store.change(again);
        expect((await store.get("a"))!.version).toBeGreaterThan(between);
        expect((await store.list("")).map(({ key, value }) => [key, value])).toEqual([["a", "in one call"]]);
        expect((await store.page("", "", 9)).map(({ key }) => key)).toEqual(["a"]);
      }),
    );

    test(
      "gives pages of what begins with a prefix, in the order of keys, each after the last",
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
      "changes nothing on a version mismatch in one change",
      withState(async ({ store }) => {
        await store.change([{ key: "a", value: "1" }]);
        const both: StateChange[] = [
          { key: "b", value: "new" },
          { key: "a", value: "2", expectedVersion: 7 },
        ];
        expect(await store.change(both)).toBe(false);
        const [entry] = await store.list("");
        expect(await store.list("")).toEqual([{ key: "a", value: "1", version: entry!.version }]);
        expect(await store.change([{ key: "a", value: "2", expectedVersion: 0 }])).toBe(false);
        expect(await store.change([{ key: "b", value: "2", expectedVersion: 0 }])).toBe(true);
        expect(await store.change([{ key: "a", value: null, expectedVersion: entry!.version }])).toBe(true);
        expect(await store.list("")).toMatchObject([{ key: "b", value: "2" }]);
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
        { key, value: fc.option(fc.string({ maxLength: 5 })), expectedVersion: fc.nat(6) },
        { requiredKeys: ["key", "value"] },
      );
      const call = fc.array(change, { maxLength: 3 }).map(withoutForesight);
      await fc.assert(
        fc.asyncProperty(fc.array(call, { maxLength: 12 }), async (calls) => {
          const subject = await factory.create();
          try {
            const model = new StateModel();
            for (const changes of calls) {
              const versions = new Map((await subject.store.list("")).map((entry) => [entry.key, entry]));
              expect(await subject.store.change(changes)).toBe(model.change(changes, versions));
              expect((await subject.store.list("")).map(({ key, value }) => [key, value])).toEqual(
                model.list(),
              );
              model.checkVersions(await subject.store.list(""));
            }
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
          const entry = await store.get("a");
          const again = await reopen();
          expect(await again.get("a")).toEqual(entry);
        }),
      );

    const ascends = "assigns no duplicate version, also when it was opened again after a removal";
    if (factory.cannotReopen !== null) test.skip(`${ascends} (${factory.cannotReopen})`, () => {});
    else
      test(
        ascends,
        withState(async ({ store, reopen }) => {
          await store.change([{ key: "b", value: "stays" }]);
          await store.change([{ key: "a", value: "1" }]);
          const before = (await store.get("a"))!.version;
          await store.change([{ key: "a", value: null }]);
          const again = await reopen();
          await again.change([{ key: "a", value: "1" }]);
          expect((await again.get("a"))!.version).toBeGreaterThan(before);
          expect((await again.list("")).map(({ key }) => key)).toEqual(["a", "b"]);
        }),
      );

    testWatching(factory);
  });
}

/** Nobody can expect a version that the same call gives. */
function withoutForesight(changes: readonly StateChange[]): StateChange[] {
  return changes.map(({ key, value, expectedVersion }, index) => {
    const isChanged = changes.slice(0, index).some((before) => before.key === key);
    return expectedVersion === undefined || (isChanged && expectedVersion > 0)
      ? { key, value }
      : { key, value, expectedVersion };
  });
}

/** What a store must hold. Its versions are its own: they must only ascend. */
class StateModel {
  #values = new Map<string, string>();
  readonly #seen = new Map<string, Set<number>>();

  /** Whether all expected versions match, `entries` being what the store listed before. Changes of one call see each other. */
  change(changes: readonly StateChange[], entries: ReadonlyMap<string, StateEntry>): boolean {
    const values = new Map(this.#values);
    for (const { key, value, expectedVersion } of changes) {
      const isThere = values.has(key);
      if (expectedVersion === 0 && isThere) return false;
      if (expectedVersion !== undefined && expectedVersion > 0) {
        if (!isThere || entries.get(key)!.version !== expectedVersion) return false;
      }
      if (value === null) values.delete(key);
      else values.set(key, value);
    }
    this.#values = values;
    return true;
  }

  list(): [string, string][] {
    return [...this.#values].sort(([left], [right]) => (left < right ? -1 : 1));
  }

  /** A version stands for one value of its key, and for no other, ever. */
  checkVersions(entries: readonly StateEntry[]): void {
    for (const { key, version } of entries) {
      const seen = this.#seen.get(key) ?? new Set();
      this.#seen.set(key, seen.add(version));
      expect(Math.max(...seen)).toBe(version);
    }
  }
}
