/**
 * Which view is shown: the address of the page, below `/dashboard/`; `/` is the overview. A view keeps what it looks for in the query,
 * so that an address can be reloaded and passed on.
 */

import { computed, signal } from "@preact/signals";

const BASE = "/dashboard/";

interface Place {
  readonly pathname: string;
  readonly search: string;
}

const place = signal<Place>(currentPlace());
/** Moves the focus to the new view's heading; a change of the query alone does not. */
export const visits = signal(0);

/** The parts of the address below `/dashboard/`, decoded; none for the overview. */
export const segments = computed<readonly string[]>(() => {
  const { pathname } = place.value;
  if (!pathname.startsWith(BASE)) return [];
  return pathname.slice(BASE.length).split("/").filter(Boolean).map(decoded);
});

export const query = computed(() => new URLSearchParams(place.value.search));

export function pathOf(...parts: readonly string[]): string {
  return parts.length === 0 ? "/" : BASE + parts.map(encodeURIComponent).join("/");
}

export function navigate(address: string): void {
  history.pushState(null, "", address);
  place.value = currentPlace();
  visits.value += 1;
  scrollTo(0, 0);
}

/** Changes the query of this view: null and "" take a name out. Leaves no entry in the history. */
export function setQuery(changes: Readonly<Record<string, string | null>>): void {
  const next = new URLSearchParams(place.value.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  const search = next.toString();
  history.replaceState(null, "", place.value.pathname + (search === "" ? "" : `?${search}`));
  place.value = currentPlace();
}

/** Follows links of the page itself without loading it again. */
export function startRouter(): void {
  addEventListener("popstate", () => {
    const last = place.value.pathname;
    place.value = currentPlace();
    if (place.value.pathname !== last) visits.value += 1;
  });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest("a");
    if (link === null || link.target !== "" || link.hasAttribute("download")) return;
    if (link.origin !== location.origin || !isView(link.pathname) || link.hash !== "") return;
    event.preventDefault();
    navigate(link.pathname + link.search);
  });
}

function isView(pathname: string): boolean {
  return pathname === "/" || pathname.startsWith(BASE);
}

function currentPlace(): Place {
  return { pathname: location.pathname, search: location.search };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
