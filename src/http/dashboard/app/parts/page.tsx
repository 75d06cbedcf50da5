/** The frame of a view: its heading, which takes the focus when the view is come to, what it is about in a line, and its actions. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { visits } from "../base/router.ts";

export interface PageProps {
  readonly title: string;
  /** Set in the typeface of data: a name that somebody else chose. */
  readonly isData?: boolean;
  readonly crumb?: { readonly label: string; readonly href: string };
  readonly lead?: ComponentChildren;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Page({ title, isData = false, crumb, lead, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const visit = visits.value;
  useEffect(() => {
    if (visit > 0) heading.current?.focus({ preventScroll: true });
  }, [visit]);
  useEffect(() => {
    document.title = `${title} · Obelisk`;
  }, [title]);
  return (
    <>
      <header class="page-head">
        <div class="page-title">
          {crumb !== undefined && (
            <a class="crumb" href={crumb.href}>
              {crumb.label}
            </a>
          )}
          <h1 ref={heading} tabIndex={-1} class={isData ? "data" : undefined}>
            {title}
          </h1>
          {lead !== undefined && <p class="lead">{lead}</p>}
        </div>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}
