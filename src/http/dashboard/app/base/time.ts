/** Time in the browser: the one place that reads the clock or sets timers. */

export function nowMs(): number {
  return Date.now();
}

/** Calls once, later; what is returned takes it back. */
export function after(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
}
