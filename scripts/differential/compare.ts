/**
 * The comparison of two normalised responses, field by field. A difference names the field with indices
 * (`topics[0].partitions[1].errorCode`); arrays of different length differ in `.length`, and their common part is
 * compared all the same. A field that one side lacks is `<absent>` there.
 *
 * Where the error codes of a structure differ, that is the difference: what else differs in it follows from them.
 */

export interface Difference {
  readonly path: string;
  readonly kafka: unknown;
  readonly obelisk: unknown;
}

const ABSENT = "<absent>";
const ERROR = "errorCode";

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
    if (ERROR in kafka && ERROR in obelisk && kafka[ERROR] !== obelisk[ERROR]) {
      found.push({ path: join(path, ERROR), kafka: kafka[ERROR], obelisk: obelisk[ERROR] });
      return;
    }
    for (const name of new Set([...Object.keys(kafka), ...Object.keys(obelisk)])) {
      const values = [kafka, obelisk].map((side) => (name in side ? side[name] : ABSENT));
      walk(values[0], values[1], join(path, name), found);
    }
    return;
  }
  if (!Object.is(kafka, obelisk)) found.push({ path, kafka, obelisk });
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
