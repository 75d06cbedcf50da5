/**
 * What every state store tells those who watch it. One that many processes share may say "list again" where one of this process tells
 * of each change, so some tests are for the latter only; what holds for all is that a view is right when it was kept by the rule of
 * the contract (`StateView`).
 */

import { expect, test } from "bun:test";
import fc from "fast-check";
import type { StateChange, StateListener, StateStore, StateUpdate } from "../../../src/storage/contract.ts";
import { UPDATES_MAX } from "../../../src/storage/state-watches.ts";
import { until } from "../../support/kafka-until.ts";
import type { StateFactory, StateUnderTest } from "./state-suite.ts";

export function testWatching(factory: StateFactory): void {
  const withState = (work: (subject: StateUnderTest) => Promise<void>) => async () => {
    const subject = await factory.create();
    try {
      await work(subject);
    } finally {
      await subject.dispose();
    }
  };

  const each = (name: string, work: () => Promise<void>) => {
    if (factory.cannotTellEach === null) test(name, work);
    else test.skip(`${name} (${factory.cannotTellEach})`, () => {});
  };

  each(
    "tells who watches a prefix of what is stored and removed there, with its versions, and of nothing else",
    withState(async ({ store }) => {
      const told = new Told();
      store.watch("topic/", told);
      await store.change([
        { key: "topic/a", value: "1" },
        { key: "topics", value: "another prefix" },
        { key: "offset/topic/", value: "not at its beginning" },
      ]);
      await store.change([{ key: "topic/b", value: "2" }]);
      const versions = (await store.list("topic/")).map(({ version }) => version);
      await store.change([{ key: "topic/a", value: null }]);
      expect(told.updates.map(({ key, value }) => [key, value])).toEqual([
        ["topic/a", "1"],
        ["topic/b", "2"],
        ["topic/a", null],
      ]);
      expect(told.versions.slice(0, 2)).toEqual(versions);
      expect(told.versions[2]).toBeGreaterThan(versions[1]!);
    }),
  );

  each(
    "tells nobody of a change with a version mismatch",
    withState(async ({ store }) => {
      const told = new Told();
      store.watch("", told);
      const refused = store.change([
        { key: "a", value: "1" },
        { key: "b", value: "1", expectedVersion: 7 },
      ]);
      await Promise.all([refused, store.change([{ key: "c", value: "1" }])]);
      expect(told.updates.map(({ key }) => key)).toEqual(["c"]);
    }),
  );

  each(
    "tells changes in the order of their versions, whatever order their keys were first changed in",
    withState(async ({ store }) => {
      const told = new Told();
      store.watch("", told);
      const calls = ["a", "b", "c", "a", "b", "a"].map((key, index) =>
        store.change([{ key, value: `${index}` }]),
      );
      await Promise.all(calls);
      expect(told.versions).toEqual([...told.versions].sort((left, right) => left - right));
      expect(told.last()).toEqual({ a: "5", b: "4", c: "2" });
    }),
  );

  test(
    "tells nothing any more once a watch is cancelled, also by another listener that is told before",
    withState(async ({ store }) => {
      const told = new Told();
      let cancelled = 0;
      const cancelBoth = () => {
        for (const watch of [own, other, own]) watch.cancel();
        cancelled += 1;
      };
      const own = store.watch("", { changed: cancelBoth, listAgain: cancelBoth });
      const other = store.watch("", told);
      await store.change([{ key: "a", value: "1" }]);
      await until(() => cancelled > 0);
      const later = new Told();
      store.watch("", later);
      await store.change([{ key: "a", value: "2" }]);
      await until(() => later.calls.length > 0);
      expect([cancelled, told.calls]).toEqual([1, []]);
    }),
  );

  each(
    "tells a listener to list again instead of telling it more than it may hear at once, and goes on after it",
    withState(async ({ store }) => {
      const many = new Told();
      const few = new Told();
      store.watch("many/", many);
      store.watch("few/", few);
      const most = Array.from({ length: UPDATES_MAX }, (_, index) => ({ key: `many/${index}`, value: "1" }));
      await store.change(most);
      await store.change([...most, { key: "many/one more", value: "1" }, { key: "few/a", value: "1" }]);
      await store.change([{ key: "many/0", value: "2" }]);
      expect(many.calls.map((call) => (call === "list again" ? call : call.length))).toEqual([
        UPDATES_MAX,
        "list again",
        1,
      ]);
      expect(few.last()).toEqual({ "few/a": "1" });
    }),
  );

  each(
    "tells each listener in order of what another one changes while it is told",
    withState(async ({ store }) => {
      let done: Promise<boolean> = Promise.resolve(true);
      store.watch("first", {
        changed: () => (done = store.change([{ key: "second", value: "1" }])),
        listAgain: () => {},
      } as StateListener);
      const told = new Told();
      store.watch("", told);
      await store.change([{ key: "first", value: "1" }]);
      await done;
      expect(told.updates.map(({ key }) => key)).toEqual(["first", "second"]);
    }),
  );

  test(
    "tells nothing any more when it is closed",
    withState(async ({ store }) => {
      const told = new Told();
      store.watch("", told);
      await store.close();
      await store.change([{ key: "a", value: "1" }]).catch(() => undefined);
      expect(told.calls).toEqual([]);
    }),
  );

  test("lets a view that is kept by watching be what it lists, whatever is changed meanwhile", async () => {
    const key = fc.constantFrom("v/a", "v/b", "v/c", "w");
    const change = fc.record({ key, value: fc.option(fc.constantFrom("1", "2", "3")) });
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.array(change, { minLength: 1, maxLength: 3 }) },
      { weight: 1, arbitrary: fc.constant("list again" as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.nat(6), async (steps, begin) => {
        const subject = await factory.create();
        try {
          let view: StateView | null = null;
          const calls: Promise<unknown>[] = [];
          for (const [index, of] of steps.entries()) {
            if (index === begin) view = new StateView(subject.store, "v/");
            if (of === "list again") view?.listAgain();
            else calls.push(subject.store.change(of as StateChange[]));
            if (index % 3 === 2) await calls.at(-1);
          }
          await Promise.all(calls);
          const kept = view ?? new StateView(subject.store, "v/");
          const listed = (await subject.store.list("v/")).map(({ key, value }) => [key, value]);
          await until(() => kept.isListed && Bun.deepEquals(kept.entries(), listed));
        } finally {
          await subject.dispose();
        }
      }),
      { numRuns: 50 },
    );
  });
}

