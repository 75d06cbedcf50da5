/**
 * The comparison of two normalised answers, field by field. A difference names the field with indices
 * (`topics[0].partitions[1].errorCode`); arrays of different length differ in `.length`, and their common part is
 * compared all the same. A field that one side lacks is `<absent>` there.
 */

export interface Difference {
  readonly path: string;
  readonly kafka: unknown;
  readonly obelisk: unknown;
}

const ABSENT = "<absent>";

export function compare(kafka: unknown, obelisk: unknown): Difference[] {
  const differences: Difference[] = [];
  walk(kafka, obelisk, "", differences);
  return differences;
}

/** The path without indices: `topics[].partitions[].errorCode`. */
export function withoutIndices(path: string): string {
  return path.replace(/\[\d+\]/g, "[]");
}

function walk(kafka: unknown, obelisk: unknown, path: string, found: Difference[]): void {
  if (Array.isArray(kafka) && Array.isArray(obelisk)) {
    if (kafka.length !== obelisk.length) {
      found.push({ path: `${path}.length`, kafka: kafka.length, obelisk: obelisk.length });
    }
    const common = Math.min(kafka.length, obelisk.length);
    for (let index = 0; index < common; index += 1) {
      walk(kafka[index], obelisk[index], `${path}[${index}]`, found);
    }
    return;
  }
  if (isObject(kafka) && isObject(obelisk)) {
    for (const name of new Set([...Object.keys(kafka), ...Object.keys(obelisk)])) {
      const place = path === "" ? name : `${path}.${name}`;
      walk(name in kafka ? kafka[name] : ABSENT, name in obelisk ? obelisk[name] : ABSENT, place, found);
    }
    return;
  }
  if (!Object.is(kafka, obelisk)) found.push({ path, kafka, obelisk });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
