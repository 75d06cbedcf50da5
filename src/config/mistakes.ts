/** Mistakes in settings: collected from every source, each with its place, and thrown together. */

import { ObeliskError } from "../base/errors.ts";

/** A mistake with the place where it stands. */
export interface Mistake {
  /** A file with its line, a variable, a flag. */
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
export class SettingsError extends ObeliskError {
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[]) {
    super("INVALID_SETTING", {
      detail: mistakes.map(({ source, message }) => `${source}: ${message}`).join("; "),
    });
    this.mistakes = mistakes;
  }
}
