/** What stands around every view: the way around, the broker's health, the theme, and the news that the broker is away. */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { outage, tryNow } from "./api/broker.ts";
import { formatClock } from "./base/format.ts";
import { pathOf, segments, visits } from "./base/router.ts";
import { setTheme, THEMES, theme } from "./base/theme.ts";
import { after, nowMs } from "./base/time.ts";
import { toneOf } from "./overview/health.ts";
import { overview } from "./overview/store.ts";
import { Icon, type IconName } from "./parts/icon.tsx";
import { StatusBadge } from "./parts/status-badge.tsx";
import { Toast } from "./parts/toast.tsx";

const VIEWS: readonly (readonly [segment: string, label: string, icon: IconName])[] = [
  ["", "Overview", "overview"],
  ["topics", "Topics", "topics"],
  ["messages", "Messages", "messages"],
  ["groups", "Groups", "groups"],
  ["transactions", "Transactions", "transactions"],
  ["connections", "Connections", "connections"],
  ["settings", "Settings", "settings"],
];

const THEME_ICONS = { system: "display", light: "sun", dark: "moon" } as const satisfies Record<
  string,
  IconName
>;

export function Shell({ children }: { children: ComponentChildren }) {
  const [isOpen, setIsOpen] = useState(false);
  const visit = visits.value;
  // A view that was chosen closes the menu.
  useEffect(() => setIsOpen(false), [visit]);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key === "Escape") setIsOpen(false);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
  return (
    <div class="shell">
      <a class="skip" href="#main">
        Skip to content
      </a>
      <header class={isOpen ? "side is-open" : "side"}>
        <div class="side-head">
          <a class="brand" href="/">
            <Mark />
            Obelisk
          </a>
          <Health />
          <button
            type="button"
            class="button quiet square menu"
            aria-expanded={isOpen}
            aria-controls="views"
            onClick={() => setIsOpen(!isOpen)}
          >
            <Icon name={isOpen ? "close" : "menu"} />
            <span class="visually-hidden">Menu</span>
          </button>
        </div>
        <div class="side-body" id="views">
          <nav aria-label="Views">
            <ul>
              {VIEWS.map(([segment, label, icon]) => (
                <li key={segment}>
                  <a
                    href={segment === "" ? "/" : pathOf(segment)}
                    aria-current={segment === (segments.value[0] ?? "") ? "page" : undefined}
                  >
                    <Icon name={icon} />
                    {label}
                  </a>
                </li>
              ))}
            </ul>
          </nav>
          <div class="side-foot">
            <ThemeSwitch />
            <a href="/openapi" target="_blank" rel="noreferrer" class="foot-link">
              <Icon name="book" />
              HTTP API
            </a>
            <span class="version">{overview.value === null ? "" : `Version ${overview.value.version}`}</span>
          </div>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <Outage />
      <Toast />
    </div>
  );
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" class="mark-ground" />
      <path d="M16 4.500 12.400 9l-1.700 16h10.600L19.600 9z" class="mark-stone" />
      <path d="M9 25h14v2.500H9z" class="mark-base" />
    </svg>
  );
}

function Health() {
  const health = overview.value?.health;
  if (outage.value !== null) return <StatusBadge tone="bad">No answer</StatusBadge>;
  if (health === undefined) return <StatusBadge tone="neutral">Connecting</StatusBadge>;
  const words = { healthy: "Healthy", degraded: "Degraded", unhealthy: "Unhealthy" };
  return <StatusBadge tone={toneOf(health.status)}>{words[health.status]}</StatusBadge>;
}

function ThemeSwitch() {
  return (
    <fieldset class="themes">
      <legend class="visually-hidden">Colours</legend>
      {THEMES.map((name) => (
        <label key={name} title={`${name[0]!.toUpperCase()}${name.slice(1)} colours`}>
          <input
            type="radio"
            name="theme"
            value={name}
            checked={theme.value === name}
            onChange={() => setTheme(name)}
          />
          <Icon name={THEME_ICONS[name]} />
          <span class="visually-hidden">{name}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Outage() {
  const away = outage.value;
  const [now, setNow] = useState(nowMs());
  useEffect(() => {
    if (away === null) return;
    return after(1000, () => setNow(nowMs()));
  }, [away, now]);
  const seconds = away === null ? 0 : Math.max(0, Math.ceil((away.nextTryMs - nowMs()) / 1000));
  return (
    <div class="outage-place" role="alert">
      {away !== null && (
        <div class="outage">
          <Icon name="warning" />
          <p>
            <strong>The broker does not answer.</strong>{" "}
            <span>What you see is from {formatClock(away.sinceMs)}.</span>{" "}
            <span class="outage-next" aria-hidden="true">
              Trying again in {seconds} s.
            </span>
          </p>
          <button type="button" class="button small" onClick={tryNow}>
            Try now
          </button>
        </div>
      )}
    </div>
  );
}
