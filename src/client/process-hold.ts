/**
 * Keeps the process alive while the client waits without an open socket (between two attempts to connect): the clock's
 * timers deliberately do not. One idle timer serves all holders; it is gone when the last one lets go.
 */

/** Long enough never to matter, short enough for a timer (2^31 ms). */
const IDLE_MS = 2 ** 30;

let holders = 0;
let idleTimer: ReturnType<typeof setInterval> | undefined;

/** Holds the process until the returned function is called; a second call does nothing. */
export function holdProcess(): () => void {
  holders += 1;
  idleTimer ??= setInterval(() => {}, IDLE_MS);
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    holders -= 1;
    if (holders > 0) return;
    clearInterval(idleTimer);
    idleTimer = undefined;
  };
}
