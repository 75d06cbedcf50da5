import { expect, test } from "bun:test";
import fc from "fast-check";
import { Ring } from "../../src/base/ring.ts";

test("a ring does what an array does, whatever the order of calls", () => {
  const step = fc.oneof(fc.constant("shift" as const), fc.constant("clear" as const), fc.nat(1000));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const ring = new Ring<number>();
      const model: number[] = [];
      for (const each of steps) {
        if (each === "shift") expect(ring.shift()).toBe(model.shift());
        else if (each === "clear") {
          ring.clear();
          model.length = 0;
        } else {
          ring.push(each);
          model.push(each);
        }
        expect([ring.count, ring.peek(), ring.last()]).toEqual([model.length, model[0], model.at(-1)]);
        expect(Array.from(model, (_, index) => ring.at(index))).toEqual(model);
        expect([ring.at(-1), ring.at(model.length)]).toEqual([undefined, undefined]);
      }
    }),
  );
});

test("a ring does not grow beyond its limit", () => {
  const ring = new Ring<number>(32);
  for (let n = 0; n < 32; n += 1) ring.push(n);
  expect(() => ring.push(32)).toThrow("grew beyond its limit");
});
