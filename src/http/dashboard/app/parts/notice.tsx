/** What a view says instead of content, or beside it: that there is nothing yet and what to do, or that something was refused. */

import type { ComponentChildren } from "preact";
import type { Refusal } from "../api/ask.ts";
import { Icon, type IconName } from "./icon.tsx";

export interface EmptyProps {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly action?: ComponentChildren;
}

export function Empty({ icon, title, children, action }: EmptyProps) {
  return (
    <div class="empty">
      <span class="empty-icon">
        <Icon name={icon} />
      </span>
      <h2>{title}</h2>
      {children !== undefined && <p>{children}</p>}
      {action}
    </div>
  );
}

export function Refused({ refusal }: { refusal: Refusal | null }) {
  if (refusal === null) return null;
  return (
    <div class="refused" role="alert">
      <Icon name="warning" />
      <p>{refusal.message}</p>
    </div>
  );
}

/** Holds the place of what is on its way; says so only when that takes long. */
export function Waiting({ rows = 6 }: { rows?: number }) {
  return (
    <div class="waiting" role="status">
      <span class="visually-hidden">Loading</span>
      {Array.from({ length: rows }, (_, index) => (
        <span key={index} class="waiting-row" />
      ))}
    </div>
  );
}
