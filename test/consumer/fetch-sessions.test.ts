import { expect, test } from "bun:test";
import { EVICTION_MS, FetchedPartition, FetchSessions } from "../../src/consumer/fetch-sessions.ts";
import { ManualClock } from "../support/manual-clock.ts";

function sessionsOf(sessionsMax: number, partitionsMax = 1000) {
  const clock = new ManualClock();
  let next = 0;
  const sessions = new FetchSessions({ sessionsMax, partitionsMax }, clock, () => next++);
  const open = (count: number) => {
    const partitions = Array.from({ length: count }, (_, index) => new FetchedPartition("t", "", index));
    return sessions.open(partitions, count, false)?.id ?? 0;
  };
  const use = (id: number) => {
    const session = sessions.get(id)!;
    return sessions.changed(session, session.size);
  };
  return { clock, sessions, open, use };
}

test("an id is never 0, and a session goes on with its next epoch only", () => {
  const { sessions, open, use } = sessionsOf(10);
  expect([open(1), open(1)]).toEqual([1, 2]);
  expect(sessions.resume(1, 2, false)).toBe("INVALID_FETCH_SESSION_EPOCH");
  expect(sessions.resume(9, 1, false)).toBe("FETCH_SESSION_ID_NOT_FOUND");
  expect(sessions.resume(1, 1, true)).toBe("FETCH_SESSION_TOPIC_ID_ERROR");
  expect(sessions.resume(1, 1, false)).toBe(sessions.get(1)!);
  expect([use(1), sessions.get(1)!.epoch]).toEqual([true, 2]);
  sessions.get(1)!.epoch = 2 ** 31 - 1;
  expect([use(1), sessions.get(1)!.epoch]).toEqual([true, 1]);
});

test("a session ends with its last partition, and what it held is free", () => {
  const { sessions, open } = sessionsOf(10);
  const session = sessions.get(open(2))!;
  session.forget("t", "", 0);
  session.forget("t", "", 0);
  session.forget("other", "", 1);
  expect([sessions.changed(session, 2), sessions.partitionCount]).toEqual([true, 1]);
  session.forget("t", "", 1);
  expect([sessions.changed(session, 1), sessions.count, sessions.partitionCount]).toEqual([false, 0, 0]);
});

test("without room the new session is not kept, unless one is unused for two minutes", () => {
  const { clock, sessions, open, use } = sessionsOf(2);
  const [first, second] = [open(1), open(5)];
  expect(open(9)).toBe(0);
  clock.advance(EVICTION_MS);
  use(first);
  clock.advance(1);
  const third = open(1);
  expect([third > 0, sessions.get(second), sessions.get(first)?.size]).toEqual([true, undefined, 1]);
});

test("a larger session replaces the smallest that is older than two minutes", () => {
  const { clock, sessions, open, use } = sessionsOf(3);
  const ids = [open(4), open(2), open(3)];
  clock.advance(EVICTION_MS + 1);
  for (const id of ids) use(id);
  expect(open(2)).toBe(0);
  expect(open(3)).toBeGreaterThan(0);
  expect(ids.map((id) => sessions.get(id)?.size)).toEqual([4, undefined, 3]);
  expect(open(1)).toBe(0);
});

test("the partitions of all sessions together are bounded, also as sessions grow", () => {
  const { sessions, open } = sessionsOf(10, 5);
  expect(open(6)).toBe(0);
  const session = sessions.get(open(3))!;
  expect(open(3)).toBe(0);
  open(2);
  session.fetched("t", "", 99);
  expect(sessions.changed(session, 3)).toBe(false);
  expect([sessions.get(session.id), sessions.partitionCount]).toEqual([undefined, 2]);
});

test("no session is kept when there may be none", () => {
  expect(sessionsOf(0).open(1)).toBe(0);
});

test("what is news: records, another bound, an error, and whatever follows an error", () => {
  const fetched = new FetchedPartition("t", "", 0);
  expect(fetched.isNews(0, 5, 0, 0)).toBe(true);
  expect(fetched.isNews(0, 5, 0, 0)).toBe(false);
  expect(fetched.isNews(0, 5, 0, 10)).toBe(true);
  expect(fetched.isNews(0, 6, 0, 0)).toBe(true);
  expect(fetched.isNews(0, 6, 1, 0)).toBe(true);
  expect(fetched.isNews(3, -1, -1, 0)).toBe(true);
  expect(fetched.isNews(3, -1, -1, 0)).toBe(true);
  expect(fetched.isNews(0, 6, 1, 0)).toBe(true);
  expect(fetched.isNews(0, 6, 1, 0)).toBe(false);
});
