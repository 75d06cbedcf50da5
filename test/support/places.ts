import { type ConnectionPlaces, DescriptorBudget } from "../../src/base/descriptors/descriptor-budget.ts";

/** A listener's places where the system allows any number. */
export function placesOf(connectionsMax: number): ConnectionPlaces {
  return new DescriptorBudget({ limit: null, openAtStart: null, filesMax: 0 }).listener(connectionsMax);
}