/** Writes down what it is told. */
class Told implements StateListener {
  readonly calls: (readonly StateUpdate[] | "list again")[] = [];

  changed(updates: readonly StateUpdate[]): void {
    this.calls.push([...updates]);
  }

  listAgain(): void {
    this.calls.push("list again");
  }

  get updates(): StateUpdate[] {
    return this.calls.flatMap((call) => (call === "list again" ? [] : call));
  }

  get versions(): number[] {
    return this.updates.map(({ version }) => version);
  }

  /** The last value of each key. */
  last(): Record<string, string | null> {
    return Object.fromEntries(this.updates.map(({ key, value }) => [key, value]));
  }
}

/** A view as the contract says that it is kept: watched, then listed, and what is told meanwhile wins where it is newer. */
class StateView implements StateListener {
  readonly #store: StateStore;
  readonly #prefix: string;
  #known = new Map<string, StateUpdate>();
  /** What was told since the last listing began, in order. */
  #told: StateUpdate[] = [];
  isListed = false;
  #serial = 0;

  constructor(store: StateStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
    store.watch(prefix, this);
    void this.#list();
  }

  changed(updates: readonly StateUpdate[]): void {
    this.#told.push(...updates);
    this.#apply(updates);
  }

  listAgain(): void {
    this.#told = [];
    void this.#list();
  }

  entries(): [string, string][] {
    const found = [...this.#known.values()].flatMap(({ key, value }): [string, string][] =>
      value === null ? [] : [[key, value]],
    );
    return found.sort(([left], [right]) => (left < right ? -1 : 1));
  }

  async #list(): Promise<void> {
    this.isListed = false;
    this.#serial += 1;
    const serial = this.#serial;
    const listed = await this.#store.list(this.#prefix);
    if (serial !== this.#serial) return;
    this.#known = new Map(listed.map((entry) => [entry.key, entry]));
    this.#apply(this.#told);
    this.#told = [];
    this.isListed = true;
  }

  #apply(updates: readonly StateUpdate[]): void {
    for (const update of updates) {
      if (update.version > (this.#known.get(update.key)?.version ?? 0)) this.#known.set(update.key, update);
    }
  }
}
