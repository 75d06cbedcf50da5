/**
 * Which part of an element the window shows, so that only what is near it need be in the document.
 *
 *     element   |------[ top ...... bottom ]----------------|      in pixels from the element's top
 */

import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

export interface Span {
  readonly top: number;
  readonly bottom: number;
}

/** It moves in steps, so that a scroll does not draw anew for each pixel. */
const STEP = 160;

/** `height`: the element's, measured again when it changes. */
export function useVisibleSpan(element: RefObject<HTMLElement | null>, height: number): Span {
  const [span, setSpan] = useState<Span>({ top: 0, bottom: innerHeight + STEP });
  useLayoutEffect(() => {
    const measure = () => {
      const above = -(element.current?.getBoundingClientRect().top ?? 0);
      const top = Math.floor(above / STEP) * STEP;
      const bottom = Math.ceil((above + innerHeight) / STEP) * STEP;
      setSpan((last) => (last.top === top && last.bottom === bottom ? last : { top, bottom }));
    };
    measure();
    addEventListener("scroll", measure, { passive: true });
    addEventListener("resize", measure);
    return () => {
      removeEventListener("scroll", measure);
      removeEventListener("resize", measure);
    };
  }, [height]);
  return span;
}
