/** Errors in settings and on the command line: collected from every source, each with its place, and thrown together. */

import { ObeliskError } from "../base/errors.ts";

/** One config error with its place. */
export interface ConfigError {
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

/** All config errors of all sources. */
export class ConfigErrors extends ObeliskError {
  readonly errors: readonly ConfigError[];

  constructor(code: "INVALID_SETTING" | "INVALID_USAGE", errors: readonly ConfigError[]) {
    super(code, { detail: errors.map(configErrorWords).join("; ") });
    this.errors = errors;
  }
}

/** A config error as one line. */
export function configErrorWords({ source, message }: ConfigError): string {
  return source === "" ? message : `${source}: ${message}`;
}
