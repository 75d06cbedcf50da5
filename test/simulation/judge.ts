/** Keeps the first promise that was broken, and the last steps before it. */

export const STEPS_KEPT = 30;

export class Judge {
  /** What was broken first; null as long as nothing was. */
  verdict: string | null = null;
  readonly #steps: string[] = [];
  readonly #stepsMax: number;
  #count = 0;

  constructor(stepsMax: number) {
    this.#stepsMax = stepsMax;
  }

  record(step: string): void {
    if (this.verdict !== null) return;
    this.#count += 1;
    this.#steps.push(`${String(this.#count).padStart(5)}  ${step}`);
    if (this.#steps.length > this.#stepsMax) this.#steps.shift();
  }

  broken(what: string): void {
    this.verdict ??= what;
  }

  /** The last steps, oldest first. */
  get history(): readonly string[] {
    return this.#steps;
  }
}
