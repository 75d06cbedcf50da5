/** Mistakes in settings and on the command line: collected from every source, each with its place, and thrown together. */

import { ObeliskError } from "../base/errors.ts";

/** A mistake with the place where it stands. */
export interface Mistake {
  /** A file with its line, a variable, a flag; empty when the message names it. */
  readonly source: string;
  readonly message: string;
}

/** One given value, before it is understood. */
export interface Given {
  readonly name: string;
  readonly text: string;
  /** The place, as people name it. */
  readonly source: string;
}

/** All mistakes of all sources. */
export class MistakesError extends ObeliskError {
  readonly mistakes: readonly Mistake[];

  constructor(code: "INVALID_SETTING" | "INVALID_USAGE", mistakes: readonly Mistake[]) {
    super(code, { detail: mistakes.map(mistakeWords).join("; ") });
    this.mistakes = mistakes;
  }
}

/** A mistake as one line. */
export function mistakeWords({ source, message }: Mistake): string {
  return source === "" ? message : `${source}: ${message}`;
}
